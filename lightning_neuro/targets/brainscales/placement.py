"""Where a network lies on the chip: circuits of every neuron, rows of every source; coordinates in ``chip_resources``.

A neuron of several circuits takes ``columns_per_neuron`` columns side by side, in one hemisphere or in both; its
circuits are connected and have one membrane. Each of its sources reaches it by one driver: in one hemisphere, on one
of its columns (the slot). So sources on different slots, or of different layers, can share a driver: they meet no
common column, and labels tell them apart. Which bits of an event select a driver and which are the label, and the masks
that let a driver take several, are the router's business and not modelled.

A layer lies in one block: one of more than 256 neurons of one circuit takes two circuits each, or several runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.targets.brainscales.chip_resources import (
    BUSES,
    CIRCUITS,
    COLUMNS,
    HEMISPHERES,
    ROWS,
    bus_of_column,
    bus_of_driver,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPart:
    """Neurons ``start`` to ``stop - 1`` of a layer."""

    layer: str
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The columns of a part of a layer.

    Args:
        part: which neurons.
        hemispheres: in which they have circuits, (0,), (1,) or (0, 1).
        columns_per_neuron: columns side by side of each neuron.
        first_column: of the first neuron.
    """

    part: LayerPart
    hemispheres: tuple[int, ...]
    columns_per_neuron: int
    first_column: int

    @property
    def circuits_per_neuron(self) -> int:
        """Circuits that are one neuron."""
        return len(self.hemispheres) * self.columns_per_neuron

    @property
    def stop_column(self) -> int:
        """First column behind the block."""
        return self.first_column + self.part.size * self.columns_per_neuron

    def columns(self, neuron: int) -> range:
        """Columns of a neuron, numbered as in its layer."""
        first = self.first_column + (neuron - self.part.start) * self.columns_per_neuron
        return range(first, first + self.columns_per_neuron)

    def bus(self, neuron: int) -> int:
        """PADI bus that a neuron's spikes leave by: that of its first column."""
        return bus_of_column(self.columns(neuron)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One driver's two rows, the excitatory and the inhibitory one, as seen by one source.

    Args:
        pre, source: layer (or input) and number of the source.
        copy: 0, 1 ... for sources that are repeated.
        post: layer that it reaches here.
        hemisphere, driver: 0..1 and 0..127; the rows are ``2 driver`` and ``2 driver + 1``.
        slot: on which column of each neuron.
        label: address of the source on its rows.
        internal: whether the source is a neuron of the same run, whose bus its column decides.
    """

    pre: str
    source: int
    copy: int
    post: str
    hemisphere: int
    driver: int
    slot: int
    label: int
    internal: bool

    @property
    def bus(self) -> int:
        """PADI bus of its driver."""
        return bus_of_driver(self.driver)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One run of the chip.

    Args:
        blocks: neurons, in the order of the layers.
        rows: sources.
    """

    blocks: tuple[Block, ...]
    rows: tuple[SourceRow, ...]

    def block(self, layer: str) -> Block:
        """Columns of a layer."""
        return next(block for block in self.blocks if block.part.layer == layer)

    @property
    def shares_rows(self) -> bool:
        """Whether rows carry sources of different layers, which needs labels and a router that gives them."""
        posts: dict[tuple[int, int], set[str]] = {}
        for row in self.rows:
            posts.setdefault((row.hemisphere, row.driver), set()).add(row.post)
        return any(len(found) > 1 for found in posts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a run uses of one kind of resource."""

    what: str
    used: int
    available: int


def uses(placement: Placement) -> tuple[Use, ...]:
    """Resources that a run uses: circuits, rows, synapses, labels."""
    circuits, drivers = np.zeros(HEMISPHERES, np.int64), np.zeros((HEMISPHERES, BUSES), np.int64)
    for block in placement.blocks:
        circuits[list(block.hemispheres)] += block.part.size * block.columns_per_neuron
    for hemisphere, driver in {(row.hemisphere, row.driver) for row in placement.rows}:
        drivers[hemisphere, bus_of_driver(driver)] += 1
    found = [Use(what="neuron circuits", used=int(circuits.sum()), available=CIRCUITS)]
    for hemisphere in range(HEMISPHERES):
        where = f"hemisphere {hemisphere}"
        rows = 2 * int(drivers[hemisphere].sum())
        found.append(Use(what=f"circuits, {where}", used=int(circuits[hemisphere]), available=COLUMNS))
        found.append(Use(what=f"synapse rows, {where}", used=rows, available=ROWS))
        most = 2 * int(drivers[hemisphere].max())
        found.append(Use(what=f"rows of the fullest PADI bus, {where}", used=most, available=ROWS // BUSES))
    return tuple(found)


def split_weights(weights: NDArray[np.int64], copies: int) -> NDArray[np.int64]:
    """Weights as a sum of equal parts, the first ones larger by 1 where it does not come out even, [copy, ...].

    >>> split_weights(np.array([127, -64, 5]), 3).tolist()
    [[43, -22, 2], [42, -21, 2], [42, -21, 1]]
    """
    size, sign = np.abs(weights), np.sign(weights)
    return np.stack([sign * (size // copies + (k < size % copies)) for k in range(copies)])


CSV_COLUMNS = (
    "run", "kind", "population", "index", "copy", "target", "hemisphere", "first_column", "last_column",
    "circuits", "padi_bus", "driver", "row_exc", "row_inh", "slot", "label",
)  # fmt: skip


def csv_rows(run: int, placement: Placement) -> Iterator[dict[str, str | int]]:
    """Lines of placement.csv: first neurons, then sources; "" where a column has no meaning.

    Args:
        run: its number.
        placement: what lies where.
    """
    blank: dict[str, str | int] = dict.fromkeys(CSV_COLUMNS, "")
    for block in placement.blocks:
        for neuron in range(block.part.start, block.part.stop):
            columns = block.columns(neuron)
            yield blank | {
                "run": run,
                "kind": "neuron",
                "population": block.part.layer,
                "index": neuron,
                "hemisphere": "+".join(map(str, block.hemispheres)),
                "first_column": columns[0],
                "last_column": columns[-1],
                "circuits": block.circuits_per_neuron,
                "padi_bus": block.bus(neuron),
            }
    for row in placement.rows:
        yield blank | {
            "run": run,
            "kind": "source",
            "population": row.pre,
            "index": row.source,
            "copy": row.copy,
            "target": row.post,
            "hemisphere": row.hemisphere,
            "padi_bus": row.bus,
            "driver": row.driver,
            "row_exc": 2 * row.driver,
            "row_inh": 2 * row.driver + 1,
            "slot": row.slot,
            "label": row.label,
        }
