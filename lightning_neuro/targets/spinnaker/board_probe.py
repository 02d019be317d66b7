"""Runs a PyNN script on sPyNNaker's virtual board and writes down what the board would be given.

Started as a program of its own, in its own process, by ``virtual_board``: it needs numpy and sPyNNaker and nothing of
this package. The script is run unchanged; just before its ``end()`` the placed cores and the bytes that would be
loaded into their memory are copied into two files, ``probe.json`` and ``probe.npz``.

    python board_probe.py FOLDER SCRIPT [ARGUMENT ...]

sPyNNaker lets nobody ask for these things in public: where names start with an underscore there is no other way.
"""

from __future__ import annotations

import json
import logging
import runpy
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

SPIKES = "SPIKE"  # the partition of an ordinary PyNN projection
REGIONS = ("POPULATION_TABLE", "SYNAPTIC_MATRIX", "LOCAL_ONLY", "LOCAL_ONLY_PARAMS")  # memory that holds synapses


class Warnings(logging.Handler):
    """Collects every warning of sPyNNaker once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message."""
        self.messages[record.getMessage()] = None


def probe(folder: Path, warnings: Warnings) -> None:
    """Write down what the board would be given."""
    from spynnaker.pyNN.data import SpynnakerDataView as View

    placements = [p for p in View.iterate_placemements() if p.vertex.app_vertex is not None]
    vertices = list(dict.fromkeys(source_of(p.vertex.app_vertex) for p in placements))
    arrays: dict[str, Any] = {}
    cores = [core(placement, index, arrays) for index, placement in enumerate(placements)]
    tables = list(View.get_uncompressed())
    machine = View.get_machine()
    found = {
        "version": version("sPyNNaker"),
        "machine": {
            "boards": len(machine.ethernet_connected_chips),
            "chips": machine.n_chips,
            "places": [[chip.x, chip.y] for chip in machine.chips],
        },
        "populations": [population(vertex) for vertex in vertices],
        "cores": cores,
        "routing_entries": sum(table.number_of_entries for table in tables),
        "routing_entries_most": max((table.number_of_entries for table in tables), default=0),
        "missing_binaries": missing_binaries(placements),
        "warnings": list(warnings.messages),
    }
    np.savez(folder / "probe.npz", **arrays)
    (folder / "probe.json").write_text(json.dumps(found))


def population(vertex: Any) -> dict[str, Any]:
    """Name, size, shape and ring-buffer shifts (excitatory, inhibitory) of one population."""
    shifts = [int(s) for s in vertex.get_ring_buffer_shifts()] if hasattr(vertex, "get_ring_buffer_shifts") else []
    bits = vertex.synapse_dynamics if shifts else None
    return {
        "name": vertex.label,
        "size": int(vertex.n_atoms),
        "shape": [int(n) for n in vertex.atoms_shape],
        "shifts": shifts,
        "dynamics": type(bits).__name__ if shifts else "",
        "source": not shifts,
        "atoms_per_core": int(vertex.get_max_atoms_per_core()),
    }


def core(placement: Any, index: int, arrays: dict[str, Any]) -> dict[str, Any]:
    """One core: where it is, whose neurons it holds, its memory, its keys and the bytes of its synapses."""
    from spinn_front_end_common.interface.ds import DsSqlliteDatabase
    from spynnaker.pyNN.data import SpynnakerDataView as View

    vertex = placement.vertex
    part = vertex.vertex_slice
    information = View.get_routing_infos().get_info_from(vertex, SPIKES) if sends(vertex) else None
    neurons = np.asarray(part.get_raster_ids(), np.int64)
    stages = late_stages(vertex.app_vertex)
    arrays[f"{index}/neurons"] = np.tile(neurons, len(stages))
    arrays[f"{index}/late"] = np.repeat(np.asarray(stages, np.int64), len(neurons))
    names = {int(region): region.name for region in getattr(type(vertex), "REGIONS", ())}
    with DsSqlliteDatabase(View.get_ds_database_path()) as database:
        contents = database.get_regions_content(placement.x, placement.y, placement.p)
        for region, _, content in contents:
            if names.get(region) in REGIONS:
                arrays[f"{index}/{names[region]}"] = np.frombuffer(bytes(content), np.uint32)
    return {
        "population": source_of(vertex.app_vertex).label,
        "kind": type(vertex).__name__,
        "chip": [placement.x, placement.y],
        "core": placement.p,
        "sdram": sdram_bytes(vertex),
        "binary": vertex.get_binary_file_name(),
        "key": None if information is None else int(information.key),
        "mask": None if information is None else int(information.mask),
        "colour_bits": int(vertex.app_vertex.n_colour_bits),
    }


def source_of(vertex: Any) -> Any:
    """The population whose spikes a vertex sends: another one where it prolongs delays."""
    return vertex.partition.pre_vertex if hasattr(vertex, "delay_per_stage") else vertex


def late_stages(vertex: Any) -> list[int]:
    """Steps by which each copy of the neurons is late: a vertex that prolongs delays sends one copy per stage."""
    if not hasattr(vertex, "delay_per_stage"):
        return [0]
    return [(stage + 1) * int(vertex.delay_per_stage) for stage in range(vertex.n_delay_stages)]


def sends(vertex: Any) -> bool:
    """Whether spikes of this core go anywhere."""
    from spynnaker.pyNN.data import SpynnakerDataView as View

    return View.get_routing_infos().has_info_from(vertex, SPIKES)


def sdram_bytes(vertex: Any) -> int:
    """Bytes of SDRAM one core needs for the simulated time."""
    from spynnaker.pyNN.data import SpynnakerDataView as View

    return int(vertex.sdram_required.get_total_sdram(View.get_current_run_timesteps() or 0))


def missing_binaries(placements: list[Any]) -> list[str]:
    """Programs that a core needs and that are not installed."""
    from spynnaker.pyNN.data import SpynnakerDataView as View

    names = sorted({placement.vertex.get_binary_file_name() for placement in placements})
    absent = []
    for name in names:
        try:
            there = Path(View.get_executable_path(name)).is_file()
        except KeyError:
            there = False
        if not there:
            absent.append(name)
    return absent


def main(arguments: list[str]) -> None:
    """Run the script and probe the board before it ends the simulation."""
    folder, script = Path(arguments[0]), arguments[1]
    import pyNN.spiNNaker as backend

    warnings = Warnings()
    logging.getLogger().addHandler(warnings)
    end = backend.end

    def end_probed(*given: Any, **named: Any) -> Any:
        probe(folder, warnings)
        return end(*given, **named)

    backend.end = end_probed
    sys.argv = [script, *arguments[2:]]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
