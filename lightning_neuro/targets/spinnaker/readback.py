"""What sPyNNaker would load onto the machine, decoded: for every pair of populations who reaches whom, how strongly.

sPyNNaker generates the memory of every core on the host, also for a virtual board. This module follows a spike as the
programs on the cores do: its routing key is looked up in the population table of each receiving core, which gives the
row of the synaptic matrix, and every word of the row is one synapse. Cores of convolutions hold kernels instead of
rows; they go through the same geometry as the program does.

Sources: sPyNNaker 7.4.1, ``models/neuron/master_pop_table.py`` and ``synapse_dynamics/synapse_dynamics_static.py`` for
the rows, ``local_only/local_only_convolution.py`` and ``connectors/convolution_connector.py`` for the kernels. What is
done with kernels was read from the instructions of ``IF_curr_exp_conv.aplx``: sources in public repositories differ
from it and from each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedPopulation:
    """One population as sPyNNaker has it.

    Args:
        name: label of the script; ``layer[channel]`` for one of a layer's maps.
        size: neurons.
        shape: neurons along each axis, width first; one number for a list of neurons.
        shifts: ring-buffer shift of the excitatory and the inhibitory receptor; empty for sources of spikes.
    """

    name: str
    size: int
    shape: tuple[int, ...]
    shifts: tuple[int, ...]

    @property
    def layer(self) -> str:
        """Layer of the network."""
        return layer_of(self.name)[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedCore:
    """One core that runs part of a population.

    Args:
        population: name.
        chip: x and y on the machine.
        core: number on the chip.
        sdram: bytes.
        binary: program.
        neurons: numbers of its neurons in the population, in the order of their keys.
        key: routing key of its first neuron; None when it sends nothing.
        colour_bits: low bits of the key that tell time steps apart.
        late: steps by which each of them is late: 0 except on cores that prolong delays and hold several copies.
        regions: contents of memory by region.
    """

    population: str
    chip: tuple[int, int]
    core: int
    sdram: int
    binary: str
    neurons: NDArray[np.int64]
    key: int | None
    colour_bits: int
    late: NDArray[np.int64]
    regions: Mapping[str, Words]

    @property
    def layer(self) -> str:
        """Layer of the network."""
        return layer_of(self.population)[0]


def layer_of(label: str) -> tuple[str, int]:
    """Layer and channel of a population of the script.

    >>> layer_of("conv[3]"), layer_of("output")
    (('conv', 3), ('output', 0))
    """
    found = re.fullmatch(r"(.*)\[(\d+)\]", label)
    return (found[1], int(found[2])) if found else (label, 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoardImage:
    """Everything the probe found.

    Args:
        version: of sPyNNaker.
        boards, chips: size of the machine that the network was placed on.
        chip_places: x and y of every chip.
        populations: by name.
        cores: cores that belong to a population of the script.
        routing_entries: in all routing tables together.
        routing_entries_most: in the fullest table, before compression.
        missing_binaries: programs that are needed and not installed.
        warnings: what sPyNNaker warned of.
    """

    version: str
    boards: int
    chips: int
    chip_places: tuple[tuple[int, int], ...]
    populations: Mapping[str, PlacedPopulation]
    cores: tuple[PlacedCore, ...]
    routing_entries: int
    routing_entries_most: int
    missing_binaries: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """Layers in the order of the script, sources of spikes included."""
        return tuple(dict.fromkeys(p.layer for p in self.populations.values()))

    @property
    def used_chips(self) -> int:
        """Chips with at least one core of the network."""
        return len({core.chip for core in self.cores})

    @property
    def sdram(self) -> int:
        """Bytes of SDRAM of all cores of the network."""
        return sum(core.sdram for core in self.cores)


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


def read_image(folder: Path) -> BoardImage:
    """Read what ``board_probe.py`` wrote into a folder."""
    found = json.loads((folder / "probe.json").read_text())
    with np.load(folder / "probe.npz") as file:
        arrays = dict(file)
    return BoardImage(
        version=found["version"],
        boards=found["machine"]["boards"],
        chips=found["machine"]["chips"],
        chip_places=tuple((x, y) for x, y in found["machine"]["places"]),
        populations={
            p["name"]: PlacedPopulation(
                name=p["name"], size=p["size"], shape=tuple(p["shape"]), shifts=tuple(p["shifts"])
            )
            for p in found["populations"]
        },
        cores=tuple(_core(entry, index, arrays) for index, entry in enumerate(found["cores"])),
        routing_entries=found["routing_entries"],
        routing_entries_most=found["routing_entries_most"],
        missing_binaries=tuple(found["missing_binaries"]),
        warnings=tuple(found["warnings"]),
    )


def _core(entry: Mapping[str, Any], index: int, arrays: Mapping[str, NDArray[Any]]) -> PlacedCore:
    prefix = f"{index}/"
    regions = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    return PlacedCore(
        population=entry["population"],
        chip=(entry["chip"][0], entry["chip"][1]),
        core=entry["core"],
        sdram=entry["sdram"],
        binary=entry["binary"],
        neurons=regions.pop("neurons"),
        key=entry["key"],
        colour_bits=entry["colour_bits"],
        late=regions.pop("late"),
        regions=regions,
    )


def synapses(image: BoardImage) -> dict[tuple[str, str], Synapses]:
    """All synapses that the machine would have, by names of the two layers; neurons are those of the layer."""
    found: dict[tuple[str, str], list[NDArray[np.int64]]] = {}
    for post in image.cores:
        reader = _kernels_of if "LOCAL_ONLY_PARAMS" in post.regions else _rows_of
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


_NONE = np.zeros((5, 0), np.int64)


# -- rows of the synaptic matrix -------------------------------------------------------------------------------------

_HEADER = 3  # words before the synapses of a row; the second is their number
_ENTRY_WORDS = 5  # of the population table
_NO_ADDRESS = (1 << 24) - 1


def _rows_of(pre: PlacedCore, post: PlacedCore, image: BoardImage) -> NDArray[np.int64]:
    """Synapses from one core to another, as columns (pre, post, receptor, delay, weight)."""
    table, matrix = post.regions.get("POPULATION_TABLE"), post.regions.get("SYNAPTIC_MATRIX")
    if table is None or matrix is None or pre.key is None:
        return _NONE
    behind = 2 + int(table[0]) * _ENTRY_WORDS
    addresses = table[behind:]
    parts = [_NONE]
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


# -- kernels of convolutions -----------------------------------------------------------------------------------------

_SOURCE_WORDS, _CONNECTOR_WORDS = 10, 9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kernel:
    """One connector of a convolution as a core holds it; rows come before columns.

    Args:
        weight: signed 16-bit, flat, from the first weight of this kernel on: what lies behind belongs to others.
        shape, padding: geometry.
        stride, pool: constants that stand for divisors (``divide``).
        receptors: of positive and of negative weights.
        delay: steps.
        stage: of a prolonged delay.
    """

    weight: NDArray[np.int64]
    shape: tuple[int, int]
    padding: tuple[int, int]
    stride: tuple[int, int]
    pool: tuple[int, int]
    receptors: tuple[int, int]
    delay: int
    stage: int


def _kernels_of(pre: PlacedCore, post: PlacedCore, image: BoardImage) -> NDArray[np.int64]:
    """Synapses from one core to a core of convolutions, as columns (pre, post, receptor, delay, weight)."""
    words = post.regions["LOCAL_ONLY_PARAMS"]
    sources, connectors = int(words[3]), int(words[4])
    behind = 6 + sources * _SOURCE_WORDS
    kernels = words[behind : behind + connectors * _CONNECTOR_WORDS].reshape(connectors, _CONNECTOR_WORDS)
    weights = words[behind + kernels.size :].view(np.int16).astype(np.int64)
    parts = [_NONE]
    for key, mask, packed, *_ in words[6:behind].reshape(sources, _SOURCE_WORDS).tolist():
        if pre.key is not None and pre.key & mask == key:
            first, count = packed & 0x1FFF, packed >> 16
            slots = 1 << int(post.regions["LOCAL_ONLY"][2])
            chosen = (unpack(row, weights, slots) for row in kernels[first : first + count])
            parts.extend(_convolve(kernel, pre, post, image) for kernel in chosen)
    return np.concatenate(parts, axis=1)


def unpack(words: Words, weights: NDArray[np.int64], slots: int) -> Kernel:
    """Unpack one connector; in a ring of so many slots a delay of 0 is a whole turn."""
    height, width, pad_y, pad_x, positive, negative, stage, delay, first, _ = words[:5].view(np.uint16).tolist()
    stride_y, stride_x, pool_y, pool_x = words[5:].tolist()
    return Kernel(
        weight=weights[first:],
        shape=(height, width),
        padding=(pad_y, pad_x),
        stride=(stride_y, stride_x),
        pool=(pool_y, pool_x),
        receptors=(positive, negative),
        delay=delay or slots,
        stage=stage,
    )


def _convolve(kernel: Kernel, pre: PlacedCore, post: PlacedCore, image: BoardImage) -> NDArray[np.int64]:
    """Every synapse of a connector between two cores."""
    width = image.populations[pre.population].shape[0]
    copy = len(np.unique(pre.neurons))  # the one that this connector listens to
    stage = slice(kernel.stage * copy, (kernel.stage + 1) * copy)
    neurons = pre.neurons[stage]
    spike, row, column, weight = reached(kernel, neurons // width, neurons % width)
    post_width, post_height = image.populations[post.population].shape
    end = row * post_width + column
    there = (row >= 0) & (row < post_height) & (column >= 0) & (column < post_width) & np.isin(end, post.neurons)
    spike, end, weight = spike[there], end[there], weight[there]
    delay = np.full(len(end), kernel.delay + int(pre.late[stage][0]))
    return np.stack([neurons[spike], end, np.where(weight > 0, *kernel.receptors), delay, np.abs(weight)])


def reached(
    kernel: Kernel, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Where the program sends a spike: ``IF_curr_exp_conv.aplx`` of sPyNNaker 7.4.1, instruction by instruction.

    On each axis the place is divided by the pooling, moved back by half a kernel and forth by the padding, and
    divided by the stride. From there the program visits as many places to either side as half a kernel has, the
    kernel read forward: with an odd kernel and stride 1 that is a convolution, torch's with the kernel reversed.
    With an even kernel it reads one weight too many on each axis, and with a stride the wrong ones.

    Args:
        kernel: connector.
        rows, columns: place of each spike in its map.

    Returns:
        Index of the spike, row, column and weight of every synapse that has a weight; places may lie outside.
    """
    ends, taps = [], []
    for axis, places in enumerate((rows, columns)):
        half = kernel.shape[axis] // 2
        centre = divide(places, kernel.pool[axis]) - half + kernel.padding[axis]
        side = np.arange(-half, half + 1)
        ends.append(divide(centre, kernel.stride[axis])[:, None] + side)
        taps.append(side + half)
    shape = (len(rows), len(taps[0]), len(taps[1]))
    index = np.broadcast_to(taps[0][:, None] * kernel.shape[1] + taps[1], shape)
    weight = np.append(kernel.weight, np.zeros(index.max(initial=0) + 1, np.int64))[index]
    spike = np.broadcast_to(np.arange(len(rows))[:, None, None], shape)
    row, column = np.broadcast_to(ends[0][:, :, None], shape), np.broadcast_to(ends[1][:, None, :], shape)
    chosen = weight != 0
    return spike[chosen], row[chosen], column[chosen], weight[chosen]


def divide(numbers: NDArray[np.int64], constant: int) -> NDArray[np.int64]:
    """Signed 16-bit numbers divided as the program does: by a multiplication and two shifts of 32 bits.

    >>> divide(np.array([7, 8, 9]), 0x01015556).tolist(), divide(np.array([5, -5]), 1).tolist()
    ([2, 2, 3], [5, -5])
    """
    multiplier, first, second = constant & 0xFFFF, constant >> 16 & 0xFF, constant >> 24
    word = numbers & 0xFFFFFFFF
    high = (word * multiplier & 0xFFFFFFFF) >> 16
    quotient = (high + (((word - high) & 0xFFFFFFFF) >> first) & 0xFFFFFFFF) >> second
    return ((quotient & 0xFFFF) ^ 0x8000) - 0x8000
