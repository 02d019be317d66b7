"""Small graphs for the tests of SpiNNaker's arithmetic and constraints."""

from __future__ import annotations

import dataclasses

import numpy as np

from lightning_neuro.graph import golden
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import (
    Convolution,
    Dense,
    HardwareGraph,
    Input,
    Pooled,
    Projection,
    ReadoutKind,
    ResetKind,
    Values,
    Window,
)
from lightning_neuro.graph.widths import QuantizeSpec
from lightning_neuro.targets.spinnaker.plan import SpinnakerPlan, plan_network
from lightning_neuro.targets.spinnaker.scaling import ScaledPlan, loads_of, scale_plan
from tests.graph.networks import chain, real_population

SPEC = QuantizeSpec(weight_bits=6, state_bits=16, leak_bits=8)


def spikes_for(graph: HardwareGraph, samples: int = 40, rate: float = 0.15, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.random((samples, graph.steps or 16, graph.input.size)) < rate).astype(np.uint8)


def rounded(graph: HardwareGraph, spec: QuantizeSpec = SPEC) -> HardwareGraph:
    return quantize_network(graph, spec, None)[0]


def scaled(graph: HardwareGraph, spikes: np.ndarray, plan: SpinnakerPlan | None = None) -> ScaledPlan:
    plan = plan_network(graph) if plan is None else plan
    recorded = golden.run(graph, spikes, arithmetic="real", record=True)
    return scale_plan(plan, loads_of(plan, {graph.input.name: spikes, **recorded.spikes}))


def one_neuron(weight: list[float], *, beta: float, alpha: float | None = None, lsb: float | None = None, **constants):
    """One neuron with one weight per input line."""
    graph = chain([len(weight), 1], beta=beta, alpha=alpha, steps=constants.pop("steps", 8))
    raw = None if lsb is None else np.rint(np.array([weight]) / lsb).astype(np.int64)
    form = None if lsb is None else Format(bits=16, lsb=lsb)
    connection = Dense(weight=Values(real=np.array([weight]), raw=raw, format=form))
    population = real_population("layer1", 1, beta=beta, alpha=alpha, kind=ResetKind.ZERO, delay=0, **constants)
    projection = dataclasses.replace(graph.projections[0], connection=connection)
    return dataclasses.replace(graph, populations=(population,), projections=(projection,))


def recurrent(graph: HardwareGraph, seed: int = 3) -> HardwareGraph:
    """The graph with a loop around its first layer."""
    size, rng = graph.populations[0].size, np.random.default_rng(seed)
    own = Dense(weight=Values(real=rng.normal(0, 0.3, (size, size))))
    name = graph.populations[0].name
    return dataclasses.replace(
        graph, projections=(*graph.projections, Projection(pre=name, post=name, connection=own, delay=1))
    )


def window(shape: tuple[int, ...], kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Window:
    two = (kernel, kernel)
    return Window(
        input_shape=shape, kernel=two, stride=(stride,) * 2, padding=((padding,) * 2,) * 2, dilation=(dilation,) * 2
    )


def convolutional(*, alpha: float | None = None, dilation: int = 1, groups: int = 1, seed: int = 0) -> HardwareGraph:
    """2 x 10 x 10 inputs, a 3 x 3 convolution to 4 maps, 2 x 2 pooling and a dense layer."""
    rng = np.random.default_rng(seed)
    first = window((2, 10, 10), 3, dilation=dilation)
    shape = (4, *first.positions)
    pool = window(shape, 2, stride=2)
    pooled = 4 * int(np.prod(pool.positions))
    kernel = rng.normal(0.05, 0.4, (4, 2 // groups, 3, 3))
    dense = rng.normal(0.02, 0.3, (6, pooled))
    populations = [
        dataclasses.replace(
            real_population(name, int(np.prod(form)), beta=0.9, alpha=alpha, kind=ResetKind.ZERO, delay=0), shape=form
        )
        for name, form in (("conv", shape), ("out", (6,)))
    ]
    projections = (
        Projection(
            pre="input",
            post="conv",
            connection=Convolution(weight=Values(real=kernel), window=first, groups=groups),
            delay=0,
        ),
        Projection(
            pre="conv", post="out", connection=Pooled(pool=pool, then=Dense(weight=Values(real=dense))), delay=0
        ),
    )
    base = chain([4, 2])
    return dataclasses.replace(
        base,
        input=Input(name="input", shape=(2, 10, 10), format=None),
        populations=tuple(populations),
        projections=projections,
        output="out",
        readout=ReadoutKind.SPIKE_COUNT,
    )
