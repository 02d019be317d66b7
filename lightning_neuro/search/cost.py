"""What an integer network takes on hardware."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lightning_neuro.graph.hardware_graph import HardwareGraph, TimeBase
from lightning_neuro.targets.fpga.area import Area, estimate
from lightning_neuro.targets.fpga.constraints import check_graph, layer_sizes
from lightning_neuro.targets.fpga.lanes import Lanes, resolve_lanes
from lightning_neuro.targets.fpga.plan import plan_network

XC7Z020_LUT, XC7Z020_RAMB18 = 53_200, 280


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Size of an integer network.

    Args:
        weight_bits: bits of all weights.
        state_bits: bits of all membranes.
        lut, ramb18: estimated area on Xilinx 7-series (``targets.fpga.area``); None where there is no estimate.
    """

    weight_bits: int
    state_bits: int
    lut: float | None
    ramb18: int | None

    @property
    def bits(self) -> int:
        """Memory in bits."""
        return self.weight_bits + self.state_bits

    @property
    def area(self) -> float | None:
        """Percent of an XC7Z020: mean of the shares of its look-up tables and of its block RAM."""
        if self.lut is None or self.ramb18 is None:
            return None
        return 50.0 * (self.lut / XC7Z020_LUT + self.ramb18 / XC7Z020_RAMB18)


def cost_of(graph: HardwareGraph, lanes: Lanes) -> Cost:
    """Size of a quantised graph.

    Args:
        graph: with integers.
        lanes: the FPGA target's setting.
    """
    weights = (p.connection.weight for p in graph.projections)
    states = (p.size * (p.state_format.bits if p.state_format is not None else 0) for p in graph.populations)
    area = _area(graph, lanes)
    return Cost(
        weight_bits=sum(w.real.size * (w.format.bits if w.format is not None else 64) for w in weights),
        state_bits=sum(states),
        lut=None if area is None else round(area.lut, 1),
        ramb18=None if area is None else area.ramb18,
    )


def _area(graph: HardwareGraph, lanes: Lanes) -> Area | None:
    """Estimated area; None where the FPGA target refuses the network or the model does not know its parts."""
    if graph.time is TimeBase.CONTINUOUS or check_graph(graph, lanes):
        return None
    return estimate(plan_network(graph, resolve_lanes(lanes, layer_sizes(graph))))


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
    "lut": Priced(of=lambda point: _known(point.cost.lut), unit="look-up tables (estimated)"),
    "ramb18": Priced(of=lambda point: _known(point.cost.ramb18), unit="block RAM, 18 kbit"),
    "area": Priced(of=lambda point: _known(point.cost.area), unit="% of an XC7Z020 (LUT and block RAM, estimated)"),
}


def _known(value: float | None) -> float:
    return float("inf") if value is None else float(value)
