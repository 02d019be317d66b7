"""What every target that advances LIF neurons in steps asks of a network: named rules that the targets list."""

from __future__ import annotations

from collections.abc import Iterator

from lightning_neuro.errors import Violation
from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    HardwareGraph,
    Lif,
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


def neuron_kind(graph: HardwareGraph) -> Iterator[Violation]:
    """Leaky integrate-and-fire neurons with delta or exponential synapses."""
    for population in graph.populations:
        if not isinstance(population.neuron, NEURON_KINDS):
            yield Violation(
                where=population.name,
                what="neuron",
                needed=type(population.neuron).__name__,
                available=", ".join(kind.__name__ for kind in NEURON_KINDS),
                remedy="model=lif   (train again)",
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
