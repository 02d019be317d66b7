"""From a quantised graph to what the VHDL generics need: one frozen ``LayerPlan`` per layer."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.connections import drive_of, input_size
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.golden import weight_shift
from lightning_neuro.graph.hardware_graph import (
    Connection,
    CubaLif,
    HardwareGraph,
    Leak,
    Lif,
    Population,
    Projection,
    Reset,
)
from lightning_neuro.targets.fpga.geometry import Spread, input_order, is_spread, output_order, spread
from lightning_neuro.targets.rules import MEMBRANE_READOUTS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bias:
    """A constant that every neuron gets in some steps.

    Args:
        values: in membrane LSBs, shape [neurons].
        onset: first step.
        end: first step without it again; 0 when it never ends.
    """

    values: NDArray[np.int64]
    onset: int
    end: int

    def counts(self, step: int) -> bool:
        """Whether it is added in a step."""
        return step >= self.onset and (self.end == 0 or step < self.end)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerPlan:
    """One layer as the hardware has it; neurons and input lines in the order of the hardware.

    Args:
        name: population.
        inputs, neurons, lanes, groups: sizes; ``groups = ceil(neurons / lanes)``.
        value_bits: width of the number that an input event carries; 0 for spikes.
        input_order, order: index in the graph of every input line and of every neuron.
        spread: address generator; None when an event reaches every neuron.
        rows: weights raw: without address generator [row, neuron], one row per input line, then one per neuron of a
            recurrent layer; with one as in ``Spread.weights``.
        feedback_rows: rows of the layer's own spikes of the step before: its neurons, or 0.
        biases: constants.
        fires_from, fires_until: no spike before, respectively from, this step; None for no end.
        weight_bits: width of a weight.
        weight_shift: weight LSB (times input LSB) = membrane LSB * 2**weight_shift.
        state_bits: width of the membrane between steps.
        sum_bits: width that holds every sum of a step exactly.
        v_init, threshold, v_reset, leak: raw constants, shape [neurons].
        reset: kind and delay.
        current_bits, current_leak: synaptic current; None for delta synapses.
        emits_membranes: the output stream carries membranes.
    """

    name: str
    inputs: int
    neurons: int
    lanes: int
    groups: int
    value_bits: int
    input_order: NDArray[np.int64]
    order: NDArray[np.int64]
    spread: Spread | None
    rows: NDArray[np.int64]
    feedback_rows: int
    biases: tuple[Bias, ...]
    fires_from: int
    fires_until: int | None
    weight_bits: int
    weight_shift: int
    state_bits: int
    sum_bits: int
    v_init: NDArray[np.int64]
    threshold: NDArray[np.int64]
    v_reset: NDArray[np.int64]
    leak: Leak
    reset: Reset
    current_bits: int | None
    current_leak: Leak | None
    emits_membranes: bool

    @property
    def turns(self) -> int:
        """Words of weights that an event takes at every place it reaches."""
        return self.groups if self.spread is None else self.spread.turns

    @property
    def memory_depth(self) -> int:
        """Words of the weight memory."""
        return len(self.rows) * self.turns

    @property
    def word_bits(self) -> int:
        """Bits of a word: the weights of all lanes."""
        return self.lanes * self.weight_bits


def plan_network(graph: HardwareGraph, lanes: Sequence[int]) -> tuple[LayerPlan, ...]:
    """Plan every layer of a chain of layers, dense ones of which may also feed themselves.

    Args:
        graph: quantised graph that keeps the target's constraints.
        lanes: neurons updated per cycle, per layer.
    """
    into = [synapses(graph, population) for population in graph.populations]
    orders = hardware_orders(graph, [x.forward.connection for x in into])
    return tuple(
        plan_layer(graph, population, synapses_of, count, (before, order))
        for population, synapses_of, count, before, order in zip(
            graph.populations, into, lanes, orders, orders[1:], strict=False
        )
    )


def hardware_orders(graph: HardwareGraph, forward: Sequence[Connection]) -> list[NDArray[np.int64]]:
    """Graph index of every input line, then of the neurons of every layer, by hardware number.

    An address generator wants its input place by place, and a convolution's neurons come that way.
    """
    sizes = [graph.input.size, *(p.size for p in graph.populations)]
    made = [None, *(output_order(connection) for connection in forward)]
    wanted = [*(input_order(connection) for connection in forward), None]
    chosen = [one if one is not None else other for one, other in zip(made, wanted, strict=True)]
    return [np.arange(size) if order is None else order for size, order in zip(sizes, chosen, strict=True)]


def emits_membranes(graph: HardwareGraph, population: Population) -> bool:
    """Whether a population's membranes leave the chip."""
    return population.name == graph.output and graph.readout in MEMBRANE_READOUTS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Synapses:
    """Projections into one population.

    Args:
        forward: from the layer before, without delay.
        own: from the population to itself, one step later; None when it is not recurrent.
    """

    forward: Projection
    own: Projection | None


def synapses(graph: HardwareGraph, population: Population) -> Synapses:
    """Projections into a population of a graph that keeps the target's constraints."""
    own = [p for p in graph.into(population.name) if p.pre == population.name]
    forward = next(p for p in graph.into(population.name) if p.pre != population.name)
    return Synapses(forward=forward, own=own[0] if own else None)


def biases_of(population: Population) -> tuple[Bias, ...]:
    """Constants of a population, in membrane LSBs; those that are added in the same steps are one."""
    windows = {(0, 0): population.bias.integers()}
    for late in population.late_biases:
        window = (late.onset, late.until or 0)
        windows[window] = windows.get(window, 0) + late.values.integers()
    return tuple(Bias(values=v, onset=onset, end=end) for (onset, end), v in windows.items() if v.any())


def plan_layer(
    graph: HardwareGraph,
    population: Population,
    into: Synapses,
    lanes: int,
    orders: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> LayerPlan:
    """Plan one layer; ``orders`` are those of its input lines and of its neurons."""
    neuron, state = population.neuron, population.state_format
    connection = into.forward.connection
    assert isinstance(neuron, Lif | CubaLif) and state is not None and connection.weight.format is not None
    before, order = orders
    spread_by = spread(connection, lanes) if is_spread(connection) else None
    own = into.own.connection.weight.integers() if into.own is not None else np.zeros((0, population.size), np.int64)
    current = neuron.current_format if isinstance(neuron, CubaLif) else None
    value = graph.input.format if into.forward.pre == graph.input.name else None
    biases = tuple(dataclasses.replace(b, values=b.values[order]) for b in biases_of(population))
    shift = weight_shift(into.forward, population, graph.input)
    return LayerPlan(
        name=population.name,
        inputs=len(before),
        neurons=population.size,
        lanes=lanes,
        groups=-(-population.size // lanes),
        value_bits=value.bits if value is not None else 0,
        input_order=before,
        order=order,
        spread=spread_by,
        rows=dense_rows(into, own, before, order) if spread_by is None else spread_by.weights,
        feedback_rows=len(own.T) if into.own is not None else 0,
        biases=biases,
        fires_from=population.fires_from,
        fires_until=population.fires_until,
        weight_bits=connection.weight.format.bits,
        weight_shift=shift,
        state_bits=state.bits,
        sum_bits=sum_bits(*step_range(into, value, shift, biases_of(population)), state, current),
        v_init=neuron.v_init.integers()[order],
        threshold=neuron.threshold.integers()[order],
        v_reset=neuron.v_reset.integers()[order],
        leak=_reordered(neuron.leak_mem, order),
        reset=neuron.reset,
        current_bits=current.bits if current is not None else None,
        current_leak=_reordered(neuron.leak_syn, order) if isinstance(neuron, CubaLif) else None,
        emits_membranes=emits_membranes(graph, population),
    )


def dense_rows(
    into: Synapses, own: NDArray[np.int64], before: NDArray[np.int64], order: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Weights [row, neuron] of a dense layer: input lines, then the layer's own neurons, all by hardware number."""
    weights = into.forward.connection.weight.integers()[order][:, before].T
    return np.concatenate([weights, own[order][:, order].T]) if into.own is not None else weights


def _reordered(leak: Leak, order: NDArray[np.int64]) -> Leak:
    multiplier, shift = leak.integers()
    return Leak(beta=leak.beta[order], multiplier=multiplier[order], shift=shift)


def step_range(
    into: Synapses, value: Format | None, shift: int, biases: Sequence[Bias]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Least and most that one step can add to every neuron, in membrane LSBs, from the weights themselves.

    Args:
        into: projections; every line is active at most once in a step.
        value: format of the numbers that input events carry; None for spikes.
        shift: weight LSB in membrane LSBs, as a power of two.
        biases: constants.
    """
    lowest = highest = np.zeros((), np.int64)
    for projection in filter(None, (into.forward, into.own)):
        connection = projection.connection
        raw, lines = connection.weight.integers().astype(np.float64), np.ones((1, input_size(connection)))
        up = drive_of(connection, np.maximum(raw, 0), lines)[0].astype(np.int64)
        down = drive_of(connection, np.minimum(raw, 0), lines)[0].astype(np.int64)
        carried = value if projection is into.forward else None
        least, most = (0, 1) if carried is None else (carried.low, carried.high)
        lowest, highest = lowest + up * least + down * most, highest + up * most + down * least
    changes = {0, *(b.onset for b in biases), *(b.end for b in biases)}
    none = np.zeros_like(lowest)
    added = np.array([sum((b.values for b in biases if b.counts(step)), none) for step in changes])
    return (lowest << shift) + added.min(axis=0), (highest << shift) + added.max(axis=0)


def sum_bits(lowest: NDArray[np.int64], highest: NDArray[np.int64], state: Format, current: Format | None) -> int:
    """Narrowest width that holds every sum one step can reach.

    A step starts inside the membrane's range: leak and reset keep it there. Sums on the way may wrap: two's complement
    forgives that when the end fits.

    Args:
        lowest, highest: least and most that a step adds, in membrane LSBs, shape [neuron].
        state: format of the membrane.
        current: format of the synaptic current, which then is what a step adds.

    >>> sum_bits(np.array([-4]), np.array([5]), Format(bits=4, lsb=1.0), None)
    5
    """
    if current is not None:
        return max(state.bits, current.bits) + 1
    # subtracting a threshold first may start a step one threshold lower, which is inside the range again
    ends = (state.high + highest.max(initial=0), state.low + lowest.min(initial=0))
    return max(state.bits + 1, *(_signed_bits(int(end)) for end in ends))


def _signed_bits(value: int) -> int:
    """Width of a two's complement number, sign included."""
    return (value if value >= 0 else ~value).bit_length() + 1
