"""Write a network for the reader behind a profile, and check the file as that reader would take it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from lightning_neuro import __version__
from lightning_neuro.errors import ConfigError, NirError, first_line
from lightning_neuro.graph import golden
from lightning_neuro.graph.compare import Comparison, compare_run
from lightning_neuro.graph.hardware_graph import (
    HardwareGraph,
    Reset,
    ResetKind,
)
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.graph.nir_hdf5 import write_graph
from lightning_neuro.graph.profile_nodes import weight_nodes
from lightning_neuro.graph.profile_refusals import refusals
from lightning_neuro.graph.profiles import PROFILES, Profile, kind_of


def profile_named(name: str) -> Profile:
    """Profile by name.

    Raises:
        ConfigError: there is none.
    """
    if name not in PROFILES:
        raise ConfigError(
            f"profile={name} is unknown",
            where="profile",
            why=f"profiles: {', '.join(PROFILES)}; without profile= the file is plain NIR that says everything",
            next_command="profile=norse",
        )
    return PROFILES[name]


def write_profile(graph: HardwareGraph, name: str, path: Path, raster: NDArray[Any]) -> Comparison:
    """Write a graph for another tool's reader and check the file by what that reader would make of it.

    Args:
        graph: lowered, in real numbers.
        name: one of ``PROFILES``.
        path: file to write.
        raster: input spikes [sample, step, n] for the check (and for rules that depend on activity).

    Raises:
        NirError: the reader would compute something else; every reason is listed.
        ConfigError: no such profile.
    """
    profile = profile_named(name)
    recording = golden.run(graph, raster, arithmetic="real", record=True)
    reasons = refusals(graph, profile, recording)
    if reasons:
        raise NirError(
            f"profile={name} cannot say this network: " + "; ".join(reasons),
            where=f"profile={name}",
            why=f"{profile.reader} would compute other spikes",
            next_command="another profile, or change the network: reset zero at once is what most readers know",
        )
    dt = profile.dt(graph.dt_s)
    write_graph(path, _written(graph, profile, name, dt))
    _readable(path)
    found = compare_run(_as_read(path, graph, profile, dt), raster, _spikes(graph, recording), {})
    if found.mismatches:
        path.unlink()
        raise NirError(
            f"the file does not repeat the network's spikes: {found}",
            where=f"profile={name}",
            why="single precision moved a membrane across its threshold, or the profile is wrong",
            next_command="leave profile= out, and report the network",
        )
    return found


def _spikes(graph: HardwareGraph, recording: golden.Recording) -> dict[str, NDArray[Any]]:
    quiet = {p.name for p in graph.populations if kind_of(p) in ("li", "i", "cuba_li")}
    return {_safe(name): raster for name, raster in recording.spikes.items() if name not in quiet}


def _safe(name: str) -> str:
    return name.replace(".", "_").replace("/", "_")


def _written(graph: HardwareGraph, profile: Profile, name: str, dt: float) -> nir.NIRGraph:
    nodes: dict[str, nir.NIRNode] = {_safe(graph.input.name): nir.Input({"input": np.array(graph.input.shape)})}
    edges: list[tuple[str, str]] = []
    shapes = {graph.input.name: graph.input.shape, **{p.name: p.shape for p in graph.populations}}
    for population in graph.populations:
        post = _safe(population.name)
        written = profile.neurons[kind_of(population)](population, dt)
        nodes[post] = written.node
        bias = population.bias.real
        incoming = sorted(graph.into(population.name), key=lambda p: p.delay)
        for k, projection in enumerate(incoming):
            late = [x.values.real for x in population.late_biases] if projection.delay else []
            drive = late[0] if late else bias if k == 0 else np.zeros(population.size)
            chain = weight_nodes(projection, population, shapes[projection.pre], written.factor, drive, profile)
            last = _safe(projection.pre)
            for j, node in enumerate(chain):
                here = f"{_safe(projection.pre)}_to_{post}_{j}"
                nodes[here] = node
                edges.append((last, here))
                last = here
            edges.append((last, post))
    size = graph.population(graph.output).shape
    nodes["output"] = nir.Output({"output": np.array(size)})
    edges.append((_safe(graph.output), "output"))
    metadata = {"profile": name, "reader": profile.reader, "dt": dt, "tool": f"lightning_neuro {__version__}"}
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={**metadata, "notes": profile.notes}, type_check=False)


def _readable(path: Path) -> None:
    """The readers call ``nir.read``, whose type check knows square kernels and single groups only."""
    try:
        nir.read(path)
    except Exception as error:
        path.unlink()
        raise NirError(
            "nir's own type check refuses the file",
            where=str(path),
            why=first_line(error),
            next_command="use square kernels and groups=1, or leave profile= out",
        ) from error


def _as_read(path: Path, graph: HardwareGraph, profile: Profile, dt: float) -> HardwareGraph:
    """What the reader computes, in our terms."""
    read, metadata = read_nir(path, dt_s=dt)
    if profile.unit_if:
        for node in read.nodes.values():
            if isinstance(node, nir.IF):
                node.r = node.r / dt
    if profile.flat_subtract:
        for node in read.nodes.values():
            if isinstance(node, nir.LIF | nir.LI):
                node.tau = 1.0 / (1.0 - np.exp(-1.0 / node.tau))  # the Euler step with the reader's decay
                node.r = node.tau  # and the whole input
        subtract = Reset(kind=ResetKind.SUBTRACT, delay=0)
        resets = {k: r if r.kind is ResetKind.NONE else subtract for k, r in metadata.resets.items()}
        metadata = dataclasses.replace(metadata, resets=resets)
    return lower(read, _with_readout(metadata, graph))


def _with_readout(metadata: Metadata, graph: HardwareGraph) -> Metadata:
    return dataclasses.replace(metadata, readout=graph.readout)
