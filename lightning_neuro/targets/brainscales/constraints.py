"""What BrainScaleS-2 can take: one small named rule per constraint, in the order in which they can be asked.

First the network itself (here), then its form on the chip: voltages, time constants and clocks (``analog_rules``),
circuits, rows and runs (``resource_rules``). Input spikes are judged by ``input_rules``; what is allowed but should be
known is said by ``warnings``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import Violation
from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    Dense,
    FirstSpike,
    HardwareGraph,
    Lif,
    Population,
    ResetKind,
    TimeBase,
)
from lightning_neuro.graph.quantize import counts
from lightning_neuro.targets.brainscales.analog import RANGES
from lightning_neuro.targets.brainscales.analog_rules import ANALOG_RULES
from lightning_neuro.targets.brainscales.chip_resources import CYCLE_US
from lightning_neuro.targets.brainscales.mapping import chip_network
from lightning_neuro.targets.brainscales.mapping_cells import CELLS, MappingOptions, sample_length_us, step_us
from lightning_neuro.targets.brainscales.resource_rules import RESOURCE_RULES
from lightning_neuro.targets.rules import (
    MEMBRANE_READOUTS,
    binary_input,
    neurons_of,
    only_kinds,
    populated,
    resets_to_value,
    silent_layers,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Settings of the target that bound a network.

    Args:
        mapping: how a graph becomes a chip network.
        runs: most runs of the chip that a network may be cut into.
    """

    mapping: MappingOptions
    runs: int


def check_graph(graph: HardwareGraph, limits: Limits) -> tuple[Violation, ...]:
    """Every constraint that a graph breaks.

    Args:
        graph: quantised or not.
        limits: settings.

    Returns:
        All violations. Rules of the chip are asked only when the network is of a kind that can be mapped.
    """
    found = tuple(leakless(graph)) or tuple(v for rule in STRUCTURE_RULES for v in rule(graph, limits.mapping))
    if found:
        return found
    network = chip_network(graph, limits.mapping)
    found = tuple(v for rule in ANALOG_RULES for v in rule(network, limits.mapping.analog))
    return found + tuple(v for rule in RESOURCE_RULES for v in rule(network, limits.runs))


Found = Iterator[Violation]


def leakless(graph: HardwareGraph) -> Found:
    """Membranes leak: a network that counts, as one converted from an ANN does, is none for this chip."""
    if graph.populations and graph.time is TimeBase.STEPPED and counts(graph):
        resets = sorted({p.neuron.reset.kind.value for p in graph.populations if isinstance(p.neuron, Lif)})
        yield Violation(
            where="network",
            what="neurons without leak (an ANN converted to spikes)",
            needed=f"membranes that keep {graph.steps or 'all'} steps, biases, reset {' and '.join(resets)}",
            available=f"membranes that decay within {RANGES['tau_mem_us'].high:g} us, reset to a voltage, no biases",
            remedy="model=spike_time_brainscales (up to 128 hidden neurons in one run) or model=lif   (train again)",
        )


def layers(graph: HardwareGraph, options: MappingOptions) -> Found:
    """At least one layer, of neurons that a circuit can be."""
    yield from populated(graph)
    yield from only_kinds(tuple(CELLS))(graph)


def spiking_input(graph: HardwareGraph, options: MappingOptions) -> Found:
    """Events carry no value."""
    yield from binary_input(graph)


def dense_connections(graph: HardwareGraph, options: MappingOptions) -> Found:
    """Every synapse has its own weight: a convolution or pooling would have to be written out."""
    for projection in graph.projections:
        if not isinstance(projection.connection, Dense):
            yield Violation(
                where=projection.name,
                what="connection",
                needed=type(projection.connection).__name__.lower(),
                available="fully connected",
                remedy="model.layers=[null,100,null]   (train again without convolutions)",
            )


def feed_forward(graph: HardwareGraph, options: MappingOptions) -> Found:
    """Loops have no place in the scripts, and no network with a loop could be cut into runs."""
    order = {population.name: k for k, population in enumerate(graph.populations)}
    for projection in graph.projections:
        if order.get(projection.pre, -1) >= order[projection.post]:
            yield Violation(
                where=projection.name,
                what="loop",
                needed="a recurrent connection",
                available="feed-forward connections",
                remedy="leave the recurrent connection out   (train again)",
            )


def no_delays(graph: HardwareGraph, options: MappingOptions) -> Found:
    """The chip has no programmable delays."""
    order = {population.name: k for k, population in enumerate(graph.populations)}
    for projection in graph.projections:
        forward = order.get(projection.pre, -1) < order[projection.post]
        late = 0.0 if projection.delays_s is None else float(np.max(projection.delays_s, initial=0.0))
        if (projection.delay and forward) or late > 0:
            yield Violation(
                where=projection.name,
                what="synaptic delay",
                needed=f"{projection.delay} steps" if projection.delay else f"up to {late * 1e3:.3g} ms",
                available="none",
                remedy="model.delays=none   (train again)",
            )


def resets(graph: HardwareGraph, options: MappingOptions) -> Found:
    """A spike connects the membrane to a voltage; nothing can be subtracted from it."""
    yield from resets_to_value(graph, "model.reset=zero   (train again)")


def biases(graph: HardwareGraph, options: MappingOptions) -> Found:
    """A constant drive needs a line of its own that spikes."""
    for population in graph.populations:
        values = [population.bias.real, *(late.values.real for late in population.late_biases)]
        largest = max(float(np.abs(v).max(initial=0.0)) for v in values)
        if largest > 0:
            yield Violation(
                where=population.name,
                what="bias",
                needed=f"a constant drive of up to {largest:.3g}",
                available="spikes of input lines",
                remedy="model.bias=false   (train again; model=spike_time has bias spikes: model.bias_times)",
            )


def spiking_layers(graph: HardwareGraph, options: MappingOptions) -> Found:
    """A layer that never spikes can only be read out, by its membrane."""
    yield from silent_layers(graph)


def membrane_readout(graph: HardwareGraph, options: MappingOptions) -> Found:
    """The converter samples every few microseconds: a membrane that spikes and is reset in between is not seen."""
    for population, neuron in neurons_of(graph):
        read = population.name == graph.output and graph.readout in MEMBRANE_READOUTS
        if read and neuron.reset.kind is not ResetKind.NONE:
            yield Violation(
                where=population.name,
                what="membrane read-out",
                needed="the membrane of neurons that spike",
                available="the membrane of neurons without threshold, or spikes",
                remedy="model.readout=spike_count   (train again)",
            )


def decays(graph: HardwareGraph, options: MappingOptions) -> Found:
    """Membranes and currents leak, and do not vanish at once: a time constant is above 0 and finite."""
    for population, neuron in neurons_of(graph):
        kept = [("membrane decay", neuron.leak_mem.beta, "model.beta=0.9")]
        if isinstance(neuron, CubaLif):
            kept.append(("synapse decay", neuron.leak_syn.beta, "model.tau_syn=5e-3"))
        for what, values, remedy in kept:
            low, high = float(np.min(values)), float(np.max(values))
            if not (low > 0 and high < 1):
                yield Violation(
                    where=population.name,
                    what=what,
                    needed=f"{low:.4g} to {high:.4g} per step",
                    available="above 0 and below 1",
                    remedy=f"{remedy}   (train again)",
                )


def same_parameters(graph: HardwareGraph, options: MappingOptions) -> Found:
    """One set of time constants and one reset potential per layer (hxtorch reads no other NIR files)."""
    for population in graph.populations:
        for what, values, remedy in _per_neuron(population):
            low, high = float(np.min(values)), float(np.max(values))
            if high - low > 1e-9 * max(abs(low), abs(high)):
                yield Violation(
                    where=population.name,
                    what=what,
                    needed=f"{low:.4g} to {high:.4g} in one layer",
                    available="one value per layer",
                    remedy=f"{remedy}   (train again)",
                )


def thresholds(graph: HardwareGraph, options: MappingOptions) -> Found:
    """A membrane at rest is below its threshold."""
    for population in graph.populations:
        silent = graph.time is TimeBase.STEPPED and population.stepped.reset.kind is ResetKind.NONE
        lowest = float(np.min(population.neuron.threshold.real, initial=np.inf))
        if not silent and not lowest > 0:
            yield Violation(
                where=population.name,
                what="threshold above rest",
                needed=f"{lowest:.4g}",
                available="above 0, the leak potential",
                remedy="model.threshold=1.0   (train again)",
            )


def sample_length(graph: HardwareGraph, options: MappingOptions) -> Found:
    """The chip runs in continuous time: somebody must say when a sample ends."""
    if sample_length_us(graph, options) is None:
        yield Violation(
            where="network",
            what="length of a sample",
            needed="a number of steps",
            available="none in the file",
            remedy="target.sample_us=100",
        )


def step_on_grid(graph: HardwareGraph, options: MappingOptions) -> Found:
    """Spikes of two steps must not fall into the same cycle of the FPGA."""
    if graph.time is TimeBase.STEPPED and step_us(graph, options) < CYCLE_US * (1 - 1e-9):
        needed = step_us(graph, options)
        yield Violation(
            where="network",
            what="step",
            needed=f"{needed * 1e3:.3g} ns",
            available=f"{CYCLE_US * 1e3:g} ns or more, the FPGA's cycle",
            remedy=f"target.speedup={options.speedup * needed / CYCLE_US:.3g}",
        )


STRUCTURE_RULES: tuple[Callable[[HardwareGraph, MappingOptions], Found], ...] = (
    layers,
    spiking_input,
    dense_connections,
    feed_forward,
    no_delays,
    resets,
    biases,
    spiking_layers,
    membrane_readout,
    decays,
    same_parameters,
    thresholds,
    sample_length,
    step_on_grid,
)


def _per_neuron(population: Population) -> Iterator[tuple[str, NDArray[np.float64], str]]:
    """What must be the same in a layer, and how to make it so."""
    neuron = population.neuron
    if isinstance(neuron, FirstSpike):
        yield "tau_mem", neuron.tau_mem_s, "model.tau_ratio=1.0"
        yield "tau_syn", neuron.tau_syn_s, "model.tau_syn=6e-3"
        return
    yield "membrane decay", population.stepped.leak_mem.beta, "model.learn_beta=false"
    if isinstance(neuron, CubaLif):
        yield "synapse decay", neuron.leak_syn.beta, "model.learn_alpha=false"
    yield "reset potential", population.stepped.v_reset.real, "model.reset=zero"
