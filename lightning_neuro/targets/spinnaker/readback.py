"""What sPyNNaker would load onto the machine, decoded: for every pair of populations who reaches whom, how strongly.

sPyNNaker generates the memory of every core on the host, also for a virtual board. This module follows a spike as the
programs on the cores do: its routing key is looked up in the population table of each receiving core, which gives the
row of the synaptic matrix, and every word of the row is one synapse. Cores of convolutions hold kernels instead of
rows; they go through the same geometry as the program does.

Source: sPyNNaker 7.4.1, ``models/neuron/master_pop_table.py`` and ``synapse_dynamics/synapse_dynamics_static.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.targets.spinnaker.board_image import BoardImage, PlacedCore, Words, layer_of
from lightning_neuro.targets.spinnaker.kernels import NONE, kernels_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Synapses:
    """Synapses between two populations, sorted by post, pre, receptor and delay.

    Args:
        pre, post: neuron numbers.
        receptor: 0 excitatory, 1 inhibitory.
        delay: steps.
        weight: 16-bit magnitude in units of 2**(shift - 15).
    """

    pre: NDArray[np.int64]
    post: NDArray[np.int64]
    receptor: NDArray[np.int64]
    delay: NDArray[np.int64]
    weight: NDArray[np.int64]


def synapses(image: BoardImage) -> dict[tuple[str, str], Synapses]:
    """All synapses that the machine would have, by names of the two layers; neurons are those of the layer."""
    found: dict[tuple[str, str], list[NDArray[np.int64]]] = {}
    for post in image.cores:
        reader = kernels_of if "LOCAL_ONLY_PARAMS" in post.regions else _rows_of
        for pre in image.cores:
            if pre.key is not None:
                columns = reader(pre, post, image)
                columns[:2] += [[_first(core.population, image)] for core in (pre, post)]
                found.setdefault((pre.layer, post.layer), []).append(columns)
    joined = {pair: np.concatenate(parts, axis=1) for pair, parts in found.items()}
    return {pair: _sorted(columns) for pair, columns in joined.items() if columns.shape[1]}


def _first(population: str, image: BoardImage) -> int:
    """Number of a population's first neuron in its layer: maps of a layer have the same size."""
    return layer_of(population)[1] * image.populations[population].size


def _sorted(columns: NDArray[np.int64]) -> Synapses:
    pre, post, receptor, delay, _ = columns
    pre, post, receptor, delay, weight = columns[:, np.lexsort((delay, receptor, pre, post))]
    return Synapses(pre=pre, post=post, receptor=receptor, delay=delay, weight=weight)


# -- rows of the synaptic matrix -------------------------------------------------------------------------------------

_HEADER = 3  # words before the synapses of a row; the second is their number
_ENTRY_WORDS = 5  # of the population table
_NO_ADDRESS = (1 << 24) - 1


def _rows_of(pre: PlacedCore, post: PlacedCore, image: BoardImage) -> NDArray[np.int64]:
    """Synapses from one core to another, as columns (pre, post, receptor, delay, weight)."""
    table, matrix = post.regions.get("POPULATION_TABLE"), post.regions.get("SYNAPTIC_MATRIX")
    if table is None or matrix is None or pre.key is None:
        return NONE
    behind = 2 + int(table[0]) * _ENTRY_WORDS
    addresses = table[behind:]
    parts = [NONE]
    for key, mask, packed, core_place, neurons in table[2:behind].reshape(-1, _ENTRY_WORDS).tolist():
        if pre.key & mask != key:
            continue
        start, count = packed & 0x1FFF, packed >> 16
        core_mask, core_shift, per_core = core_place & 0xFFFF, core_place >> 16, neurons & 0xFFFF
        first = (pre.key >> core_shift & core_mask) * per_core
        for address in addresses[start : start + count].tolist():
            if address >> 8 != _NO_ADDRESS:
                block = _block(matrix, (address >> 8) * 4, (address & 0xFF) + 1 + _HEADER, first, len(pre.neurons))
                parts.append(_decode(block, pre, post, image))
    return np.concatenate(parts, axis=1)


def _block(matrix: Words, start: int, width: int, first: int, rows: int) -> Words:
    """Rows [row, word] of one source core; what lies behind the region counts as empty."""
    words = matrix[start + first * width : start + (first + rows) * width]
    padded = np.zeros(rows * width, np.uint32)
    padded[: len(words)] = words
    return padded.reshape(rows, width)


def _decode(block: Words, pre: PlacedCore, post: PlacedCore, image: BoardImage) -> NDArray[np.int64]:
    """Synapses of the rows: weight 16 bits, then delay, receptor and neuron from high bits to low."""
    lengths = block[:, 1].astype(np.int64)
    filled = np.arange(block.shape[1] - _HEADER) < lengths[:, None]
    word = block[:, _HEADER:][filled].astype(np.int64)
    row = np.broadcast_to(np.arange(len(block))[:, None], filled.shape)[filled]
    population = image.populations[post.population]
    neuron_bits = _bits(max(len(c.neurons) for c in image.cores if c.population == post.population))
    receptor_bits = _bits(len(population.shifts))
    neuron = word & ((1 << neuron_bits) - 1)
    receptor = word >> neuron_bits & ((1 << receptor_bits) - 1)
    delay = (word & 0xFFFF) >> (neuron_bits + receptor_bits)
    return np.stack([pre.neurons[row], post.neurons[neuron], receptor, delay + pre.late[row], word >> 16])


def _bits(count: int) -> int:
    """Bits that number ``count`` things, at least one."""
    return max(1, (count - 1).bit_length())
