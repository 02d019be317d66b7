"""The proof can fail: one changed number in the artefact is found, and the place named."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.graph import golden
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import HardwareGraph, LateBias, Reset, ResetKind, Values
from lightning_neuro.report import Outcome
from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.fpga.prove_verilog import prove_equivalence
from lightning_neuro.targets.fpga.prove_vhdl import prove_bit_exact
from lightning_neuro.targets.fpga.subject import Subject
from tests.targets.fpga.conftest import job, needs_ghdl, needs_icarus, recurrent, target
from tests.targets.fpga.image_networks import digits_like
from tests.targets.fpga.networks import draw_vectors


def flip_first_digit(match: re.Match[str]) -> str:
    return f"{match[1]}{int(match[2], 16) ^ 1:x}{match[3]}"


MUTATIONS = {
    "weight": (r'(WEIGHTS_0 [^;]*?0 => x")([0-9a-f])([0-9a-f]*")', flip_first_digit, "hidden"),
    "leak": (r"(leak_shift +=> )3(,)", r"\g<1>2\g<2>", "hidden"),
    "threshold": (r"(THRESHOLDS_0 [^;]*others => )18", r"\g<1>19", "hidden"),
    "weight of the last layer": (r'(WEIGHTS_1 [^;]*?0 => x")([0-9a-f])([0-9a-f]*")', flip_first_digit, "output"),
    "threshold of the last layer": (r"(THRESHOLDS_1 [^;]*others => )18", r"\g<1>12", "output"),
}


def subject_of(graph: HardwareGraph, vectors: TestVectors, artefact: Path) -> Subject:
    layers = target(lanes=(4, 3)).plan(graph)
    return Subject(graph=graph, layers=layers, artefact=artefact, vectors=vectors, clock_mhz=100, timeout_s=120)


def mutate(artefact: Path, pattern: str, replacement: object) -> None:
    package = artefact / "rtl" / "network_pkg.vhd"
    text, count = re.subn(pattern, replacement, package.read_text(), count=1)  # type: ignore[call-overload]
    assert count == 1, f"{pattern} is not in the package"
    package.write_text(text)


@needs_ghdl
@pytest.mark.parametrize("what", MUTATIONS)
def test_changed_package_fails_and_names_the_place(
    what: str, small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path
) -> None:
    pattern, replacement, layer = MUTATIONS[what]
    mutate(artefact, pattern, replacement)
    check = prove_bit_exact(subject_of(small_graph, small_vectors, artefact)).checks[0]
    assert check.outcome is Outcome.FAILED
    assert re.search(rf"layer '{layer}', sample \d+, step \d+, neuron \d+: \w+ expected -?\d+, got -?\d+", check.detail)


@needs_ghdl
def test_unchanged_package_passes_and_counts_cycles(
    small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path
) -> None:
    proof = prove_bit_exact(subject_of(small_graph, small_vectors, artefact))
    assert proof.checks[0].outcome is Outcome.PASSED
    assert proof.resources["cycles_per_sample"]["min"] > small_vectors.spikes.sum(axis=(1, 2)).min()  # type: ignore[index]


@needs_ghdl
def test_first_difference_is_the_first_in_time(
    small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path
) -> None:
    recorded = artefact / "testbench" / "expected_0.txt"
    lines = recorded.read_text().splitlines()
    sample, step, *values = lines[2].split()
    values[8] = str(int(values[8]) + 1)  # six spikes come first: membrane of neuron 2
    recorded.write_text("\n".join([*lines[:2], " ".join([sample, step, *values]), *lines[3:]]) + "\n")
    check = prove_bit_exact(subject_of(small_graph, small_vectors, artefact)).checks[0]
    assert "layer 'hidden', sample 0, step 2, neuron 2: membrane" in check.detail


@needs_ghdl
def test_wrong_output_stream_is_found(small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path) -> None:
    recorded = artefact / "testbench" / "expected_output.txt"
    recorded.write_text(recorded.read_text().replace("1 0 0", "0 0 0", 1))
    check = prove_bit_exact(subject_of(small_graph, small_vectors, artefact)).checks[0]
    assert check.outcome is Outcome.FAILED and "output stream" in check.detail


@needs_ghdl
def test_testbench_that_compares_too_little_does_not_pass(
    small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path
) -> None:
    stimulus = artefact / "testbench" / "stimulus.txt"
    runs, _, rest = stimulus.read_text().partition("\n")
    stimulus.write_text(f"{int(runs) - 1}\n{rest}")
    assert prove_bit_exact(subject_of(small_graph, small_vectors, artefact)).checks[0].outcome is Outcome.FAILED


@needs_ghdl
@needs_icarus
def test_changed_package_fails_in_verilog_too(
    small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path
) -> None:
    mutate(artefact, *MUTATIONS["threshold"][:2])
    check = prove_equivalence(subject_of(small_graph, small_vectors, artefact)).checks[0]
    assert check.outcome is Outcome.FAILED and "layer 'hidden'" in check.detail


@needs_ghdl
@pytest.mark.parametrize("row", range(6))
def test_one_changed_recurrent_weight_is_found(small_graph: HardwareGraph, tmp_path: Path, row: int) -> None:
    graph = recurrent(small_graph)
    vectors = draw_vectors(graph, np.random.default_rng(4), samples=2, steps=12)
    assert vectors.expected.spikes["hidden"][:, :-1].any(axis=(0, 1)).all(), "a neuron that never fires tests nothing"
    target(lanes=(4, 3)).write(job(graph, vectors), tmp_path)
    subject = subject_of(graph, vectors, tmp_path)
    assert prove_bit_exact(subject).checks[0].outcome is Outcome.PASSED
    mutate(tmp_path, rf'(WEIGHTS_0 [^;]*?\b{5 + row} => x")([0-9a-f])([0-9a-f]*")', flip_first_digit)
    check = prove_bit_exact(subject).checks[0]
    assert check.outcome is Outcome.FAILED and "layer 'hidden'" in check.detail


@needs_ghdl
@pytest.mark.parametrize(
    ("file", "correct", "broken", "lanes"),
    [
        ("layer.vhd", "not (sent_tick or last_step)", "not sent_tick", (2, 1)),
        ("sequencer.vhd", "complete  <= own_idle and not pending", "complete  <= own_idle", (6, 1)),
        ("sequencer.vhd", "complete  <= own_idle and not pending", "complete  <= not pending", (1, 3)),
        ("spike_feedback.vhd", "not (empty or held)", "not empty", (2, 1)),
    ],
)
def test_broken_feedback_is_found(
    small_graph: HardwareGraph, tmp_path: Path, file: str, correct: str, broken: str, lanes: tuple[int, int]
) -> None:
    """Spikes of a sample's last step stay, spikes come too late, an event is interrupted: each breaks the proof."""
    graph = recurrent(small_graph)
    spikes = (np.random.default_rng(4).random((4, 24, 5)) < 0.6).astype(np.uint8)
    spikes[:2, 1::2] = 0  # steps without input end at once, unless own spikes are waited for
    expected = golden.run(graph, spikes, arithmetic="fixed", record=True)
    vectors = TestVectors(spikes=spikes, expected=expected, labels=np.full(4, -1))
    layers = target(lanes=lanes).plan(graph)
    target(lanes=lanes).write(job(graph, vectors), tmp_path)
    source = tmp_path / "rtl" / file
    text = source.read_text()
    assert text.count(correct) == 1
    source.write_text(text.replace(correct, broken))
    subject = Subject(graph=graph, layers=layers, artefact=tmp_path, vectors=vectors, clock_mhz=100, timeout_s=120)
    assert prove_bit_exact(subject).checks[0].outcome is Outcome.FAILED


def timed(graph: HardwareGraph) -> HardwareGraph:
    """The small graph with a bias in steps 1 and 2, initial membranes, and spikes in steps 1 to 3 alone."""
    values = Values(real=np.full(6, 1.5), raw=np.arange(6) + 3, format=Format(bits=32, lsb=0.25))
    first, *rest = graph.populations
    start = Values(real=np.full(6, 2.25), raw=np.arange(6) + 9, format=first.state_format)
    late = dataclasses.replace(
        first,
        neuron=dataclasses.replace(first.neuron, v_init=start),
        late_biases=(LateBias(values=values, onset=1, until=3),),
        fires_from=1,
        fires_until=4,
    )
    return dataclasses.replace(graph, populations=(late, *rest))


@needs_ghdl
@pytest.mark.parametrize(
    ("pattern", "replacement", "outcome"),
    [
        ("INITIAL_VALUES_0", "INITIAL_VALUES_0", Outcome.PASSED),
        (r"(BIAS_ONSETS_0 [^;]*others => )1", r"\g<1>0", Outcome.FAILED),
        (r"(BIAS_ENDS_0 [^;]*others => )3", r"\g<1>4", Outcome.FAILED),
        (r"(fires_from +=> )1(,)", r"\g<1>0\g<2>", Outcome.FAILED),
        (r"(fires_until +=> )4(,)", r"\g<1>5\g<2>", Outcome.FAILED),
        (r"(INITIAL_VALUES_0 [^;]*0 => )9", r"\g<1>8", Outcome.FAILED),
        (r"(BIASES_0 [^;]*0 => )3", r"\g<1>4", Outcome.FAILED),
    ],
)
def test_a_changed_step_or_constant_of_the_timing_is_found(
    small_graph: HardwareGraph, tmp_path: Path, pattern: str, replacement: str, outcome: Outcome
) -> None:
    graph = timed(small_graph)
    vectors = draw_vectors(graph, np.random.default_rng(4), samples=2, steps=6)
    target(lanes=(4, 3)).write(job(graph, vectors), tmp_path)
    mutate(tmp_path, pattern, replacement)
    assert prove_bit_exact(subject_of(graph, vectors, tmp_path)).checks[0].outcome is outcome


@needs_ghdl
@pytest.mark.parametrize(
    ("pattern", "replacement", "outcome"),
    [
        ("TAP_COUNTS_0_ROW", "TAP_COUNTS_0_ROW", Outcome.PASSED),
        (r"(TAP_COUNTS_0_ROW [^;]*\b1 => )3", r"\g<1>2", Outcome.FAILED),
        (r"(TAP_GROUPS_0_COLUMN [^;]*\b10 => )3", r"\g<1>0", Outcome.FAILED),
        (r"(TAP_WEIGHTS_0_COLUMN [^;]*\b9 => )2", r"\g<1>0", Outcome.FAILED),
        (r"(TAP_WEIGHTS_0_CHANNEL [^;]*1 => )\d+", r"\g<1>0", Outcome.FAILED),
    ],
)
def test_a_changed_table_of_an_address_generator_is_found(
    tmp_path: Path, pattern: str, replacement: str, outcome: Outcome
) -> None:
    graph, lanes, vectors = digits_like(np.random.default_rng(6), (2, 4, 4), (2, 2, 3), steps=3, samples=1)
    chosen = target(lanes=lanes)
    chosen.write(job(graph, vectors), tmp_path)
    mutate(tmp_path, pattern, replacement)
    subject = Subject(
        graph=graph, layers=chosen.plan(graph), artefact=tmp_path, vectors=vectors, clock_mhz=100, timeout_s=120
    )
    assert prove_bit_exact(subject).checks[0].outcome is outcome


@needs_ghdl
@pytest.mark.parametrize(
    ("correct", "broken", "lanes"),
    [
        ("fired <= fired or spiked;", "fired <= spiked;", (6, 3)),  # the flag of a neuron with its own lane
        ("fired <= '0';", "fired <= fired;", (6, 3)),  # stays up from sample to sample
        ("(spiked or remembered) and not clear", "spiked and not clear", (4, 2)),  # the flags of a shared lane
        ("if FIRES_ONCE and remembered = '1' then", "if false then", (4, 2)),  # spikes again when reset above threshold
        ("resets <= remembered or above_threshold;", "resets <= above_threshold;", (4, 2)),  # does not rest
    ],
)
def test_a_broken_flag_of_neurons_that_fire_once_is_found(
    small_graph: HardwareGraph, tmp_path: Path, correct: str, broken: str, lanes: tuple[int, int]
) -> None:
    populations = []
    for population in small_graph.populations:
        neuron, form = population.neuron, Format(bits=8, lsb=0.25)
        high = Values(real=np.full(population.size, 5.0), raw=np.full(population.size, 20), format=form)
        once = dataclasses.replace(neuron, reset=Reset(kind=ResetKind.ONCE, delay=0), v_reset=high)
        populations.append(dataclasses.replace(population, neuron=once))
    graph = dataclasses.replace(small_graph, populations=tuple(populations))
    vectors = draw_vectors(graph, np.random.default_rng(4), samples=3, steps=12)
    assert vectors.expected.spikes["hidden"].any(axis=1).all(), "a neuron that never fires tests nothing"
    chosen = target(lanes=lanes)
    chosen.write(job(graph, vectors), tmp_path)
    subject = Subject(
        graph=graph, layers=chosen.plan(graph), artefact=tmp_path, vectors=vectors, clock_mhz=100, timeout_s=120
    )
    assert prove_bit_exact(subject).checks[0].outcome is Outcome.PASSED
    source = tmp_path / "rtl" / "neuron.vhd"
    text = source.read_text()
    assert text.count(correct) == 1
    source.write_text(text.replace(correct, broken))
    assert prove_bit_exact(subject).checks[0].outcome is Outcome.FAILED


@needs_ghdl
def test_artefact_proves_itself_by_its_own_script(artefact: Path) -> None:
    import subprocess

    script = artefact / "testbench" / "run_ghdl.sh"
    assert subprocess.run(["sh", script], capture_output=True).returncode == 0
    mutate(artefact, *MUTATIONS["leak"][:2])
    assert subprocess.run(["sh", script], capture_output=True).returncode != 0
