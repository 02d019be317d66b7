"""A trained network as a NIR file, for us or for another tool; its spikes are compared before it appears."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nir

from lightning_neuro.checkpoint import Inputs, NetworkRecord
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.errors import ConfigError, NirError
from lightning_neuro.graph import golden
from lightning_neuro.graph.compare import Comparison, compare_run, compare_times
from lightning_neuro.graph.digest import graph_sha256
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.graph.inputs import raster_of
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.graph.nir_hdf5 import write_graph
from lightning_neuro.graph.profile_files import profile_named, write_profile
from lightning_neuro.graph.profiles import PROFILES
from lightning_neuro.publish import nir_file
from lightning_neuro.source import load_source, test_inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    """A written file.

    Args:
        path: where.
        comparison: spikes of the file against those of the network.
        notes: sentences for the person who reads the file with another tool.
    """

    path: Path
    comparison: Comparison
    notes: tuple[str, ...]


def export(path: Path, *, out: Path | None, profile: str | None, dt_s: float | None, samples: int) -> ExportedFile:
    """Write the network of a checkpoint or NIR file as NIR; the file appears only when its spikes are the same.

    Args:
        path: ``.ckpt`` or ``.nir`` file.
        out: file to write; None means beside ``path`` with its name (and the profile's).
        profile: reader to write for; None writes plain NIR with metadata.
        dt_s: step in seconds, for a NIR file without metadata.
        samples: inputs to compare on.

    Raises:
        NeuroError: the source is refused, the profile cannot say the network, or a spike differs.
    """
    if profile is not None:
        profile_named(profile)
    record = load_source(path, dt_s=dt_s).record
    graph = lower(record.graph, record.metadata)
    inputs, notes = test_inputs(record, graph, samples)
    target = out or path.with_suffix(f".{profile}.nir" if profile else ".nir")
    if target.resolve() == path.resolve():
        raise ConfigError(
            f"out={target} is the file that is exported",
            where="out",
            why="it would be overwritten",
            next_command="out=OTHER.nir",
        )
    with nir_file(target, "free some disk space or choose another folder (out=)") as temporary:
        if profile is None:
            comparison = _write_plain(record, graph, temporary, inputs)
        elif isinstance(inputs, SpikeTimeSet):
            raise _stepped_only(profile)
        else:
            comparison = write_profile(graph, profile, temporary, raster_of(inputs, graph, "real"))
    more = (f"for {PROFILES[profile].reader}: {PROFILES[profile].notes}",) if profile else ()
    return ExportedFile(path=target, comparison=comparison, notes=(*record.metadata.assumptions, *notes, *more))


def _stepped_only(profile: str) -> ConfigError:
    return ConfigError(
        f"profile={profile} cannot say a network in continuous time",
        where="profile",
        why="that reader computes step by step; first spikes and their delays would be others",
        next_command="leave profile out: plain NIR keeps time constants and delays in seconds",
    )


def _write_plain(record: NetworkRecord, graph: HardwareGraph, path: Path, inputs: Inputs) -> Comparison:
    nodes, edges = record.graph.nodes, record.graph.edges
    write_graph(path, nir.NIRGraph(nodes=nodes, edges=edges, metadata=record.metadata.to_dict(), type_check=False))
    again = lower(*read_nir(path, dt_s=None))
    if graph_sha256(again) != graph_sha256(graph):
        raise NirError(
            "the written file holds another network",
            where=str(path),
            why="a value did not survive writing and reading",
            next_command="report the network",
        )
    if isinstance(inputs, SpikeTimeSet):
        return compare_times(again, inputs.times, golden.run(graph, inputs.times, arithmetic="event").times)
    raster = raster_of(inputs, graph, "real")
    spikes = golden.run(graph, raster, arithmetic="real", record=True).spikes
    return compare_run(again, raster, spikes, {})
