"""How many neurons of each layer are updated per clock cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Lanes = str | int | Sequence[int]
"""``"auto"``, one number for all layers, or one per layer."""

MOST_AUTO_LANES = 128
"""Widest layer that "auto" builds: 128 lanes of 6-bit weights fill 43 of the 280 18-kbit block RAMs of an XC7Z020."""

INPUT_ACTIVITY = 0.125
"""Share of input lines assumed active in a step: coded images have 5 to 13 %."""

HIDDEN_ACTIVITY = 0.25
"""Share of hidden neurons assumed to fire in a step; trained layers showed up to 20 %, and a lane too many is cheap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSize:
    """What the choice of lanes depends on.

    Args:
        inputs: input lines.
        neurons: neurons.
        activity: share of the inputs assumed active in a step.
    """

    inputs: int
    neurons: int
    activity: float


def cycles_per_step(size: LayerSize, lanes: int) -> int:
    """Expected clock cycles of one layer per step.

    An event takes one cycle per group of lanes; leak, compare, wipe and settle take four more per group, the tick one.

    >>> size = LayerSize(inputs=784, neurons=128, activity=0.125)
    >>> cycles_per_step(size, 128), cycles_per_step(size, 8)
    (103, 1633)
    """
    groups = -(-size.neurons // lanes)
    return round(size.inputs * size.activity) * groups + 4 * groups + 1


def choose_lanes(sizes: Sequence[LayerSize], most: int = MOST_AUTO_LANES) -> tuple[int, ...]:
    """Balance the layers: the slowest gets the most lanes, every other one as few as keep its pace.

    Layers work at the same time on successive steps, so the slowest one sets the throughput and lanes beyond
    its pace are wasted.

    Args:
        sizes: layers in order.
        most: most lanes of one layer.

    >>> hidden = LayerSize(inputs=784, neurons=128, activity=0.125)
    >>> choose_lanes([hidden, LayerSize(inputs=128, neurons=10, activity=0.25)])
    (128, 5)
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

    >>> hidden = LayerSize(inputs=784, neurons=128, activity=0.125)
    >>> resolve_lanes(64, [hidden, LayerSize(inputs=128, neurons=10, activity=0.25)])
    (64, 10)
    """
    if lanes == "auto":
        return choose_lanes(sizes)
    if isinstance(lanes, int):
        return tuple(min(lanes, size.neurons) for size in sizes)
    return tuple(int(count) for count in lanes)
