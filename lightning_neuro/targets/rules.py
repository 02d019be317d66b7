"""What every target that advances LIF neurons in steps asks of a network: named rules that the targets list."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lightning_neuro.errors import Violation
from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    HardwareGraph,
    Lif,
    Neuron,
    Population,
    ReadoutKind,
    ResetKind,
    TimeBase,
)
from lightning_neuro.graph.inputs import takes_currents
from lightning_neuro.graph.quantize import counts

NEURON_KINDS = (Lif, CubaLif)
MEMBRANE_READOUTS = (ReadoutKind.MEMBRANE_MAX, ReadoutKind.MEMBRANE_LAST)
RESET_DELAYS = {ResetKind.CLAMP: (1,), ResetKind.ONCE: (0,)}  # others: 0 or 1


def stepped_time(graph: HardwareGraph) -> Iterator[Violation]:
    """The hardware advances in steps."""
    if graph.time is not TimeBase.STEPPED:
        yield Violation(where="network", what="time", needed=graph.time.value, available="stepped", remedy="dt=SECONDS")


def binary_input(graph: HardwareGraph) -> Iterator[Violation]:
    """Events carry no value."""
    if takes_currents(graph):
        spikes = "model.conversion.input=deterministic" if counts(graph) else "data.coding.kind=rate"
        yield Violation(
            where=graph.input.name,
            what="input",
            needed="real values (direct coding)",
            available="spikes",
            remedy=f"{spikes}   (train again)",
        )


def populated(graph: HardwareGraph) -> Iterator[Violation]:
    """At least one layer."""
    if not graph.populations:
        yield Violation(
            where="network",
            what="layers",
            needed="0",
            available="1 or more",
            remedy="model.layers=[null,100,null]   (train again)",
        )


def only_kinds(kinds: tuple[type[Neuron], ...]) -> Callable[[HardwareGraph], Iterator[Violation]]:
    """The rule that a target knows these kinds of neuron and no other."""

    def rule(graph: HardwareGraph) -> Iterator[Violation]:
        for population in graph.populations:
            if type(population.neuron) not in kinds:
                yield Violation(
                    where=population.name,
                    what="neuron",
                    needed=type(population.neuron).__name__,
                    available=", ".join(kind.__name__ for kind in kinds),
                    remedy="model=lif   (train again)",
                )

    return rule


neuron_kind = only_kinds(NEURON_KINDS)
"""Leaky integrate-and-fire neurons with delta or exponential synapses."""


def resets_to_value(graph: HardwareGraph, instead: str) -> Iterator[Violation]:
    """Spikes set the membrane to v_reset, at once or in the next step; nothing is subtracted from it.

    Args:
        graph: network.
        instead: remedy for a network that subtracts.
    """
    for population, neuron in neurons_of(graph):
        reset = neuron.reset
        if reset.kind is ResetKind.SUBTRACT:
            yield Violation(
                where=population.name, what="reset", needed="subtract", available="zero (to a value)", remedy=instead
            )
        elif reset.delay not in RESET_DELAYS.get(reset.kind, (0, 1)):
            yield Violation(
                where=population.name,
                what="reset",
                needed=f"{reset.kind.value}, delay {reset.delay}",
                available="zero with delay 0 or 1, clamp with delay 1, once with delay 0, none",
                remedy="model.reset_delay=0   (train again)",
            )


def neurons_of(graph: HardwareGraph) -> Iterator[tuple[Population, Lif | CubaLif]]:
    """Populations with a neuron that advances in steps."""
    for population in graph.populations:
        if isinstance(population.neuron, Lif | CubaLif):
            yield population, population.neuron


def silent_layers(graph: HardwareGraph) -> Iterator[Violation]:
    """A layer that never spikes can only be read out, by its membrane."""
    for population, neuron in neurons_of(graph):
        read_by_membrane = population.name == graph.output and graph.readout in MEMBRANE_READOUTS
        if neuron.reset.kind is ResetKind.NONE and not read_by_membrane:
            yield Violation(
                where=population.name,
                what="layer without spikes",
                needed="values of a membrane handed on or counted as spikes",
                available="as a read-out by membrane",
                remedy=f"model.readout={ReadoutKind.MEMBRANE_MAX.value}   (train again)",
            )
