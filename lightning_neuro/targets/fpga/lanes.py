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
        recurrent: the layer's own spikes are events of its next step.
        channels: neurons that share an event; lanes work on them, the rest comes in turn. None: all neurons.
        taps: places that an event reaches, on average.
        divides: lanes have to divide the channels, because places have to begin with a new group.
    """

    inputs: int
    neurons: int
    activity: float
    recurrent: bool = False
    channels: int | None = None
    taps: float = 1.0
    divides: bool = False

    @property
    def sharing(self) -> int:
        """Neurons that lanes can work on at once."""
        return self.neurons if self.channels is None else self.channels

    def possible_lanes(self, most: int) -> list[int]:
        """Numbers of lanes up to ``most``, in ascending order."""
        return [n for n in range(1, min(self.sharing, most) + 1) if not self.divides or self.sharing % n == 0]

    @property
    def events(self) -> int:
        """Events assumed per step."""
        own = self.neurons * HIDDEN_ACTIVITY if self.recurrent else 0.0
        return round(self.inputs * self.activity + own)


def cycles_per_step(size: LayerSize, lanes: int) -> int:
    """Expected clock cycles of one layer per step.

    An event takes one cycle per group of lanes that it reaches; leak, compare, wipe and settle take four more per
    group, the tick one. Where an address generator stands in front there are many groups, and each of them waits until
    the spikes of the one before have left.

    >>> size = LayerSize(inputs=784, neurons=128, activity=0.125)
    >>> cycles_per_step(size, 128), cycles_per_step(size, 8)
    (103, 1633)
    """
    turns = -(-size.sharing // lanes)
    groups = turns * (size.neurons // size.sharing)
    return round(size.events * size.taps * turns) + (4 if size.channels is None else 9) * groups + 1


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
    pace = max(cycles_per_step(size, size.possible_lanes(most)[-1]) for size in sizes)
    return tuple(next(n for n in size.possible_lanes(most) if cycles_per_step(size, n) <= pace) for size in sizes)


def resolve_lanes(lanes: Lanes, sizes: Sequence[LayerSize]) -> tuple[int, ...]:
    """Lanes of every layer; one number for all layers becomes the next smaller one that a layer can have.

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
        return tuple(size.possible_lanes(lanes)[-1] for size in sizes)
    return tuple(int(count) for count in lanes)
