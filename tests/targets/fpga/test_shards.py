"""A proof cut into simulations side by side says what one simulation says, and one broken part fails it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.errors import ToolError
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.report import Outcome
from lightning_neuro.targets.fpga import ghdl, prove_vhdl, shards
from lightning_neuro.targets.fpga.ghdl import Simulation
from lightning_neuro.targets.fpga.subject import Subject
from lightning_neuro.targets.fpga.traces import Trace
from tests.targets.fpga.conftest import job, needs_ghdl, target
from tests.targets.fpga.networks import draw_vectors

SAMPLES, STEPS = 14, 6
ONE, THREE = (range(16),), (range(5), range(5, 10), range(10, 16))
EXPECTED = Path("testbench/expected_0.txt")
STREAM = Path("testbench/expected_output.txt")


@pytest.fixture
def subject(small_graph: HardwareGraph, tmp_path: Path) -> Subject:
    """Fourteen samples, sixteen runs: enough for two simulations side by side."""
    vectors = draw_vectors(small_graph, np.random.default_rng(3), samples=SAMPLES, steps=STEPS)
    folder = tmp_path / "artefact"
    folder.mkdir()
    target(lanes=(4, 3)).write(job(small_graph, vectors), folder)
    layers = target(lanes=(4, 3)).plan(small_graph)
    return Subject(
        graph=small_graph, layers=layers, artefact=folder, vectors=vectors, clock_mhz=100, timeout_s=120
    )


def simulated(subject: Subject, work: Path, parts: Sequence[range]) -> tuple[Simulation, Trace]:
    work.mkdir()
    ghdl.analyse(subject.artefact, work, subject.timeout_s)
    return prove_vhdl.simulate(subject, work, shards.read_bench(subject.artefact / "testbench"), parts)


def facts(found: Simulation) -> dict[str, object]:
    """What a simulation tells, comparable."""
    told = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    # The first run after power-on finds the network idle; every other waits for the states to be cleared first.
    return told | {"cycles": np.delete(found.cycles, [part.start for part in THREE]).tolist()}


def spoil_membrane(subject: Subject, sample: int, step: int, neuron: int) -> None:
    """Expect one more of one membrane of the first layer in the run of a sample that ran alone."""
    path = subject.artefact / EXPECTED
    lines = path.read_text().splitlines()
    values = lines[sample * STEPS + step].split()
    assert values[:2] == [str(sample), str(step)]
    at = 2 + subject.layers[0].neurons + neuron
    values[at] = str(int(values[at]) + 1)
    lines[sample * STEPS + step] = " ".join(values)
    path.write_text("\n".join(lines) + "\n")


@needs_ghdl
def test_parts_tell_together_what_one_simulation_tells(subject: Subject, tmp_path: Path) -> None:
    one, trace = simulated(subject, tmp_path / "one", ONE)
    three, first_part = simulated(subject, tmp_path / "three", THREE)
    assert one.verdict.startswith("PASSED") and len(one.cycles) == SAMPLES
    assert facts(three) == facts(one)
    seen = len(first_part.samples)
    assert 0 < seen <= len(trace.samples)
    for name, values in first_part.membrane.items():
        np.testing.assert_array_equal(values, trace.membrane[name][:seen])


@needs_ghdl
@pytest.mark.parametrize("sample", [6, 13], ids=["second part", "last part"])
def test_one_broken_part_fails_the_whole_and_names_the_place(subject: Subject, tmp_path: Path, sample: int) -> None:
    spoil_membrane(subject, sample, step=2, neuron=3)
    one, _ = simulated(subject, tmp_path / "one", ONE)
    three, _ = simulated(subject, tmp_path / "three", THREE)
    assert facts(three) == facts(one)
    assert three.verdict.startswith("FAILED") and sum(three.wrong) == 1
    assert three.first is not None and three.first.place() == (sample, 2, 0, 3)


@needs_ghdl
def test_a_wrong_output_stream_of_one_part_fails_the_whole(subject: Subject, tmp_path: Path) -> None:
    whole = shards.read_bench(subject.artefact / "testbench")
    beat = sum(len(run) for run in whole.output[:7]) - 1  # counted from 1: the last but one of the seventh run
    path = subject.artefact / STREAM
    lines = path.read_text().splitlines()
    lines[beat - 1] = "0 2 5" if lines[beat - 1] != "0 2 5" else "0 1 5"
    path.write_text("\n".join(lines) + "\n")
    one, _ = simulated(subject, tmp_path / "one", ONE)
    three, _ = simulated(subject, tmp_path / "three", THREE)
    assert one.verdict.startswith("FAILED") and f"beat={beat} " in one.stream_difference
    assert facts(three) == facts(one)


@needs_ghdl
def test_the_check_on_two_cores_passes_and_fails_as_it_should(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove_vhdl, "cores", lambda: 2)
    assert len(shards.cut(SAMPLES + 2, 2)) == 2
    assert prove_vhdl.prove_bit_exact(subject).checks[0].outcome is Outcome.PASSED
    spoil_membrane(subject, sample=11, step=4, neuron=1)
    check = prove_vhdl.prove_bit_exact(subject).checks[0]
    assert check.outcome is Outcome.FAILED
    assert check.difference is not None
    assert (check.difference.sample, check.difference.step, check.difference.neuron) == (11, 4, 1)


@needs_ghdl
def test_a_part_without_a_verdict_is_no_pass(subject: Subject, tmp_path: Path) -> None:
    path = subject.artefact / "testbench" / "stimulus.txt"
    lines = path.read_text().splitlines()
    lines[1 + 7 * (STEPS + 1) + 2] = "word"  # sample 7: not a count of events
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(ToolError):
        simulated(subject, tmp_path / "three", THREE)


@pytest.mark.parametrize("runs", [1, 2, 7, 16, 22, 4001, 9000])
@pytest.mark.parametrize("cores", [1, 2, 7])
def test_a_cut_takes_every_run_once_and_keeps_the_stressed_ones_together(runs: int, cores: int) -> None:
    parts = shards.cut(runs, cores)
    assert [run for part in parts for run in part] == list(range(runs))
    assert all(0 < len(part) <= shards.RUNS_MAX for part in parts)
    assert len(parts[-1]) >= min(runs, 2)
