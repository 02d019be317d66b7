"""Golden model == GHDL, and == Icarus Verilog on the translation, for random convolutions, poolings and timing.

Images of one or two axes, 1 to 4 channels; windows of 1 to 3 taps with every stride, padding and dilation of their own
along each axis; groups; up to two poolings before a convolution or dense layer; any number of lanes. The same, and the
dense and recurrent networks, with initial membranes, steps of firing, biases in windows and numbers at the input.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.graph.hardware_graph import Convolution, Pooled
from lightning_neuro.report import Outcome
from lightning_neuro.targets.fpga.prove_verilog import prove_equivalence
from lightning_neuro.targets.fpga.prove_vhdl import prove_bit_exact
from tests.depth import graded
from tests.targets.fpga.conftest import all_classes_as_expected, needs_ghdl, needs_icarus, written
from tests.targets.fpga.image_networks import digits_like, draw_image_network, draw_timed
from tests.targets.fpga.networks import draw_network

CHUNK = 6


@needs_ghdl
@pytest.mark.parametrize("first", graded(range(0, 24, CHUNK), 2))
def test_vhdl_of_convolutions_equals_golden_model(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + CHUNK):
        subject = written(draw_image_network(seed), tmp_path / str(seed))
        proof = prove_bit_exact(subject)
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"
        assert all_classes_as_expected(proof, subject), f"seed {seed}"


@needs_ghdl
@pytest.mark.parametrize("first", graded(range(30, 48, CHUNK), 1))
def test_vhdl_of_convolutions_with_timing_equals_golden_model(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + CHUNK):
        graph, lanes, _ = draw_image_network(seed)
        proof = prove_bit_exact(written(draw_timed(seed, graph, lanes), tmp_path / str(seed)))
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"


@needs_ghdl
@pytest.mark.parametrize("first", graded(range(0, 12, CHUNK), 1))
def test_vhdl_of_dense_networks_with_timing_equals_golden_model(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + CHUNK):
        graph, lanes, _ = draw_network(seed, recurrent=seed % 2 == 1)
        proof = prove_bit_exact(written(draw_timed(seed, graph, lanes), tmp_path / str(seed)))
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"


@needs_ghdl
@needs_icarus
@pytest.mark.parametrize("first", graded(range(0, 12, CHUNK), 1))
def test_verilog_translation_of_convolutions_with_timing_equals_golden_model(first: int, tmp_path: Path) -> None:
    for seed in range(first, first + CHUNK):
        graph, lanes, _ = draw_image_network(seed)
        proof = prove_equivalence(written(draw_timed(seed, graph, lanes), tmp_path / str(seed)))
        assert proof.checks[0].outcome is Outcome.PASSED, f"seed {seed}: {proof.checks[0]}"


def test_the_random_networks_have_what_they_are_to_test() -> None:
    drawn = [draw_image_network(seed)[0] for seed in range(24)]
    connections = [p.connection for graph in drawn for p in graph.projections]
    assert any(isinstance(c, Convolution) and c.groups > 1 for c in connections)
    assert any(isinstance(c, Pooled) and isinstance(c.then, Pooled) for c in connections)
    assert any(isinstance(c, Convolution) and len(c.window.kernel) == 1 for c in connections)
    assert any(isinstance(c, Convolution) and max(c.window.dilation) > 1 for c in connections)
    timed = [draw_timed(seed, *draw_image_network(seed)[:2])[0] for seed in range(30, 48)]
    assert any(graph.input.format is not None for graph in timed)


@needs_ghdl
def test_weights_of_a_convolution_are_stored_once(tmp_path: Path) -> None:
    graph, lanes, vectors = digits_like(np.random.default_rng(0), (1, 8, 8), (4, 8, 3), steps=3, samples=1)
    subject = written((graph, lanes, vectors), tmp_path / "artefact")
    bits = [layer.memory_depth * layer.word_bits for layer in subject.layers]
    assert bits == [p.connection.weight.real.size * 8 for p in graph.projections]
    assert prove_bit_exact(subject).checks[0].outcome is Outcome.PASSED
