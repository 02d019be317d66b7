"""What the VHDL can take: limits as data, and one small named rule per constraint."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence

from lightning_neuro.errors import Violation
from lightning_neuro.graph.connections import fan_in, input_size
from lightning_neuro.graph.hardware_graph import (
    Convolution,
    CubaLif,
    HardwareGraph,
    Lif,
    Population,
    ReadoutKind,
    ResetKind,
)
from lightning_neuro.targets.fpga.connection_rules import chain, image_shapes, recurrent_is_dense
from lightning_neuro.targets.fpga.geometry import is_spread, lane_channels, last_of, spread
from lightning_neuro.targets.fpga.lanes import HIDDEN_ACTIVITY, INPUT_ACTIVITY, Lanes, LayerSize, resolve_lanes
from lightning_neuro.targets.fpga.plan import biases_of, plan_network, synapses
from lightning_neuro.targets.rules import (
    MEMBRANE_READOUTS,
    NEURON_KINDS,
    RESET_DELAYS,
    neuron_kind,
    stepped_time,
)

WEIGHT_BITS = range(2, 17)
STATE_BITS = range(4, 33)  # testbench and constants are 32-bit integers
SUM_BITS_MAX = 48  # one carry chain of 12 CARRY4; beyond it the clock suffers
VALUE_BITS = range(2, 17)  # of the numbers that input events carry: one DSP block per lane
NEURONS_MAX = 16384  # spikes of a layer leave one by one: so many cycles per step at worst
FAN_IN_MAX = 65536  # 16-bit addresses
LAYERS_MAX = 16  # each adds its latency; deeper networks were not tried
BIASES_MAX = 16  # windows of steps; each costs one cycle per group and step
CONSTANT_MAX = 2**31 - 1  # constants are 32-bit integers
MEMORY_BITS_MAX = 36 * 1024 * 1880  # block RAM of an XC7VX1140T, the 7-series device that has most
LANES_MAX = 1024  # control signals reach every lane in one cycle

REMEDY_NETWORK = "model.layers=[null,SMALLER,null]   (train again)"


def check_graph(graph: HardwareGraph, lanes: Lanes) -> tuple[Violation, ...]:
    """Every constraint that a graph breaks.

    Args:
        graph: quantised graph.
        lanes: the setting ``target.lanes``.

    Returns:
        All violations. Rules that need a plan of the layers run only when the structure is right.
    """
    found = tuple(violation for rule in STRUCTURE_RULES for violation in rule(graph))
    found += tuple(_lane_setting(graph, lanes))
    if found:
        return found
    counts = resolve_lanes(lanes, layer_sizes(graph))
    return tuple(violation for rule in SIZE_RULES for violation in rule(graph, counts))


def layer_sizes(graph: HardwareGraph) -> tuple[LayerSize, ...]:
    """Inputs and neurons of every layer of a chain."""
    return tuple(
        _layer_size(graph, p, HIDDEN_ACTIVITY if k else INPUT_ACTIVITY) for k, p in enumerate(graph.populations)
    )


def _layer_size(graph: HardwareGraph, population: Population, activity: float) -> LayerSize:
    into = synapses(graph, population)
    connection = into.forward.connection
    size = LayerSize(
        inputs=input_size(connection),
        neurons=population.size,
        activity=1.0 if into.forward.pre == graph.input.name and graph.input.format is not None else activity,
        recurrent=into.own is not None,
    )
    if not is_spread(connection):
        return size
    return dataclasses.replace(
        size,
        channels=lane_channels(connection),
        taps=spread(connection, 1).mean_taps,
        divides=isinstance(last_of(connection), Convolution),
    )


# -- structure ---------------------------------------------------------------------------------------------------


def depth(graph: HardwareGraph) -> Iterator[Violation]:
    """At least one layer, at most ``LAYERS_MAX``."""
    count = len(graph.populations)
    if not 1 <= count <= LAYERS_MAX:
        yield Violation(
            where="network",
            what="layers",
            needed=str(count),
            available=f"1 to {LAYERS_MAX}",
            remedy="model.layers=[null,FEWER LAYERS,null]   (train again)",
        )


def quantised(graph: HardwareGraph) -> Iterator[Violation]:
    """Integers only."""
    if not graph.quantized:
        yield Violation(
            where="network",
            what="numbers",
            needed="real",
            available="integers",
            remedy="quantize.weight_bits=6 quantize.state_bits=12",
        )


def input_numbers(graph: HardwareGraph) -> Iterator[Violation]:
    """Events carry nothing, or integers."""
    form = graph.input.format
    if form is None and graph.coding.get("kind") == "direct":
        yield Violation(
            where=graph.input.name,
            what="input",
            needed="real values (direct coding)",
            available="spikes, or integers of 2 to 16 bits",
            remedy="data.coding.kind=rate   (train again)",
        )
    if form is not None and form.bits not in VALUE_BITS:
        yield Violation(
            where=graph.input.name,
            what="input bits",
            needed=str(form.bits),
            available=f"{VALUE_BITS[0]} to {VALUE_BITS[-1]}",
            remedy="data.coding.kind=rate   (train again)",
        )


def resets(graph: HardwareGraph) -> Iterator[Violation]:
    """Delays of resets; a layer that never spikes can only be read out, by its membrane."""
    for population in graph.populations:
        if not isinstance(population.neuron, NEURON_KINDS):
            continue
        reset = population.neuron.reset
        if reset.delay not in RESET_DELAYS.get(reset.kind, (0, 1)):
            yield Violation(
                where=population.name,
                what="reset",
                needed=f"{reset.kind.value}, delay {reset.delay}",
                available="zero or subtract with delay 0 or 1, clamp with delay 1, once with delay 0, none",
                remedy="model.reset_delay=0   (train again)",
            )
        read_by_membrane = population.name == graph.output and graph.readout in MEMBRANE_READOUTS
        if reset.kind is ResetKind.NONE and not read_by_membrane:
            yield Violation(
                where=population.name,
                what="reset none",
                needed="spikes of a layer without reset",
                available="as a read-out by membrane",
                remedy=f"model.readout={ReadoutKind.MEMBRANE_MAX.value}   (train again)",
            )


STRUCTURE_RULES: tuple[Callable[[HardwareGraph], Iterator[Violation]], ...] = (
    stepped_time,
    depth,
    chain,
    recurrent_is_dense,
    image_shapes,
    input_numbers,
    neuron_kind,
    quantised,
    resets,
)


def _lane_setting(graph: HardwareGraph, lanes: Lanes) -> Iterator[Violation]:
    """``target.lanes`` is "auto", a positive number, or one number per layer within its neurons."""
    count = len(graph.populations)
    if lanes == "auto" or (isinstance(lanes, int) and not isinstance(lanes, bool) and lanes >= 1):
        return
    form = f'"auto", a number from 1 on, or a list of {count}'
    if isinstance(lanes, str | int) or len(lanes) != count:
        yield Violation(
            where="target.lanes", what="lanes", needed=repr(lanes), available=form, remedy="target.lanes=auto"
        )
        return
    for population, chosen in zip(graph.populations, lanes, strict=True):
        connections = [p.connection for p in graph.into(population.name) if p.pre != population.name]
        convolved = len(connections) == 1 and isinstance(last_of(connections[0]), Convolution)
        most = lane_channels(connections[0]) if convolved else population.size
        kind = "divisors of its channels" if convolved else "the layer's neurons"
        possible = isinstance(chosen, int) and not isinstance(chosen, bool) and 1 <= chosen <= most
        if not possible or (convolved and most % chosen):
            yield Violation(
                where=population.name,
                what="lanes",
                needed=repr(chosen),
                available=f"1 to {most} ({kind})",
                remedy="target.lanes=auto",
            )


# -- sizes -------------------------------------------------------------------------------------------------------


def widths(graph: HardwareGraph, lanes: Sequence[int]) -> Iterator[Violation]:
    """Weight, membrane and sum widths."""
    for layer in plan_network(graph, lanes):
        wanted = (
            ("weight bits", layer.weight_bits, WEIGHT_BITS, f"quantize.weight_bits={WEIGHT_BITS[-1] // 2}"),
            ("state bits", layer.state_bits, STATE_BITS, "quantize.state_bits=12"),
            ("accumulator bits", layer.sum_bits, range(1, SUM_BITS_MAX + 1), "quantize.state_bits=SMALLER"),
        )
        for what, bits, allowed, remedy in wanted:
            if bits not in allowed:
                yield Violation(
                    where=layer.name,
                    what=what,
                    needed=str(bits),
                    available=f"{allowed[0]} to {allowed[-1]}",
                    remedy=remedy,
                )
        if layer.weight_shift < 0:
            yield Violation(
                where=layer.name,
                what="membrane resolution",
                needed=f"weight LSB = membrane LSB / {2**-layer.weight_shift}",
                available="weight LSB at least the membrane's",
                remedy="quantize.state_bits=LARGER",
            )


def counts(graph: HardwareGraph, lanes: Sequence[int]) -> Iterator[Violation]:
    """Neurons, fan-in, lanes and weight memory."""
    for size, population, count in zip(layer_sizes(graph), graph.populations, lanes, strict=True):
        connection = synapses(graph, population).forward.connection
        bits = connection.weight.format
        assert bits is not None
        lines = fan_in(connection) + (size.neurons if size.recurrent else 0)
        rows = connection.weight.real.size // size.sharing if is_spread(connection) else lines
        memory = rows * -(-size.sharing // count) * count * bits.bits
        for what, needed, most, remedy in (
            ("neurons", size.neurons, NEURONS_MAX, REMEDY_NETWORK),
            ("input lines", size.inputs, FAN_IN_MAX, REMEDY_NETWORK),
            ("fan-in", lines, FAN_IN_MAX, REMEDY_NETWORK),
            ("lanes", count, LANES_MAX, f"target.lanes={LANES_MAX}"),
            ("weight memory bits", memory, MEMORY_BITS_MAX, "quantize.weight_bits=SMALLER"),
        ):
            if needed > most:
                yield Violation(
                    where=population.name, what=what, needed=str(needed), available=f"at most {most}", remedy=remedy
                )


def thresholds(graph: HardwareGraph, lanes: Sequence[int]) -> Iterator[Violation]:
    """Thresholds are not negative: the comparison relies on it."""
    for population in graph.populations:
        lowest = _lowest_threshold(population)
        if lowest < 0:
            yield Violation(
                where=population.name,
                what="threshold",
                needed=str(lowest),
                available="0 or more (in membrane LSBs)",
                remedy="model.threshold=POSITIVE   (train again)",
            )


def _lowest_threshold(population: Population) -> int:
    neuron = population.neuron
    assert isinstance(neuron, Lif | CubaLif)
    return 0 if neuron.reset.kind is ResetKind.NONE else int(neuron.threshold.integers().min())


def constants(graph: HardwareGraph, lanes: Sequence[int]) -> Iterator[Violation]:
    """Biases are constants in logic, each with steps of its own."""
    for population in graph.populations:
        biases = biases_of(population)
        if len(biases) > BIASES_MAX:
            yield Violation(
                where=population.name,
                what="bias",
                needed=f"{len(biases)} windows of steps",
                available=f"at most {BIASES_MAX}",
                remedy="use fewer delays in front of biases   (train again)",
            )
        largest = max((int(abs(bias.values).max()) for bias in biases), default=0)
        if largest > CONSTANT_MAX:
            yield Violation(
                where=population.name,
                what="bias",
                needed=str(largest),
                available=f"at most {CONSTANT_MAX} membrane LSBs",
                remedy="quantize.state_bits=SMALLER",
            )


def weight_formats(graph: HardwareGraph, lanes: Sequence[int]) -> Iterator[Violation]:
    """Recurrent weights lie in the same memory as the others, so they count in the same unit."""
    for population in graph.populations:
        into = synapses(graph, population)
        if into.own is None:
            continue
        forward, own = into.forward.connection.weight.format, into.own.connection.weight.format
        assert forward is not None and own is not None
        if own != forward:
            yield Violation(
                where=into.own.name,
                what="weight format",
                needed=f"{own.bits} bit of {own.lsb:.3g}",
                available=f"{forward.bits} bit of {forward.lsb:.3g}, as the weights from {into.forward.pre}",
                remedy="quantize both projections with one format",
            )


SIZE_RULES: tuple[Callable[[HardwareGraph, Sequence[int]], Iterator[Violation]], ...] = (
    counts,
    thresholds,
    constants,
    weight_formats,
    widths,
)
