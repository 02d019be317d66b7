"""Random small networks: everything the FPGA target accepts, drawn from one seed."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np

from lightning_neuro.graph import golden
from lightning_neuro.graph.first_spike_steps import Decay, discretise_first_spike, rasterise
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import (
    Connection,
    CubaLif,
    Dense,
    HardwareGraph,
    Input,
    LateBias,
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
from lightning_neuro.graph.quantize import choose_formats, current_bits, quantize
from lightning_neuro.graph.relays import relay_skips
from lightning_neuro.graph.widths import QuantizeSpec
from lightning_neuro.targets.base import TestVectors
from tests.graph.first_spike_networks import TAU_S, network, times

RESETS = [
    Reset(kind=ResetKind.ZERO, delay=0),
    Reset(kind=ResetKind.ZERO, delay=1),
    Reset(kind=ResetKind.SUBTRACT, delay=0),
    Reset(kind=ResetKind.SUBTRACT, delay=1),
    Reset(kind=ResetKind.CLAMP, delay=1),
    Reset(kind=ResetKind.ONCE, delay=0),
]
NO_RESET = Reset(kind=ResetKind.NONE, delay=0)
NO_INPUT = Input(name="", shape=(1,), format=None)


def draw_values(rng: np.random.Generator, n: int, low: int, high: int, form: Format) -> Values:
    """One value for all neurons, or one each."""
    raw = rng.integers(low, high + 1, n if rng.random() < 0.5 else 1) * np.ones(n, np.int64)
    return Values(real=raw * form.lsb, raw=raw, format=form)


def draw_leak(rng: np.random.Generator, n: int, *, must_decay: bool) -> Leak:
    """No leak, shift, common multiplier, or a multiplier per neuron."""
    shift = int(rng.integers(1, 7))
    kind = rng.integers(4)
    if kind == 0 and not must_decay:
        multiplier = np.zeros(n, np.int64)
    elif kind <= 1:
        multiplier = np.ones(n, np.int64)
    elif kind == 2:
        multiplier = np.full(n, rng.integers(1, 2**shift + 1))
    else:
        multiplier = rng.integers(1 if must_decay else 0, 2**shift + 1, n)
    return Leak(beta=1 - multiplier / 2**shift, multiplier=multiplier, shift=shift)


def draw_layer(
    rng: np.random.Generator,
    name: str,
    pre: str,
    n_in: int,
    n: int,
    reset: Reset,
    current_based: bool,
    *,
    shape: tuple[int, ...] | None = None,
    arrange: Callable[[Values], Connection] | None = None,
) -> tuple[Population, Projection]:
    """A population and the projection into it: dense, unless weights of another shape are to be arranged otherwise."""
    weight_bits, state_bits = int(rng.integers(2, 9)), int(rng.integers(4, 17))
    guard = int(rng.integers(0, max(1, state_bits - 3)))
    state = Format(bits=state_bits, lsb=1.0)
    weight = Format(bits=weight_bits, lsb=2.0**guard)
    shape = shape or (n, n_in)
    raw = rng.integers(weight.low, weight.high + 1, shape)
    raw = np.where(rng.random(shape) < 0.3, np.abs(raw).clip(max=weight.high), raw)
    bias = np.zeros(n, np.int64)
    if rng.random() < 0.4:
        bias = rng.integers(2 * weight.low, 2 * weight.high + 1, n) << guard
    values = Values(real=raw * weight.lsb, raw=raw, format=weight)
    projection = Projection(
        pre=pre, post=name, connection=arrange(values) if arrange else Dense(weight=values), delay=0
    )
    top = state.high if rng.random() < 0.15 else min(state.high, (weight.high + 1) << guard)
    constants = {
        "leak_mem": draw_leak(rng, n, must_decay=False),
        "threshold": draw_values(rng, n, 0 if rng.random() < 0.7 else top, top, state),
        "v_reset": draw_values(rng, n, *((0, 0) if rng.random() < 0.5 else (state.low, state.high)), state),
        "v_init": Values(real=np.zeros(n), raw=np.zeros(n, np.int64), format=state),
        "reset": reset,
    }
    if current_based:
        leak_syn = draw_leak(rng, n, must_decay=True)
        bits = current_bits([projection], bias, guard, leak_syn, NO_INPUT)
        neuron: Lif | CubaLif = CubaLif(leak_syn=leak_syn, current_format=Format(bits=bits, lsb=1.0), **constants)
    else:
        neuron = Lif(**constants)
    values = Values(real=bias.astype(float), raw=bias, format=Format(bits=32, lsb=1.0))
    return Population(
        name=name, shape=(n,), neuron=neuron, bias=values, fires_from=0, fires_until=None, state_format=state
    ), projection


def draw_recurrence(
    rng: np.random.Generator, population: Population, forward: Projection, loop: bool
) -> tuple[Population, list[Projection]]:
    """The same layer with a late bias at times and, where asked, recurrent weights in the format of the others."""
    weight, state = forward.connection.weight.format, population.state_format
    assert weight is not None and state is not None
    guard, n = round(np.log2(weight.lsb / state.lsb)), population.size
    late = np.zeros(n, np.int64)
    if rng.random() < 0.4:
        late = rng.integers(2 * weight.low, 2 * weight.high + 1, n) << guard
        values = Values(real=late.astype(float), raw=late, format=Format(bits=32, lsb=1.0))
        population = dataclasses.replace(population, late_biases=(LateBias(values=values, onset=1, until=None),))
    incoming = [forward]
    if loop:
        raw = rng.integers(weight.low, weight.high + 1, (n, n))
        own = Dense(weight=Values(real=raw * weight.lsb, raw=raw, format=weight))
        incoming.append(Projection(pre=population.name, post=population.name, connection=own, delay=1))
    neuron = population.neuron
    if isinstance(neuron, CubaLif):
        bits = current_bits(incoming, [population.bias.integers(), late], guard, neuron.leak_syn, NO_INPUT)
        neuron = dataclasses.replace(neuron, current_format=Format(bits=bits, lsb=1.0))
    return dataclasses.replace(population, neuron=neuron), incoming[::-1] if rng.random() < 0.5 else incoming


def make_recurrent(rng: np.random.Generator, graph: HardwareGraph) -> HardwareGraph:
    """Give most layers a loop, and the first one for certain."""
    loops = {p.name for p in graph.populations if rng.random() < 0.7} | {graph.populations[0].name}
    drawn = [draw_recurrence(rng, p, graph.into(p.name)[0], p.name in loops) for p in graph.populations]
    return dataclasses.replace(
        graph,
        populations=tuple(population for population, _ in drawn),
        projections=tuple(projection for _, incoming in drawn for projection in incoming),
        readout=ReadoutKind.MEMBRANE_LAST if rng.random() < 0.3 else graph.readout,
    )


def draw_network(seed: int, *, recurrent: bool = False) -> tuple[HardwareGraph, tuple[int, ...], TestVectors]:
    """Graph, lanes per layer and test vectors.

    Args:
        seed: names the network; a failing test prints it.
        recurrent: give layers loops and late biases; sizes and forward weights stay the seed's.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.choice([1, 2, 3, 5, 7, 8, 9, 13, 17, 20], size=int(rng.integers(2, 6)))
    populations, projections = [], []
    for k, (n_in, n) in enumerate(itertools.pairwise(sizes)):
        is_output = k == len(sizes) - 2
        reset = NO_RESET if is_output and rng.random() < 0.3 else RESETS[rng.integers(len(RESETS))]
        population, projection = draw_layer(
            rng, f"layer{k}", f"layer{k - 1}" if k else "input", int(n_in), int(n), reset, rng.random() < 0.35
        )
        populations.append(population)
        projections.append(projection)
    silent = populations[-1].neuron.reset.kind is ResetKind.NONE
    membrane = silent or rng.random() < 0.2
    graph = HardwareGraph(
        input=Input(name="input", shape=(int(sizes[0]),), format=None),
        populations=tuple(populations),
        projections=tuple(projections),
        output=populations[-1].name,
        readout=ReadoutKind.MEMBRANE_MAX if membrane else ReadoutKind.SPIKE_COUNT,
        time=TimeBase.STEPPED,
        dt_s=1e-3,
        steps=None,
        coding={},
    )
    lanes = tuple(int(rng.integers(1, p.size + 1)) for p in populations)
    if recurrent:
        graph = make_recurrent(rng, graph)
        return graph, lanes, draw_vectors(graph, rng, samples=2, steps=int(rng.integers(3, 13)))
    return graph, lanes, draw_vectors(graph, rng, samples=2, steps=int(rng.integers(1, 9)))


def draw_first_spike(seed: int) -> tuple[HardwareGraph, tuple[int, ...], TestVectors]:
    """A first-spike network in steps, with bias spikes and so relays: graph, lanes per layer and test vectors."""
    rng = np.random.default_rng(seed)
    sizes = [int(n) for n in rng.integers(2, 12, int(rng.integers(2, 5)))]
    ratio = float(rng.choice([0.5, 1.0, 2.0, 1.7]))
    analytic = network(sizes, ratio=ratio, bias=True, seed=seed)
    dt_s = TAU_S * min(ratio, 1.0) / 2 ** int(rng.integers(2, 5))
    real = relay_skips(discretise_first_spike(analytic, dt_s, Decay.SHIFT))
    spec = QuantizeSpec(weight_bits=int(rng.integers(3, 9)), state_bits=int(rng.integers(14, 21)), leak_bits=8)
    graph = quantize(real, choose_formats(real, spec, membrane_range={}))
    spikes = rasterise(times(2, sizes[0], seed=seed), graph.dt_s, graph.steps or 0)
    expected = golden.run(graph, spikes, arithmetic="fixed", record=True)
    lanes = tuple(int(rng.integers(1, p.size + 1)) for p in graph.populations)
    return graph, lanes, TestVectors(spikes=spikes, expected=expected, labels=np.full(2, -1))


def draw_vectors(graph: HardwareGraph, rng: np.random.Generator, *, samples: int, steps: int) -> TestVectors:
    spikes = (rng.random((samples, steps, graph.input.size)) < rng.choice([0.2, 0.5, 0.9])).astype(np.uint8)
    expected = golden.run(graph, spikes, arithmetic="fixed", record=True)
    return TestVectors(spikes=spikes, expected=expected, labels=np.full(samples, -1))
