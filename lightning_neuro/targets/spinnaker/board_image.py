"""What the probe of a virtual board wrote down: populations, cores, and the memory that each core would get."""

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
