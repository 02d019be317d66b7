"""The recurrent networks of the NIR paper: VHDL == golden model, bit for bit, in both resets."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.graph import golden
from lightning_neuro.graph.hardware_graph import Reset, ResetKind
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.graph.quantize import choose_formats, quantize
from lightning_neuro.graph.widths import DEFAULT_SPEC
from lightning_neuro.report import Outcome
from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.fpga.prove_verilog import prove_equivalence
from lightning_neuro.targets.fpga.prove_vhdl import prove_bit_exact
from lightning_neuro.targets.fpga.subject import Subject
from tests.depth import thorough
from tests.targets.fpga.conftest import job, needs_ghdl, needs_icarus, target


@needs_ghdl
@needs_icarus
@pytest.mark.parametrize(
    ("name", "kind", "hidden", "late", "lanes"),
    [
        ("bias_zero", ResetKind.ZERO, 38, 1, "auto"),
        pytest.param("bias_zero", ResetKind.ZERO, 38, 1, 7, marks=thorough),
        pytest.param("noBias_subtract", ResetKind.SUBTRACT, 40, 0, "auto", marks=thorough),
        pytest.param("noBias_subtract", ResetKind.SUBTRACT, 40, 0, 7, marks=thorough),
    ],
)
def test_braille_networks_are_bit_exact(
    shared_data: Path, tmp_path: Path, name: str, kind: ResetKind, hidden: int, late: int, lanes: str | int
) -> None:
    nodes, metadata = read_nir(shared_data / "nir" / f"braille_noDelay_{name}.nir", dt_s=1e-4)
    resets = {node: Reset(kind=kind, delay=0) for node in metadata.resets}
    real = lower(nodes, dataclasses.replace(metadata, resets=resets))
    graph = quantize(real, choose_formats(real, DEFAULT_SPEC, membrane_range={}))
    spikes = (np.random.default_rng(5).random((2, 96, graph.input.size)) < 0.05).astype(np.uint8)
    spikes[:, :, ::2] = 0  # lines come in pairs of opposite sign: one of each makes the hidden layer busy
    expected = golden.run(graph, spikes, arithmetic="fixed", record=True)
    vectors = TestVectors(spikes=spikes, expected=expected, labels=np.full(2, -1))
    assert vectors.expected.spikes["lif1.lif"].sum() > 100
    chosen = target(lanes=lanes)
    assert chosen.check(graph) == ()
    chosen.write(job(graph, vectors), tmp_path)
    layers = chosen.plan(graph)
    assert (layers[0].feedback_rows, len([b for b in layers[0].biases if b.onset == 1])) == (hidden, late)
    subject = Subject(graph=graph, layers=layers, artefact=tmp_path, vectors=vectors, clock_mhz=100, timeout_s=120)
    for prove in (prove_bit_exact, prove_equivalence):
        check = prove(subject).checks[0]
        assert check.outcome is Outcome.PASSED, check
