"""Fixtures of the FPGA tests: skip without the simulators, one small network that every test knows."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import (
    Dense,
    HardwareGraph,
    Input,
    Leak,
    Lif,
    Population,
    Projection,
    ReadoutKind,
    Reset,
    ResetKind,
    TimeBase,
    Values,
)
from lightning_neuro.targets.base import Job, Share, TestVectors
from lightning_neuro.targets.fpga import FpgaTarget
from lightning_neuro.targets.fpga.subject import Subject
from lightning_neuro.targets.proofs import Proof
from tests.targets.fpga.networks import draw_vectors

Drawn = tuple[HardwareGraph, tuple[int, ...], TestVectors]
needs_ghdl = pytest.mark.skipif(shutil.which("ghdl") is None, reason="apt-get install ghdl-mcode")
needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="apt-get install iverilog")
needs_yosys = pytest.mark.skipif(shutil.which("yosys") is None, reason="apt-get install yosys")


def target(**changes: object) -> FpgaTarget:
    """The target as configured by default, without synthesis."""
    settings = {"lanes": "auto", "clock_mhz": 100.0, "part": "xc7z020clg400-1", "synthesis": False, "timeout_s": 120.0}
    return FpgaTarget(**(settings | changes))  # type: ignore[arg-type]


def job(graph: HardwareGraph, vectors: TestVectors) -> Job:
    """A graph built by hand, ready to be written."""
    return Job(graph=graph, real_graph=graph, vectors=vectors, record=None)


def labelled(vectors: TestVectors) -> TestVectors:
    """The golden model's answers as labels, so that the share of right answers is that of equal ones."""
    return dataclasses.replace(vectors, labels=vectors.expected.classes)


def written(drawn: Drawn, folder: Path) -> Subject:
    """The artefact of a drawn network, which the target accepts, in a new folder, ready to be proved."""
    graph, lanes, vectors = drawn
    chosen = target(lanes=lanes)
    assert chosen.check(graph) == (), folder.name
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


def all_classes_as_expected(proof: Proof, subject: Subject) -> bool:
    """Whether the class of every sample that has one is the golden model's."""
    answered = int((subject.vectors.labels >= 0).sum())
    return proof.share == (Share(right=1.0, samples=answered) if answered else None)


def small_layer(name: str, pre: str, raw: np.ndarray) -> tuple[Population, Projection]:
    state, n = Format(bits=8, lsb=0.25), len(raw)
    neuron = Lif(
        leak_mem=Leak(beta=np.full(n, 0.875), multiplier=np.ones(n, np.int64), shift=3),
        threshold=Values(real=np.full(n, 4.5), raw=np.full(n, 18), format=state),
        v_reset=Values(real=np.zeros(n), raw=np.zeros(n, np.int64), format=state),
        v_init=Values(real=np.zeros(n), raw=np.zeros(n, np.int64), format=state),
        reset=Reset(kind=ResetKind.ZERO, delay=0),
    )
    bias = Values(real=np.zeros(n), raw=np.zeros(n, np.int64), format=Format(bits=32, lsb=0.25))
    weight = Values(real=raw * 0.25, raw=raw, format=Format(bits=4, lsb=0.25))
    return (
        Population(name=name, shape=(n,), neuron=neuron, bias=bias, fires_from=0, fires_until=None, state_format=state),
        Projection(pre=pre, post=name, connection=Dense(weight=weight), delay=0),
    )


def recurrent(graph: HardwareGraph) -> HardwareGraph:
    """The small graph with a layer "hidden" that feeds itself; weights fixed by formula."""
    raw = np.arange(36).reshape(6, 6) * 7 % 12 - 4
    weight = Values(real=raw * 0.25, raw=raw, format=Format(bits=4, lsb=0.25))
    own = Projection(pre="hidden", post="hidden", connection=Dense(weight=weight), delay=1)
    return dataclasses.replace(graph, projections=(*graph.projections, own))


@pytest.fixture
def small_graph() -> HardwareGraph:
    """5 inputs, layers "hidden" of 6 and "output" of 3 neurons; weights fixed by formula."""
    hidden = small_layer("hidden", "input", np.arange(30).reshape(6, 5) * 5 % 11 - 3)
    output = small_layer("output", "hidden", np.arange(18).reshape(3, 6) * 7 % 11 - 3)
    return HardwareGraph(
        input=Input(name="input", shape=(5,), format=None),
        populations=(hidden[0], output[0]),
        projections=(hidden[1], output[1]),
        output="output",
        readout=ReadoutKind.SPIKE_COUNT,
        time=TimeBase.STEPPED,
        dt_s=1e-3,
        steps=6,
        coding={},
    )


@pytest.fixture
def small_vectors(small_graph: HardwareGraph) -> TestVectors:
    return draw_vectors(small_graph, np.random.default_rng(3), samples=2, steps=6)


@pytest.fixture
def artefact(small_graph: HardwareGraph, small_vectors: TestVectors, tmp_path: Path) -> Path:
    """The small network written with 4 and 3 lanes."""
    folder = tmp_path / "artefact"
    folder.mkdir()
    target(lanes=(4, 3)).write(job(small_graph, small_vectors), folder)
    return folder
