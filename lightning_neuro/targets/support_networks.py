"""Small networks, each of which asks a target for one thing; the support table is what the targets answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from lightning_neuro.graph.hardware_graph import (
    Connection,
    Convolution,
    CubaLif,
    Dense,
    FirstSpike,
    HardwareGraph,
    Input,
    LateBias,
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

SHAPE, HIDDEN, CLASSES = (2, 6, 6), 8, 4
LINES = int(np.prod(SHAPE))
DT_S, TAU_S = 1e-3, 10e-3
Make = Callable[[], HardwareGraph]


def neuron(
    size: int, *, beta: float, alpha: float | None, kind: ResetKind, delay: int, spread: float
) -> Lif | CubaLif:
    """Neurons with the same constants, or with decays that differ by ``spread``."""
    membrane = Leak(beta=beta - spread * np.linspace(0.0, 1.0, size))
    one, reset = Values(real=np.ones(size)), Reset(kind=kind, delay=delay)
    v_reset, v_init = zeros(size), zeros(size)
    if alpha is None:
        return Lif(leak_mem=membrane, threshold=one, v_reset=v_reset, v_init=v_init, reset=reset)
    current = Leak(beta=np.full(size, alpha))
    return CubaLif(
        leak_syn=current, leak_mem=membrane, threshold=one, v_reset=v_reset, v_init=v_init, reset=reset
    )


def dense(inputs: int, outputs: int) -> Dense:
    """Weights of both signs, fixed by a formula."""
    raw = np.arange(inputs * outputs).reshape(outputs, inputs) * 7 % 11 - 4.0
    return Dense(weight=Values(real=raw / (4.0 * np.sqrt(inputs))))


def network(
    *,
    beta: float = 0.875,
    alpha: float | None = None,
    kind: ResetKind = ResetKind.ZERO,
    delay: int = 0,
    spread: float = 0.0,
    readout: ReadoutKind = ReadoutKind.SPIKE_COUNT,
    first: Connection | None = None,
    hidden: tuple[int, ...] = (HIDDEN,),
    last: Connection | None = None,
) -> HardwareGraph:
    """Two layers of LIF neurons; a membrane that is read out belongs to a layer without reset."""
    size = int(np.prod(hidden))
    read = readout in (ReadoutKind.MEMBRANE_MAX, ReadoutKind.MEMBRANE_LAST)
    cells = {"beta": beta, "alpha": alpha, "spread": spread}
    neurons = {
        "hidden": (hidden, neuron(size, kind=kind, delay=delay, **cells)),
        "output": (
            (CLASSES,),
            neuron(CLASSES, kind=ResetKind.NONE if read else kind, delay=0 if read else delay, **cells),
        ),
    }
    return HardwareGraph(
        input=Input(name="input", shape=SHAPE, format=None),
        populations=tuple(
            Population(name=n, shape=s, neuron=c, bias=zeros(int(np.prod(s))), fires_from=0, fires_until=None)
            for n, (s, c) in neurons.items()
        ),
        projections=(
            Projection(pre="input", post="hidden", connection=first or dense(LINES, size), delay=0),
            Projection(pre="hidden", post="output", connection=last or dense(size, CLASSES), delay=0),
        ),
        output="output",
        readout=readout,
        time=TimeBase.STEPPED,
        dt_s=DT_S,
        steps=16,
        coding={"kind": "rate"},
    )


def window(shape: tuple[int, ...], kernel: int, stride: int, padding: int) -> Window:
    """The same kernel, stride and padding along every axis."""
    axes = len(shape) - 1
    return Window(
        input_shape=shape,
        kernel=(kernel,) * axes,
        stride=(stride,) * axes,
        padding=((padding, padding),) * axes,
        dilation=(1,) * axes,
    )


def convolved(*, kernel: int = 3, stride: int = 1, padding: int = 1, groups: int = 1, axes: int = 2) -> HardwareGraph:
    """A convolution, then a dense layer."""
    shape = SHAPE if axes == 2 else (SHAPE[0], LINES // SHAPE[0])
    under = window(shape, kernel, stride, padding)
    raw = np.arange(4 * (shape[0] // groups) * kernel**axes).reshape(4, shape[0] // groups, *under.kernel) * 5 % 7 - 2.0
    first = Convolution(weight=Values(real=raw / 8), window=under, groups=groups)
    graph = network(first=first, hidden=(4, *under.positions))
    return dataclasses.replace(graph, input=Input(name="input", shape=shape, format=None))


def pooled() -> HardwareGraph:
    """Average pooling in front of a dense layer."""
    pool = window(SHAPE, 2, 2, 0)
    return network(first=Pooled(pool=pool, then=dense(SHAPE[0] * int(np.prod(pool.positions)), HIDDEN)))


def with_projection(pre: str, post: str, size: tuple[int, int], delay: int) -> HardwareGraph:
    """One more projection, from ``size[0]`` to ``size[1]`` neurons."""
    more = Projection(pre=pre, post=post, connection=dense(*size), delay=delay)
    graph = network()
    return dataclasses.replace(graph, projections=(*graph.projections, more))


def delayed() -> HardwareGraph:
    """Two steps between the layers."""
    graph = network()
    first, last = graph.projections
    return dataclasses.replace(graph, projections=(first, dataclasses.replace(last, delay=2)))


def with_hidden(**fields: object) -> HardwareGraph:
    """Fields of the hidden population."""
    graph = network()
    hidden, output = graph.populations
    return dataclasses.replace(graph, populations=(dataclasses.replace(hidden, **fields), output))


def with_values() -> HardwareGraph:
    """Intensities as currents in every step."""
    return dataclasses.replace(network(), coding={"kind": "direct"})


def first_spikes(*, ratio: float = 1.0, delay_s: float = 0.0) -> HardwareGraph:
    """Analytic spike times, with or without a delay at every synapse."""

    def layer(name: str, size: int) -> Population:
        cell = FirstSpike(
            tau_syn_s=np.full(size, TAU_S), tau_mem_s=np.full(size, ratio * TAU_S), threshold=Values(real=np.ones(size))
        )
        return Population(name=name, shape=(size,), neuron=cell, bias=zeros(size), fires_from=0, fires_until=None)

    def synapses(pre: str, post: str, inputs: int, outputs: int) -> Projection:
        delays = np.full((outputs, inputs), delay_s) if delay_s else None
        return Projection(pre=pre, post=post, connection=dense(inputs, outputs), delay=0, delays_s=delays)

    return dataclasses.replace(
        network(),
        populations=(layer("hidden", HIDDEN), layer("output", CLASSES)),
        projections=(synapses("input", "hidden", LINES, HIDDEN), synapses("hidden", "output", HIDDEN, CLASSES)),
        readout=ReadoutKind.FIRST_SPIKE,
        time=TimeBase.CONTINUOUS,
        dt_s=0.0,
        steps=None,
        coding={"kind": "first_spike"},
        horizon_s=4 * TAU_S,
    )


BIAS = Values(real=np.full(HIDDEN, 0.125))

NETWORKS: Mapping[str, Mapping[str, Make]] = {
    "Neurons": {
        "LIF, delta synapse": network,
        "LIF, exponential synapse (current-based)": partial(network, alpha=0.75),
        "IF: no leak": partial(network, beta=1.0),
        "constants of its own for every neuron": partial(network, spread=0.25),
        "first spike, tau_mem = tau_syn": first_spikes,
        "first spike, tau_mem = 2 tau_syn": partial(first_spikes, ratio=2.0),
    },
    "Reset": {
        "to zero, at once": network,
        "to zero, in the next step": partial(network, delay=1),
        "by subtraction, at once": partial(network, kind=ResetKind.SUBTRACT),
        "by subtraction, in the next step (snnTorch's default)": partial(network, kind=ResetKind.SUBTRACT, delay=1),
        "clamped for a step (snnTorch's zero)": partial(network, kind=ResetKind.CLAMP, delay=1),
        "once: silent after the first spike": partial(network, alpha=0.75, kind=ResetKind.ONCE),
    },
    "Connections": {
        "dense": network,
        "convolution, two axes": convolved,
        "convolution, stride 2": partial(convolved, stride=2),
        "convolution, groups": partial(convolved, groups=2),
        "convolution, one axis": partial(convolved, axes=1),
        "average pooling": pooled,
        "a layer that feeds itself": partial(with_projection, "hidden", "hidden", (HIDDEN, HIDDEN), 1),
        "a loop over two layers": partial(with_projection, "output", "hidden", (CLASSES, HIDDEN), 1),
        "a connection that skips a layer": partial(with_projection, "input", "output", (LINES, CLASSES), 0),
        "delay between layers, in steps": delayed,
        "delays of synapses, continuous time": partial(first_spikes, delay_s=TAU_S / 5),
        "bias": partial(with_hidden, bias=BIAS),
        "bias in a part of the sample": partial(
            with_hidden, late_biases=(LateBias(values=BIAS, onset=2, until=9),)
        ),
    },
    "Time": {
        "steps": network,
        "continuous (the target may turn it into steps)": first_spikes,
        "a layer spikes in a part of the sample": partial(with_hidden, fires_from=4, fires_until=12),
    },
    "Input": {
        "spikes": network,
        "values in every step (direct coding)": with_values,
        "spike times": first_spikes,
    },
    "Read-out": {
        "number of spikes": network,
        "first spike": partial(network, readout=ReadoutKind.FIRST_SPIKE),
        "largest membrane": partial(network, readout=ReadoutKind.MEMBRANE_MAX),
        "last membrane": partial(network, readout=ReadoutKind.MEMBRANE_LAST),
    },
}
"""What is asked, by group and name: networks that differ from the first in one thing."""
