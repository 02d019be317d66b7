"""Every rule of the chip on a finished placement, from scratch: nothing of the search is used here.

The chip is filled cell by cell: synapse (hemisphere, row, column) gets a weight of 0 to 63 and the source that it
listens to. Then it is read like a router would: what every source reaches over all circuits of a neuron must be the
network's weights, to the last LSB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import Violation
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork
from lightning_neuro.targets.brainscales.chip_resources import (
    BUSES,
    CIRCUITS,
    COLUMNS,
    DRIVERS,
    HEMISPHERES,
    LABELS,
    LARGEST_WEIGHT,
    ROWS,
    ROWS_PER_BUS,
    bus_of_column,
    bus_of_driver,
)
from lightning_neuro.targets.brainscales.partition import Run
from lightning_neuro.targets.brainscales.placement import Block, Placement, SourceRow

REMEDY = "place the network anew, or mend the placement that was made by hand"


def check_placement(network: ChipNetwork, placement: Placement) -> tuple[Violation, ...]:
    """Every rule that a placement breaks; the wiring is read only where everything lies on the chip.

    Args:
        network: what should be on the chip.
        placement: what is.
    """
    found = tuple(v for rule in PLACE_RULES for v in rule(placement))
    if found:
        return found
    chip = synapses_of(network, placement)
    return tuple(v for rule in WIRING_RULES for v in rule(network, placement, chip))


def check_runs(network: ChipNetwork, runs: Sequence[Run]) -> tuple[Violation, ...]:
    """Rules of the runs together: every neuron once, spikes known before they are replayed; and of each placement.

    Args:
        network: any.
        runs: in order.
    """
    found = [*_every_neuron_once(network, runs), *_known_before(network, runs)]
    return (*found, *(v for run in runs for v in check_placement(network, run.placement)))


# -- places ------------------------------------------------------------------------------------------------------


def circuits_per_hemisphere(placement: Placement) -> Iterator[Violation]:
    """256 columns in each hemisphere."""
    for block in placement.blocks:
        hemispheres = set(block.hemispheres) <= set(range(HEMISPHERES)) and len(set(block.hemispheres)) > 0
        if not (hemispheres and 0 <= block.first_column and block.stop_column <= COLUMNS):
            yield _violation(
                block.part.layer,
                "circuits per hemisphere",
                f"columns {block.first_column} to {block.stop_column - 1} of hemispheres {block.hemispheres}",
                f"columns 0 to {COLUMNS - 1} of hemispheres 0 and 1",
            )


def circuits_per_chip(placement: Placement) -> Iterator[Violation]:
    """A circuit belongs to one neuron."""
    owners: dict[tuple[int, int], int] = {}
    for block in placement.blocks:
        for neuron in range(block.part.start, block.part.stop):
            for place in ((h, column) for h in block.hemispheres for column in block.columns(neuron)):
                owners[place] = owners.get(place, 0) + 1
    total, twice = sum(owners.values()), [place for place, count in owners.items() if count > 1]
    if twice:
        hemisphere, column = min(twice)
        where = f"hemisphere {hemisphere}, column {column}"
        yield _violation(where, "circuits", f"{owners[hemisphere, column]} neurons", "1 neuron per circuit")
    if total > CIRCUITS:
        yield _violation("network", "circuits per chip", str(total), str(CIRCUITS))


def rows_exist(placement: Placement) -> Iterator[Violation]:
    """128 drivers of two rows in each hemisphere, and slots that the neurons have."""
    blocks = {block.part.layer: block for block in placement.blocks}
    for row in placement.rows:
        block = blocks.get(row.post)
        if block is None:
            yield _violation(_name(row), "target", row.post, "a layer on the chip")
        elif row.hemisphere not in block.hemispheres or not 0 <= row.slot < block.columns_per_neuron:
            needed = f"hemisphere {row.hemisphere}, column {row.slot} of each neuron"
            available = f"hemispheres {block.hemispheres}, columns 0 to {block.columns_per_neuron - 1}"
            yield _violation(_name(row), "circuits of the target", needed, available)
        elif not 0 <= row.driver < DRIVERS:
            yield _violation(_name(row), "rows per hemisphere", f"row {2 * row.driver}", f"rows 0 to {ROWS - 1}")


def rows_per_bus(placement: Placement) -> Iterator[Violation]:
    """32 drivers on each PADI bus, of which each source uses those of its bus."""
    drivers = {(row.hemisphere, row.driver) for row in placement.rows}
    for hemisphere in range(HEMISPHERES):
        for bus in range(BUSES):
            rows = 2 * sum(h == hemisphere and bus_of_driver(d) == bus for h, d in drivers)
            if rows > ROWS_PER_BUS:
                where = f"hemisphere {hemisphere}, bus {bus}"
                yield _violation(where, "rows per PADI bus", str(rows), str(ROWS_PER_BUS))


def bus_of_sources(placement: Placement) -> Iterator[Violation]:
    """Spikes of a neuron come on the bus of its column and on no other."""
    blocks = {block.part.layer: block for block in placement.blocks}
    for row in placement.rows:
        block = blocks.get(row.pre)
        on_chip = block is not None and block.part.start <= row.source < block.part.stop
        if row.internal != on_chip:
            needed = "spikes of a neuron on the chip" if row.internal else "spikes from outside"
            yield _violation(_name(row), "origin", needed, "the other")
        elif block is not None and on_chip:
            bus = bus_of_column(block.columns(row.source)[0])
            if bus != bus_of_driver(row.driver):
                available = f"bus {bus}, that of column {block.columns(row.source)[0]}"
                yield _violation(_name(row), "PADI bus", f"bus {bus_of_driver(row.driver)}", available)


def labels(placement: Placement) -> Iterator[Violation]:
    """6-bit labels tell the sources of a driver apart."""
    seen: dict[tuple[int, int, int], SourceRow] = {}
    for row in placement.rows:
        if not 0 <= row.label < LABELS:
            yield _violation(_name(row), "synapse label", str(row.label), f"0 to {LABELS - 1}")
        other = seen.setdefault((row.hemisphere, row.driver, row.label), row)
        if (other.pre, other.source) != (row.pre, row.source):
            where = f"hemisphere {row.hemisphere}, driver {row.driver}"
            needed = f"label {row.label} for {_name(other)} and {_name(row)}"
            yield _violation(where, "synapse label", needed, "one source per label and driver")


PLACE_RULES: tuple[Callable[[Placement], Iterator[Violation]], ...] = (
    circuits_per_hemisphere,
    circuits_per_chip,
    rows_exist,
    rows_per_bus,
    bus_of_sources,
    labels,
)


# -- wiring ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Synapses:
    """All synapses of the chip, [hemisphere, row, column].

    Args:
        weight: LSB.
        source: number of the source in ``names`` that a synapse listens to, -1 for none.
        claimed: how many sources want it.
        names: sources.
    """

    weight: NDArray[np.int64]
    source: NDArray[np.int64]
    claimed: NDArray[np.int64]
    names: tuple[tuple[str, int], ...]


def synapses_of(network: ChipNetwork, placement: Placement) -> Synapses:
    """Fill the synapse arrays of both hemispheres."""
    shape = HEMISPHERES, ROWS, COLUMNS
    names = tuple(dict.fromkeys((row.pre, row.source) for row in placement.rows))
    chip = Synapses(
        weight=np.zeros(shape, np.int64), source=np.full(shape, -1), claimed=np.zeros(shape, np.int64), names=names
    )
    pairs: dict[tuple[str, str], list[SourceRow]] = {}
    for row in placement.rows:
        pairs.setdefault((row.pre, row.post), []).append(row)
    for (pre, post), rows in pairs.items():
        weights = next(p for p in network.into(post) if p.pre == pre).weights
        _fill(chip, placement.block(post), weights, rows)
    return chip


def _fill(chip: Synapses, block: Block, weights: NDArray[np.int64], rows: list[SourceRow]) -> None:
    """Write the rows of one projection: weights [post, pre], each cut into as many parts as there are copies."""
    number = {name: k for k, name in enumerate(chip.names)}
    source, copy = np.array([row.source for row in rows]), np.array([row.copy for row in rows])
    copies = np.zeros(weights.shape[1], np.int64)
    np.maximum.at(copies, source, copy + 1)
    whole = weights[block.part.start : block.part.stop, source]  # [neuron, row]
    size, parts = np.abs(whole), copies[source]
    part = np.sign(whole) * (size // parts + (copy < size % parts))
    first = block.first_column + np.arange(block.part.size)[:, None] * block.columns_per_neuron
    columns = first + np.array([row.slot for row in rows])
    hemisphere, driver = np.array([row.hemisphere for row in rows]), np.array([row.driver for row in rows])
    names = np.array([number[row.pre, row.source] for row in rows])
    for sign, lines in ((1, 2 * driver), (-1, 2 * driver + 1)):
        place = np.broadcast_arrays(hemisphere, lines, columns)
        chip.weight[tuple(place)] = np.maximum(sign * part, 0)
        chip.source[tuple(place)] = names
        np.add.at(chip.claimed, tuple(place), 1)


def one_source_per_synapse(network: ChipNetwork, placement: Placement, chip: Synapses) -> Iterator[Violation]:
    """A synapse listens to one label: two sources cannot use the same row on the same column."""
    for hemisphere, row, column in np.argwhere(chip.claimed > 1)[:1]:
        where = f"hemisphere {hemisphere}, row {row}, column {column}"
        needed = f"{chip.claimed[hemisphere, row, column]} sources"
        yield _violation(where, "fan-in per circuit", needed, "1 per synapse")


def weights_fit(network: ChipNetwork, placement: Placement, chip: Synapses) -> Iterator[Violation]:
    """6 bits per synapse."""
    largest = int(chip.weight.max(initial=0))
    if largest > LARGEST_WEIGHT:
        hemisphere, row, column = np.unravel_index(int(chip.weight.argmax()), chip.weight.shape)
        where = f"hemisphere {hemisphere}, row {row}, column {column}"
        yield _violation(where, "weight", f"{largest} LSB", f"0 to {LARGEST_WEIGHT} LSB: repeat the source")


def wired_as_the_network(network: ChipNetwork, placement: Placement, chip: Synapses) -> Iterator[Violation]:
    """What reaches each neuron from each source is the network's weight; the sign is that of the row."""
    signed = chip.weight * np.where(np.arange(ROWS) % 2 == 0, 1, -1)[:, None]
    for block in placement.blocks:
        reached = np.stack([_reached(chip, signed, block, n) for n in range(block.part.start, block.part.stop)])
        for projection in network.into(block.part.layer):
            found = np.zeros((block.part.size, projection.weights.shape[1]), np.int64)
            for k, (pre, index) in enumerate(chip.names):
                if pre == projection.pre:
                    found[:, index] = reached[:, k]
            wanted = projection.weights[block.part.start : block.part.stop]
            for n, index in np.argwhere(found != wanted)[:1]:
                where = f"{projection.pre} {index} -> {block.part.layer} {block.part.start + n}"
                yield _violation(where, "synapse", f"{wanted[n, index]} LSB", f"{found[n, index]} LSB as placed")


def _reached(chip: Synapses, signed: NDArray[np.int64], block: Block, neuron: int) -> NDArray[np.int64]:
    """Sum of the signed weights of every source over all circuits of a neuron, [source]."""
    columns, hemispheres = block.columns(neuron), list(block.hemispheres)
    place = hemispheres, slice(None), slice(columns.start, columns.stop)
    sums = np.bincount(chip.source[place].ravel() + 1, signed[place].ravel(), len(chip.names) + 1)
    return np.rint(sums[1:]).astype(np.int64)


WIRING_RULES: tuple[Callable[[ChipNetwork, Placement, Synapses], Iterator[Violation]], ...] = (
    one_source_per_synapse,
    weights_fit,
    wired_as_the_network,
)


# -- runs --------------------------------------------------------------------------------------------------------


def _every_neuron_once(network: ChipNetwork, runs: Sequence[Run]) -> Iterator[Violation]:
    for layer in network.layers:
        times = np.zeros(layer.size, np.int64)
        for block in (b for run in runs for b in run.placement.blocks if b.part.layer == layer.name):
            times[block.part.start : block.part.stop] += 1
        for neuron in np.flatnonzero(times != 1)[:1]:
            yield _violation(f"{layer.name} {neuron}", "placement of a neuron", "once", f"{times[neuron]} times")


def _known_before(network: ChipNetwork, runs: Sequence[Run]) -> Iterator[Violation]:
    """Spikes that a run takes from outside belong to the input or were recorded in an earlier run."""
    known = {network.input: np.ones(network.lines, bool)}
    known |= {layer.name: np.zeros(layer.size, bool) for layer in network.layers}
    for number, run in enumerate(runs):
        for row in run.placement.rows:
            if not row.internal and not known[row.pre][row.source]:
                yield _violation(_name(row), "replayed spikes", f"in run {number}", "after the run that records them")
                break
        for block in run.placement.blocks:
            known[block.part.layer][block.part.start : block.part.stop] = True


def _name(row: SourceRow) -> str:
    return f"{row.pre} {row.source} -> {row.post}"


def _violation(where: str, what: str, needed: str, available: str) -> Violation:
    return Violation(where=where, what=what, needed=needed, available=available, remedy=REMEDY)
