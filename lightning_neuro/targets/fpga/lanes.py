"""How many neurons of each layer are updated per clock cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Lanes = str | int | Sequence[int]
"""``"auto"``, one number for all layers, or one per layer."""

MOST_AUTO_LANES = 128
"""Widest layer that "auto" builds: 128 lanes of 6-bit weights fill 43 of the 280 18-kbit block RAMs of an XC7Z020."""

EXPECTED_ACTIVITY = 0.125
"""Share of a layer's inputs assumed to be active in a step; coded images and trained hidden layers have 5 to 15 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSize:
    """What the choice of lanes depends on."""

    inputs: int
    neurons: int


def cycles_per_step(size: LayerSize, lanes: int) -> int:
    """Expected clock cycles of one layer per step.

    An event takes one cycle per group of lanes; leak, compare and apply take three more per group, the tick one.

    >>> cycles_per_step(LayerSize(inputs=784, neurons=128), 128), cycles_per_step(LayerSize(inputs=784, neurons=128), 8)
    (102, 1617)
    """
    groups = -(-size.neurons // lanes)
    return round(size.inputs * EXPECTED_ACTIVITY) * groups + 3 * groups + 1


def choose_lanes(sizes: Sequence[LayerSize], most: int = MOST_AUTO_LANES) -> tuple[int, ...]:
    """Balance the layers: the slowest gets the most lanes, every other one as few as keep its pace.

    Layers work at the same time on successive steps, so the slowest one sets the throughput and lanes beyond
    its pace are wasted.

    Args:
        sizes: layers in order.
        most: most lanes of one layer.

    >>> choose_lanes([LayerSize(inputs=784, neurons=128), LayerSize(inputs=128, neurons=10)])
    (128, 2)
    """
    pace = max(cycles_per_step(size, min(size.neurons, most)) for size in sizes)
    return tuple(
        next(lanes for lanes in range(1, size.neurons + 1) if cycles_per_step(size, lanes) <= pace) for size in sizes
    )


def resolve_lanes(lanes: Lanes, sizes: Sequence[LayerSize]) -> tuple[int, ...]:
    """Lanes of every layer; more lanes than neurons mean one per neuron when one number stands for all layers.

    Args:
        lanes: "auto", a number, or one number per layer.
        sizes: layers in order.

    >>> resolve_lanes(64, [LayerSize(inputs=784, neurons=128), LayerSize(inputs=128, neurons=10)])
    (64, 10)
    """
    if lanes == "auto":
        return choose_lanes(sizes)
    if isinstance(lanes, int):
        return tuple(min(lanes, size.neurons) for size in sizes)
    return tuple(int(count) for count in lanes)
