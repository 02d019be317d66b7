"""Networks for a virtual board: a convolutional one that uses everything connectors know, and a recurrent one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from lightning_neuro.graph import golden
from lightning_neuro.graph.hardware_graph import (
    Connection,
    Convolution,
    CubaLif,
    Dense,
    HardwareGraph,
    Input,
    Leak,
    Lif,
    Pooled,
    Population,
    Projection,
    ReadoutKind,
    Reset,
    ResetKind,
    TimeBase,
    Values,
    Window,
    zeros,
)
from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.spinnaker.artefact import write_artefact
from lightning_neuro.targets.spinnaker.board_problems import BoardExpectation
from lightning_neuro.targets.spinnaker.expectation import expect_board
from lightning_neuro.targets.spinnaker.maps import ConvolutionBy, lay_out
from lightning_neuro.targets.spinnaker.plan import plan_network
from lightning_neuro.targets.spinnaker.scaling import ScaledPlan, loads_of, scale_plan

ZERO = Reset(kind=ResetKind.ZERO, delay=0)
STEPS = 12


def window(
    shape: tuple[int, ...], kernel: tuple[int, int], stride: tuple[int, int] = (1, 1), padding: tuple[int, int] = (0, 0)
) -> Window:
    return Window(
        input_shape=shape, kernel=kernel, stride=stride, padding=tuple((p, p) for p in padding), dilation=(1, 1)
    )


def convolution(rng: np.random.Generator, out: int, geometry: Window, groups: int = 1) -> Convolution:
    weight = rng.normal(0.1, 0.4, (out, geometry.input_shape[0] // groups, *geometry.kernel))
    return Convolution(weight=Values(real=weight), window=geometry, groups=groups)


def layer(name: str, shape: tuple[int, ...], *, bias: float = 0.0, current_based: bool = True) -> Population:
    n = int(np.prod(shape))
    constants = {
        "leak_mem": Leak(beta=np.full(n, 0.8)),
        "threshold": Values(real=np.ones(n)),
        "v_reset": Values(real=np.zeros(n)),
        "v_init": zeros(n),
        "reset": ZERO,
    }
    neuron = CubaLif(leak_syn=Leak(beta=np.full(n, 0.6)), **constants) if current_based else Lif(**constants)
    return Population(
        name=name,
        shape=shape,
        neuron=neuron,
        bias=Values(real=bias * np.cos(np.arange(n))),
        fires_from=0,
        fires_until=None,
    )


def edge(pre: str, post: str, connection: Connection, delay: int = 0) -> Projection:
    return Projection(pre=pre, post=post, connection=connection, delay=delay)


def network(shape: tuple[int, ...], populations: list[Population], projections: list[Projection]) -> HardwareGraph:
    return HardwareGraph(
        input=Input(name="input", shape=shape, format=None),
        populations=tuple(populations),
        projections=tuple(projections),
        output=populations[-1].name,
        readout=ReadoutKind.SPIKE_COUNT,
        time=TimeBase.STEPPED,
        dt_s=1e-3,
        steps=STEPS,
        coding={},
    )


def convolutional(seed: int = 0) -> HardwareGraph:
    """Two channels of 8 x 10, oblong kernels, padding, groups, pooling, biases, and a dense read-out."""
    rng = np.random.default_rng(seed)
    first = window((2, 8, 10), (3, 5), padding=(1, 0))
    pool = window((4, 8, 6), (2, 2), stride=(2, 2))
    second = convolution(rng, 6, window((4, 4, 3), (3, 1), padding=(0, 1)), groups=2)
    assert first.positions == (8, 6) and second.window.positions == (2, 5)
    return network(
        (2, 8, 10),
        [layer("conv", (4, 8, 6), bias=0.1), layer("deep", (6, 2, 5), bias=0.05), layer("out", (5,), bias=0.2)],
        [
            edge("input", "conv", convolution(rng, 4, first)),
            edge("conv", "deep", Pooled(pool=pool, then=second)),
            edge("deep", "out", Dense(weight=Values(real=rng.normal(0, 0.5, (5, 60))))),
        ],
    )


def recurrent(seed: int = 0, *, hidden: int = 300) -> HardwareGraph:
    """More neurons than one core holds, a loop, a delay longer than the ring buffer."""
    rng = np.random.default_rng(seed)

    def dense(post: int, pre: int, spread: float) -> Dense:
        return Dense(weight=Values(real=rng.normal(0, spread, (post, pre))))

    return network(
        (20,),
        [layer("hidden", (hidden,), current_based=False), layer("out", (5,), bias=0.1, current_based=False)],
        [
            edge("input", "hidden", dense(hidden, 20, 0.4)),
            edge("hidden", "hidden", dense(hidden, hidden, 0.05), delay=1),
            edge("hidden", "out", dense(5, hidden, 0.2)),
            edge("input", "hidden", dense(hidden, 20, 0.1), delay=40),
        ],
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """An artefact and what must be found on its board."""

    folder: Path
    scaled: ScaledPlan
    expected: BoardExpectation


def deployed(graph: HardwareGraph, folder: Path, by: ConvolutionBy = ConvolutionBy.AUTO) -> Deployed:
    """Write the artefact of a network, calibrated on random spikes."""
    spikes = (np.random.default_rng(1).random((3, STEPS, graph.input.size)) < 0.2).astype(np.uint8)
    recording = golden.run(graph, spikes, arithmetic="real", record=True)
    plan = lay_out(plan_network(graph, None), by)
    scaled = scale_plan(plan, loads_of(plan, {graph.input.name: spikes, **recording.spikes}))
    driven = tuple(dataclasses.replace(p, drive=scaled.buffers[p.name].expected) for p in scaled.plan.populations)
    scaled = dataclasses.replace(scaled, plan=dataclasses.replace(scaled.plan, populations=driven))
    vectors = TestVectors(spikes=spikes, expected=recording, labels=np.full(3, -1))
    folder.mkdir(parents=True, exist_ok=True)
    write_artefact(scaled.plan, folder, vectors, None)
    return Deployed(folder=folder, scaled=scaled, expected=expect_board(scaled, spikes, boards=1))
