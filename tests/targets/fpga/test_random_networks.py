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
from tests.depth import graded
from tests.targets.fpga.conftest import all_classes_as_expected, needs_ghdl, needs_icarus, written
from tests.targets.fpga.networks import draw_first_spike, draw_network

CHUNK = 8


@needs_ghdl
@pytest.mark.parametrize("first", graded(range(0, 80, CHUNK), 1))
def test_vhdl_equals_golden_model(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + CHUNK):
        subject = written(draw_network(seed, recurrent=False), tmp_path / str(seed))
        proof = prove_bit_exact(subject)
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"
        assert all_classes_as_expected(proof, subject), f"seed {seed}"


@needs_ghdl
@needs_icarus
@pytest.mark.parametrize("first", graded(range(0, 24, CHUNK), 1))
def test_verilog_translation_equals_golden_model(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + CHUNK):
        proof = prove_equivalence(written(draw_network(seed, recurrent=False), tmp_path / str(seed)))
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"


@needs_ghdl
@pytest.mark.parametrize("first", graded(range(0, 64, CHUNK), 1))
def test_vhdl_of_recurrent_networks_equals_golden_model(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + CHUNK):
        subject = written(draw_network(seed, recurrent=True), tmp_path / str(seed))
        proof = prove_bit_exact(subject)
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"


@needs_ghdl
@needs_icarus
@pytest.mark.parametrize("first", graded(range(0, 16, CHUNK), 1))
def test_verilog_translation_of_recurrent_networks_equals_golden_model(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + CHUNK):
        proof = prove_equivalence(written(draw_network(seed, recurrent=True), tmp_path / str(seed)))
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"


@needs_ghdl
@pytest.mark.parametrize("first", graded(range(0, 24, CHUNK), 1))
def test_vhdl_of_first_spike_networks_equals_golden_model(first: int, tmp_path: Path) -> None:
    answered = 0
    for seed in range(first, first + CHUNK):
        subject = written(draw_first_spike(seed), tmp_path / str(seed))
        proof = prove_bit_exact(subject)
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"
        assert all_classes_as_expected(proof, subject), f"seed {seed}"
        answered += int((subject.vectors.expected.classes != NO_CLASS).sum())
    assert answered > CHUNK, "networks that stay silent test nothing"


@needs_ghdl
@needs_icarus
def test_verilog_translation_of_first_spike_networks_equals_golden_model(tmp_path: Path) -> None:
    for seed in range(6):
        proof = prove_equivalence(written(draw_first_spike(seed), tmp_path / str(seed)))
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"
