"""Golden model == GHDL, and == Icarus Verilog on the translation, for networks drawn at random.

Sizes 1 to 20, one to four layers, any number of lanes, 2 to 8-bit weights, 4 to 16-bit membranes, every reset and
delay, shift, multiplier, no and per-neuron leak, per-neuron thresholds, bias, both synapses, both read-outs; the same
with layers that feed themselves and biases that start one step late; and first-spike networks in steps, with relays.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_neuro.graph.golden import NO_CLASS
from lightning_neuro.report import Outcome
from lightning_neuro.targets.fpga.prove_verilog import prove_equivalence
from lightning_neuro.targets.fpga.prove_vhdl import prove_bit_exact
from lightning_neuro.targets.fpga.subject import Subject
from tests.targets.fpga.conftest import all_classes_as_expected, job, labelled, needs_ghdl, needs_icarus, target
from tests.targets.fpga.networks import draw_first_spike, draw_network

CHUNK = 8


def subject_of(seed: int, folder: Path, *, recurrent: bool = False, first_spike: bool = False) -> Subject:
    drawn = draw_first_spike(seed) if first_spike else draw_network(seed, recurrent=recurrent)
    graph, lanes, vectors = drawn
    chosen = target(lanes=lanes)
    assert chosen.check(graph) == (), f"seed {seed}"
    folder.mkdir()
    chosen.write(job(graph, vectors), folder)
    return Subject(
        graph=graph,
        layers=chosen.plan(graph),
        artefact=folder,
        vectors=labelled(vectors),
        clock_mhz=100,
        timeout_s=120,
    )


@needs_ghdl
@pytest.mark.parametrize("first", range(0, 40, CHUNK))
def test_vhdl_equals_golden_model(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + CHUNK):
        subject = subject_of(seed, tmp_path / str(seed))
        proof = prove_bit_exact(subject)
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"
        assert all_classes_as_expected(proof, subject), f"seed {seed}"


@needs_ghdl
@needs_icarus
@pytest.mark.parametrize("first", range(0, 24, CHUNK))
def test_verilog_translation_equals_golden_model(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + CHUNK):
        proof = prove_equivalence(subject_of(seed, tmp_path / str(seed)))
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"


@needs_ghdl
@pytest.mark.parametrize("first", range(0, 32, CHUNK))
def test_vhdl_of_recurrent_networks_equals_golden_model(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + CHUNK):
        subject = subject_of(seed, tmp_path / str(seed), recurrent=True)
        proof = prove_bit_exact(subject)
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"


@needs_ghdl
@needs_icarus
@pytest.mark.parametrize("first", range(0, 16, CHUNK))
def test_verilog_translation_of_recurrent_networks_equals_golden_model(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + CHUNK):
        proof = prove_equivalence(subject_of(seed, tmp_path / str(seed), recurrent=True))
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"


@needs_ghdl
@pytest.mark.parametrize("first", range(0, 24, CHUNK))
def test_vhdl_of_first_spike_networks_equals_golden_model(first: int, tmp_path: Path) -> None:
    answered = 0
    for seed in range(first, first + CHUNK):
        subject = subject_of(seed, tmp_path / str(seed), first_spike=True)
        proof = prove_bit_exact(subject)
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"
        assert all_classes_as_expected(proof, subject), f"seed {seed}"
        answered += int((subject.vectors.expected.classes != NO_CLASS).sum())
    assert answered > CHUNK, "networks that stay silent test nothing"


@needs_ghdl
@needs_icarus
def test_verilog_translation_of_first_spike_networks_equals_golden_model(tmp_path: Path) -> None:
    for seed in range(6):
        proof = prove_equivalence(subject_of(seed, tmp_path / str(seed), first_spike=True))
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"
