"""From a quantised graph to what the VHDL generics need: one frozen ``LayerPlan`` per layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.golden import weight_shift
from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    HardwareGraph,
    Leak,
    Lif,
    Population,
    Projection,
    Reset,
)
from lightning_neuro.targets.rules import MEMBRANE_READOUTS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerPlan:
    """One layer as the hardware has it.

    Args:
        name: population.
        inputs, neurons, lanes, groups: sizes; ``groups = ceil(neurons / lanes)``.
        rows: weights raw [row, neuron]: one row per input line, one per neuron of a recurrent layer, then the
            rows of the bias and of the late bias.
        feedback_rows: rows of the layer's own spikes of the step before: its neurons, or 0.
        bias_rows: rows that are added in every step.
        late_bias_rows: rows that are added in every step but a sample's first.
        weight_bits: width of a weight.
        weight_shift: weight LSB = membrane LSB * 2**weight_shift.
        state_bits: width of the membrane between steps.
        sum_bits: width that holds every sum of a step exactly.
        threshold, v_reset, leak: raw constants, shape [neurons].
        reset: kind and delay.
        current_bits, current_leak: synaptic current; None for delta synapses.
        emits_membranes: the output stream carries membranes.
    """

    name: str
    inputs: int
    neurons: int
    lanes: int
    groups: int
    rows: NDArray[np.int64]
    feedback_rows: int
    bias_rows: int
    late_bias_rows: int
    weight_bits: int
    weight_shift: int
    state_bits: int
    sum_bits: int
    threshold: NDArray[np.int64]
    v_reset: NDArray[np.int64]
    leak: Leak
    reset: Reset
    current_bits: int | None
    current_leak: Leak | None
    emits_membranes: bool

    @property
    def memory_depth(self) -> int:
        """Words of the weight memory."""
        return len(self.rows) * self.groups

    @property
    def word_bits(self) -> int:
        """Bits of a word: the weights of all lanes."""
        return self.lanes * self.weight_bits


def plan_network(graph: HardwareGraph, lanes: Sequence[int]) -> tuple[LayerPlan, ...]:
    """Plan every layer of a chain of dense layers, each of which may also feed itself.

    Args:
        graph: quantised graph that keeps the target's constraints.
        lanes: neurons updated per cycle, per layer.
    """
    return tuple(
        plan_layer(population, synapses(graph, population), count, emits_membranes(graph, population))
        for population, count in zip(graph.populations, lanes, strict=True)
    )


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


def late_bias(population: Population) -> NDArray[np.int64]:
    """Bias of all delayed branches, in membrane LSBs, shape [neurons]; they begin together, in step 1."""
    total = np.zeros(population.size, np.int64)
    for late in population.late_biases:
        total += late.values.integers()
    return total


def plan_layer(population: Population, into: Synapses, lanes: int, emits: bool) -> LayerPlan:
    """Plan one layer."""
    neuron, state = population.neuron, population.state_format
    weight = into.forward.connection.weight
    assert isinstance(neuron, Lif | CubaLif) and state is not None and weight.format is not None
    shift = weight_shift(into.forward, population)
    steady, late = population.bias.integers() >> shift, late_bias(population) >> shift
    bias, added = bias_in_rows(steady, weight.format), bias_in_rows(late, weight.format)
    weights = weight.integers().T
    own = into.own.connection.weight.integers().T if into.own is not None else weights[:0]
    rows = np.concatenate([weights, own, bias, added])
    reachable = np.concatenate([weights, own]).T
    current = neuron.current_format if isinstance(neuron, CubaLif) else None
    return LayerPlan(
        name=population.name,
        inputs=len(weights),
        neurons=population.size,
        lanes=lanes,
        groups=-(-population.size // lanes),
        rows=rows,
        feedback_rows=len(own),
        bias_rows=len(bias),
        late_bias_rows=len(added),
        weight_bits=weight.format.bits,
        weight_shift=shift,
        state_bits=state.bits,
        sum_bits=max(sum_bits(reachable, b, shift, state, current) for b in (steady, steady + late)),
        threshold=neuron.threshold.integers(),
        v_reset=neuron.v_reset.integers(),
        leak=neuron.leak_mem,
        reset=neuron.reset,
        current_bits=current.bits if current is not None else None,
        current_leak=neuron.leak_syn if isinstance(neuron, CubaLif) else None,
        emits_membranes=emits,
    )


def bias_in_rows(bias: NDArray[np.int64], weight: Format) -> NDArray[np.int64]:
    """Write a bias as rows of weights whose sum it is; no rows when it is zero.

    Args:
        bias: in weight LSBs, shape [neurons].
        weight: format of a weight.

    Returns:
        Rows [bias row, neuron], each entry within the format.

    >>> bias_in_rows(np.array([5, -3, 0]), Format(bits=3, lsb=1.0)).tolist()
    [[3, -3, 0], [2, 0, 0]]
    """
    rows, rest = [], np.array(bias, dtype=np.int64)
    while rest.any():
        rows.append(np.clip(rest, weight.low, weight.high))
        rest = rest - rows[-1]
    return np.array(rows, dtype=np.int64).reshape(len(rows), len(bias))


def bias_row_count(bias: NDArray[np.int64], weight: Format) -> int:
    """Rows that ``bias_in_rows`` takes.

    >>> bias_row_count(np.array([5, -3, 0]), Format(bits=3, lsb=1.0))
    2
    """
    up, down = -(-np.maximum(bias, 0) // weight.high), -(-np.maximum(-bias, 0) // -weight.low)
    return int(np.maximum(up, down).max(initial=0))


def sum_bits(
    weights: NDArray[np.int64], bias: NDArray[np.int64], shift: int, state: Format, current: Format | None
) -> int:
    """Narrowest width that holds every sum one step can reach, from the weights themselves.

    A step starts inside the membrane's range (leak and reset keep it there) and each input adds its weight at
    most once. Sums on the way may wrap: two's complement forgives that when the end fits.

    Args:
        weights: raw [neuron, input].
        bias: raw in weight LSBs, shape [neuron].
        shift: weight LSB in membrane LSBs, as a power of two.
        state: format of the membrane.
        current: format of the synaptic current, which then is what a step adds.

    >>> sum_bits(np.array([[3, -4, 2]]), np.array([0]), 0, Format(bits=4, lsb=1.0), None)
    5
    """
    if current is not None:
        return max(state.bits, current.bits) + 1
    highest = state.high + ((np.maximum(weights, 0).sum(axis=1) + bias) << shift).max(initial=0)
    # subtracting a threshold first may start a step one threshold lower, which is inside the range again
    lowest = state.low + ((np.minimum(weights, 0).sum(axis=1) + bias) << shift).min(initial=0)
    return max(state.bits + 1, _signed_bits(int(highest)), _signed_bits(int(lowest)))


def _signed_bits(value: int) -> int:
    """Width of a two's complement number, sign included."""
    return (value if value >= 0 else ~value).bit_length() + 1
