"""What sPyNNaker would load onto the machine, decoded: for every pair of populations who reaches whom, how strongly.

sPyNNaker generates the memory of every core on the host, also for a virtual board. This module follows a spike as the
programs on the cores do: its routing key is looked up in the population table of each receiving core, which gives the
row of the synaptic matrix, and every word of the row is one synapse. Cores of convolutions hold kernels instead of
rows; they go through the same geometry as the program does.

Sources: sPyNNaker 7.4.1, ``models/neuron/master_pop_table.py`` and ``synapse_dynamics/synapse_dynamics_static.py`` for
the rows, ``local_only/local_only_convolution.py`` and ``connectors/convolution_connector.py`` for the kernels, and
``neural_modelling/src/neuron/local_only/local_only_conv_impl.c`` (public repository) for what is done with them.
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
        weight: signed 16-bit, flat; ``weight[row * width + column]``.
        shape, padding, stride, pool: geometry.
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
            chosen = (_kernel(row, weights, slots) for row in kernels[first : first + count])
            parts.extend(_convolve(kernel, pre, post, image) for kernel in chosen)
    return np.concatenate(parts, axis=1)


def _kernel(words: Words, weights: NDArray[np.int64], slots: int) -> Kernel:
    """Unpack one connector; in a ring of so many slots a delay of 0 is a whole turn."""
    height, width, pad_y, pad_x, positive, negative, stage, delay, first, _ = words[:5].view(np.uint16).tolist()
    stride_y, stride_x, pool_y, pool_x = (_divisor(int(word)) for word in words[5:])
    return Kernel(
        weight=weights[first : first + height * width],
        shape=(height, width),
        padding=(pad_y, pad_x),
        stride=(stride_y, stride_x),
        pool=(pool_y, pool_x),
        receptors=(positive, negative),
        delay=delay or slots,
        stage=stage,
    )


def _divisor(packed: int) -> int:
    """The number that a packed constant divides by: the machine multiplies and shifts instead.

    >>> _divisor(1), _divisor(0x10001), _divisor(0x01015556)
    (1, 2, 3)
    """
    multiplier, first, second = packed & 0xFFFF, packed >> 16 & 0xFF, packed >> 24
    for divisor in range(1, 1 << 15):
        bits = (divisor - 1).bit_length()
        factor = (((1 << bits) - divisor) << 16) // divisor + 1
        if (multiplier, first, second) == (factor & 0xFFFF, min(bits, 1), max(bits - 1, 0)):
            return divisor
    raise ValueError(f"{packed:#x} is no packed divisor")


def _convolve(kernel: Kernel, pre: PlacedCore, post: PlacedCore, image: BoardImage) -> NDArray[np.int64]:
    """Every synapse of a connector between two cores.

    A spike at (row, column) is divided by the pooling, moved by the padding and meets the kernel from its far end:
    for each ``i`` of the kernel with ``place - i`` on the stride, post is ``(place - i) / stride`` and the weight
    ``kernel[size - 1 - i]``, on both axes. What torch calls a convolution meets it from the near end.
    """
    width = image.populations[pre.population].shape[0]
    neurons = pre.neurons[_stage(kernel, pre)]
    row, post_row = _axis(kernel, 0, neurons // width)
    column, post_column = _axis(kernel, 1, neurons % width)
    post_width = image.populations[post.population].shape[0]
    post_height = image.populations[post.population].shape[1]
    # [neuron, kernel row, kernel column]
    ends = post_row[:, :, None] * post_width + post_column[:, None, :]
    inside = (post_row >= 0) & (post_row < post_height)
    valid = inside[:, :, None] & ((post_column >= 0) & (post_column < post_width))[:, None, :]
    valid &= np.isin(ends, post.neurons)
    weight = kernel.weight[row[:, None] * kernel.shape[1] + column[None, :]]
    signed = np.broadcast_to(weight, valid.shape)[valid]
    sources = np.broadcast_to(neurons[:, None, None], valid.shape)[valid]
    columns = np.stack(
        [
            sources,
            ends[valid],
            np.where(signed > 0, *kernel.receptors),
            np.full(len(signed), kernel.delay + pre.late[_stage(kernel, pre)][0]),
            np.abs(signed),
        ]
    )
    return columns[:, signed != 0]


def _stage(kernel: Kernel, pre: PlacedCore) -> slice:
    """The copy of the neurons that a connector listens to."""
    copy = len(np.unique(pre.neurons))
    return slice(kernel.stage * copy, (kernel.stage + 1) * copy)


def _axis(kernel: Kernel, axis: int, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weights met along one axis [tap] and the neurons behind them [spike, tap]; -1 where there is none."""
    taps = np.arange(kernel.shape[axis])
    padded = places // kernel.pool[axis] + kernel.padding[axis]
    behind = padded[:, None] - taps[None, :]
    post = np.where(behind % kernel.stride[axis] == 0, behind // kernel.stride[axis], -1)
    return kernel.shape[axis] - 1 - taps, post
