"""A small deterministic search for a placement: shapes of the layers' blocks first, then a driver for every source.

Shapes are tried from the fewest circuits on, in the emptier hemisphere first, layer after layer, going back where
drivers run out. First no driver may serve two layers, as simple routers want it; only when that fails may layers share
drivers. A neuron's spikes come on the bus of its column, input lines on any. Given the shapes, a layer that shares
drivers gets them if and only if its neurons' spikes have enough on each bus and all its sources together; without
sharing the search is greedy, and what it does not find the second search does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from lightning_neuro.targets.brainscales.chip_network import ChipNetwork
from lightning_neuro.targets.brainscales.chip_resources import (
    CIRCUITS,
    COLUMNS,
    HEMISPHERES,
    LABELS,
    SIGNED_FAN_IN,
)
from lightning_neuro.targets.brainscales.driver_assignment import Fans, assign, labelled, rows_of
from lightning_neuro.targets.brainscales.placement import Block, LayerPart, Placement

MOST_TRIES = 20_000  # shapes; networks of up to five layers need far fewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Circuits of a neuron: hemispheres, and columns side by side."""

    hemispheres: tuple[int, ...]
    columns: int

    @property
    def circuits(self) -> int:
        """Of one neuron."""
        return len(self.hemispheres) * self.columns


def place(network: ChipNetwork, parts: tuple[LayerPart, ...], fans: Fans | None = None) -> Placement | None:
    """Place parts of layers on one chip; None where the search finds no way.

    Args:
        network: any.
        parts: in the order of the layers; sources that are not among them come from outside.
        fans: what is known about the parts' sources already.
    """
    fans = Fans(network=network) if fans is None else fans
    if sum(part.size * fewest_circuits(fans, part) for part in parts) > CIRCUITS:
        return None
    for share in (False, True):
        found = _Search(fans=fans, parts=parts, share=share).extend(())
        if found is not None:
            return found
    return None


def fewest_circuits(fans: Fans, part: LayerPart) -> int:
    """Circuits that a neuron needs for its sources: ``ceil(sources / 128)``, repetitions counted."""
    return max(1, -(-fans.signed_sources(part) // SIGNED_FAN_IN))


def shapes(size: int, needed: int) -> Iterator[Shape]:
    """Shapes of neurons that fit into the columns and take all sources, the fewest circuits first.

    Args:
        size: neurons.
        needed: signed sources.
    """
    widest = min(COLUMNS // max(size, 1), LABELS)
    every = ((0,), (1,), (0, 1))
    found = [Shape(hemispheres=h, columns=columns) for columns in range(1, widest + 1) for h in every]
    fitting = [shape for shape in found if shape.circuits * SIGNED_FAN_IN >= needed]
    yield from sorted(fitting, key=lambda shape: (shape.circuits, shape.columns))


@dataclass(slots=True, kw_only=True)
class _Search:
    """The search in one mode, and how often it tried."""

    fans: Fans
    parts: tuple[LayerPart, ...]
    share: bool
    tries: int = field(default=0)

    def extend(self, blocks: tuple[Block, ...]) -> Placement | None:
        """Place the parts behind those that have a block."""
        if len(blocks) == len(self.parts):
            counts = assign(self.fans, blocks, share=self.share)
            assert counts is not None
            return Placement(blocks=blocks, rows=labelled(rows_of(self.fans, blocks, counts)))
        part = self.parts[len(blocks)]
        for shape in self._preferred(shapes(part.size, self.fans.signed_sources(part)), blocks):
            block = _next_block(part, shape, blocks)
            if self.tries > MOST_TRIES or block.stop_column > COLUMNS:
                continue
            self.tries += 1
            if assign(self.fans, (*blocks, block), share=self.share) is None:
                continue
            found = self.extend((*blocks, block))
            if found is not None:
                return found
        return None

    def _preferred(self, found: Iterator[Shape], blocks: tuple[Block, ...]) -> list[Shape]:
        """The emptier hemisphere first, so that layers do not compete for rows."""
        used = [sum(h in block.hemispheres for block in blocks) for h in range(HEMISPHERES)]
        return sorted(found, key=lambda s: (s.circuits, s.columns, sum(used[h] for h in s.hemispheres)))


def _next_block(part: LayerPart, shape: Shape, blocks: tuple[Block, ...]) -> Block:
    """The first columns that are free in all hemispheres of a shape."""
    taken = [b.stop_column for b in blocks if set(b.hemispheres) & set(shape.hemispheres)]
    first = max(taken, default=0)
    return Block(part=part, hemispheres=shape.hemispheres, columns_per_neuron=shape.columns, first_column=first)
