"""What an integer network takes on hardware."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lightning_neuro.graph.hardware_graph import HardwareGraph


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Size of an integer network.

    Args:
        weight_bits: bits of all weights.
        state_bits: bits of all membranes.
    """

    weight_bits: int
    state_bits: int

    @property
    def bits(self) -> int:
        """Memory in bits."""
        return self.weight_bits + self.state_bits


def cost_of(graph: HardwareGraph) -> Cost:
    """Size of a quantised graph."""
    weights = (p.connection.weight for p in graph.projections)
    states = (p.size * (p.state_format.bits if p.state_format is not None else 0) for p in graph.populations)
    return Cost(
        weight_bits=sum(w.real.size * (w.format.bits if w.format is not None else 64) for w in weights),
        state_bits=sum(states),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """One number of a cost that a search may minimise.

    Args:
        of: price of whatever has a ``cost``.
        unit: for axes and tables.
    """

    of: Callable[[HasCost], float]
    unit: str


class HasCost(Protocol):
    """Something that was measured."""

    @property
    def cost(self) -> Cost:
        """What it takes on hardware."""
        ...


PRICES: dict[str, Priced] = {
    "bits": Priced(of=lambda point: float(point.cost.bits), unit="bits of weights and membranes"),
}
