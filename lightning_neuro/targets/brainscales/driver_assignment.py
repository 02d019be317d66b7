"""A synapse driver for every source of blocks whose columns are chosen.

First how many drivers each block takes of each hemisphere and bus, which is all that can fail; then which ones, and
labels. The spikes of a neuron come on the bus of its column, those from outside on any bus.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.targets.brainscales.chip_network import ChipNetwork
from lightning_neuro.targets.brainscales.chip_resources import (
    BUSES,
    DRIVERS_PER_BUS,
    HEMISPHERES,
    repetitions,
)
from lightning_neuro.targets.brainscales.placement import Block, LayerPart, SourceRow

OUTSIDE = -1
"""In place of a bus: spikes from outside, which may come on any."""

Drivers = NDArray[np.int64]
"""Numbers of drivers, [hemisphere, bus]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source of a part, and how often it is repeated."""

    pre: str
    index: int
    copies: int


@dataclass(slots=True, kw_only=True)
class Fans:
    """The sources of parts of a network's layers, each looked up once.

    Args:
        network: any.
        copies: how often each source is repeated, by layer: for the largest weight that it has anywhere.
        known: what was looked up.
    """

    network: ChipNetwork
    copies: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    known: dict[LayerPart, tuple[Source, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for projection in self.network.projections:
            largest = np.abs(projection.weights).max(axis=0, initial=0)
            own = np.array([repetitions(int(value)) for value in largest], np.int64)
            self.copies[projection.pre] = np.maximum(self.copies.get(projection.pre, 1), own)

    def sources(self, part: LayerPart) -> tuple[Source, ...]:
        """Sources that reach a part, those without any weight left out."""
        if part not in self.known:
            found = []
            for projection in self.network.into(part.layer):
                copies = self.copies[projection.pre]
                used = np.flatnonzero(projection.weights[part.start : part.stop].any(axis=0))
                found += [Source(pre=projection.pre, index=int(k), copies=int(copies[k])) for k in used]
            self.known[part] = tuple(found)
        return self.known[part]

    def signed_sources(self, part: LayerPart) -> int:
        """Pairs of rows that a part needs: its sources, each as often as it is repeated."""
        return sum(source.copies for source in self.sources(part))

    def by_bus(self, part: LayerPart, blocks: Sequence[Block]) -> dict[int, list[tuple[Source, int]]]:
        """Copies (source, number) of a part's sources by the bus that they come on, ``OUTSIDE`` for any."""
        on_chip = {block.part.layer: block for block in blocks}
        found: dict[int, list[tuple[Source, int]]] = {}
        for source in self.sources(part):
            block = on_chip.get(source.pre)
            inside = block is not None and block.part.start <= source.index < block.part.stop
            bus = block.bus(source.index) if block is not None and inside else OUTSIDE
            found.setdefault(bus, []).extend((source, copy) for copy in range(source.copies))
        return found


@dataclass(slots=True, kw_only=True)
class Counts:
    """How many of a block's sources go where.

    Args:
        inside: drivers for spikes of neurons on the chip, [hemisphere, bus].
        outside: further drivers for spikes from outside, which also use what is left of the others.
    """

    inside: Drivers
    outside: Drivers

    @property
    def drivers(self) -> Drivers:
        """All drivers of the block."""
        return self.inside + self.outside


def assign(fans: Fans, blocks: Sequence[Block], *, share: bool) -> list[Counts] | None:
    """Numbers of drivers for blocks; None where there are too few.

    Args:
        fans: sources.
        blocks: places of neurons, in the order of the layers.
        share: whether a driver may serve several blocks.
    """
    needs = [{bus: len(copies) for bus, copies in fans.by_bus(b.part, blocks).items()} for b in blocks]
    counts = [Counts(inside=_none(), outside=_none()) for _ in blocks]
    order = sorted(range(len(blocks)), key=lambda k: len(blocks[k].hemispheres))  # the least free first
    for fill in (_fill_inside, _fill_outside):
        for k in order:
            others = [n for n in range(len(blocks)) if n == k or not share]
            room = DRIVERS_PER_BUS - np.sum([counts[n].drivers for n in others], axis=0)
            waiting = np.zeros(HEMISPHERES) if share else _waiting(blocks, needs, counts)
            if not fill(blocks[k], needs[k], counts[k], room, waiting):
                return None
    return counts


def _none() -> Drivers:
    return np.zeros((HEMISPHERES, BUSES), np.int64)


def _waiting(blocks: Sequence[Block], needs: list[dict[int, int]], counts: list[Counts]) -> NDArray[np.float64]:
    """Drivers that blocks of one hemisphere still need for sources from outside, [hemisphere]."""
    waiting = np.zeros(HEMISPHERES)
    for block, need, count in zip(blocks, needs, counts, strict=True):
        if len(block.hemispheres) == 1 and not count.outside.any():
            waiting[block.hemispheres[0]] += -(-need.get(OUTSIDE, 0) // block.columns_per_neuron)
    return waiting


def _fill_inside(
    block: Block, need: Mapping[int, int], count: Counts, room: Drivers, waiting: NDArray[np.float64]
) -> bool:
    """Drivers for neurons' spikes, one after the other in the hemisphere that can spare most."""
    for bus in range(BUSES):
        for _ in range(-(-need.get(bus, 0) // block.columns_per_neuron)):
            able = [h for h in block.hemispheres if room[h, bus] > 0]
            if not able:
                return False
            chosen = max(able, key=lambda h: (room[h].sum() - waiting[h], room[h, bus], -h))
            room[chosen, bus] -= 1
            count.inside[chosen, bus] += 1
    return True


def _fill_outside(
    block: Block, need: Mapping[int, int], count: Counts, room: Drivers, waiting: NDArray[np.float64]
) -> bool:
    """Drivers for spikes from outside, one after the other where most are left; half-used ones first."""
    wide = block.columns_per_neuron
    left = int(count.inside.sum()) * wide - sum(n for bus, n in need.items() if bus != OUTSIDE)
    for _ in range(-(-max(0, need.get(OUTSIDE, 0) - left) // wide)):
        able = [(h, b) for h in block.hemispheres for b in range(BUSES) if room[h, b] > 0]
        if not able:
            return False
        chosen = max(able, key=lambda place: (room[place], room[place[0]].sum() - waiting[place[0]], -place[0]))
        room[chosen] -= 1
        count.outside[chosen] += 1
    return True


# -- which ones --------------------------------------------------------------------------------------------------


def rows_of(fans: Fans, blocks: Sequence[Block], counts: Sequence[Counts]) -> tuple[SourceRow, ...]:
    """Real drivers for the counts: the least occupied of each bus, in the order of the layers; labels still 0.

    Args:
        fans: sources.
        blocks: places of neurons.
        counts: from ``assign``.
    """
    occupied: dict[tuple[int, int], int] = {}
    rows: list[SourceRow] = []
    for block, count in zip(blocks, counts, strict=True):
        drivers: dict[int, list[tuple[int, int]]] = {}
        for hemisphere, bus in np.argwhere(count.drivers):
            on_bus = [(int(hemisphere), int(bus) + BUSES * n) for n in range(DRIVERS_PER_BUS)]
            chosen = sorted(on_bus, key=lambda d: (occupied.get(d, 0), d[1]))[: count.drivers[hemisphere, bus]]
            for driver in chosen:
                occupied[driver] = occupied.get(driver, 0) + 1
            inside = int(count.inside[hemisphere, bus])
            drivers.setdefault(int(bus), []).extend(chosen[:inside])
            drivers.setdefault(OUTSIDE, []).extend(chosen[inside:])
        order = {(source.pre, source.index): k for k, source in enumerate(fans.sources(block.part))}
        filled = _fill_drivers(block, fans.by_bus(block.part, blocks), drivers)
        rows += sorted(filled, key=lambda row: (order[row.pre, row.source], row.copy))
    return tuple(rows)


def _fill_drivers(
    block: Block,
    copies: Mapping[int, list[tuple[Source, int]]],
    drivers: Mapping[int, list[tuple[int, int]]],
) -> list[SourceRow]:
    """Copies of sources on the slots of the drivers of their bus; those from outside also on slots that are left."""
    wide = block.columns_per_neuron
    places = {
        bus: [(*driver, slot) for driver in found for slot in range(wide)] for bus, found in sorted(drivers.items())
    }
    rows = []
    for bus in sorted(copies, reverse=True):  # from outside last
        free = places.get(bus, []) if bus != OUTSIDE else [place for left in places.values() for place in left]
        for number, (source, copy) in enumerate(copies[bus]):
            hemisphere, driver, slot = free[number]
            rows.append(
                SourceRow(
                    pre=source.pre,
                    source=source.index,
                    copy=copy,
                    post=block.part.layer,
                    hemisphere=hemisphere,
                    driver=driver,
                    slot=slot,
                    label=0,
                    internal=bus != OUTSIDE,
                )
            )
        if bus != OUTSIDE:
            places[bus] = free[len(copies[bus]) :]
    return rows


def labelled(rows: tuple[SourceRow, ...]) -> tuple[SourceRow, ...]:
    """The same rows with labels: one per source, the smallest that no other source has on any of its drivers."""
    on_driver: dict[tuple[int, int], set[tuple[str, int]]] = {}
    drivers_of: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for row in rows:
        source, driver = (row.pre, row.source), (row.hemisphere, row.driver)
        on_driver.setdefault(driver, set()).add(source)
        drivers_of.setdefault(source, []).append(driver)
    labels: dict[tuple[str, int], int] = {}
    for source, drivers in drivers_of.items():
        others = {labels[other] for driver in drivers for other in on_driver[driver] if other in labels}
        labels[source] = next(label for label in range(len(others) + 1) if label not in others)
    told = ((row, labels[row.pre, row.source]) for row in rows)
    return tuple(dataclasses.replace(row, label=label) if label else row for row, label in told)
