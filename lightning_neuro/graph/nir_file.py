"""Read a NIR file from any tool: the graph, and its metadata or the assumptions that stand in for them."""

from __future__ import annotations

from pathlib import Path

import h5py
import nir
import numpy as np

from lightning_neuro.errors import NirError, first_line
from lightning_neuro.graph.discretise import NEURONS, NIR_RESETS
from lightning_neuro.graph.flatten import Edge, closing_edges, flatten
from lightning_neuro.graph.hardware_graph import ReadoutKind, ResetKind
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.signals import delay_steps


def read_nir(path: Path, *, dt_s: float | None) -> tuple[nir.NIRGraph, Metadata]:
    """Read a graph and its semantics.

    Args:
        path: NIR file.
        dt_s: step in seconds for a file without metadata; refused when the file says otherwise.

    Raises:
        NirError: unreadable, no dt known, or two different ones.
    """
    graph = flatten(_read_graph(path))
    if "schema" in graph.metadata:
        metadata = Metadata.from_dict(graph.metadata, str(path))
        if dt_s is not None and not np.isclose(dt_s, metadata.dt_s, rtol=1e-9):
            raise NirError(
                f"dt={dt_s:g} contradicts the {metadata.dt_s:g} s in the file",
                where=str(path),
                why="the network was trained with its own step; another changes every membrane",
                next_command="leave dt out",
            )
        return graph, metadata
    return graph, _assumed(graph, path, dt_s)


def _read_graph(path: Path) -> nir.NIRGraph:
    if not path.is_file():
        raise NirError(
            "no such NIR file",
            where=str(path),
            why=f"NIR files in {path.parent}: {', '.join(sorted(p.name for p in path.parent.glob('*.nir'))) or 'none'}",
            next_command="deploy FILE.nir target=fpga dt=1e-3",
        )
    if not h5py.is_hdf5(path):
        raise _unreadable(path, "not an HDF5 file (truncated, or of another kind)")
    try:
        graph = nir.read(path)
    except Exception as error:  # nir raises AssertionError, KeyError, ValueError, OSError, ... for damaged files
        raise _unreadable(path, first_line(error)) from error
    if not isinstance(graph, nir.NIRGraph):
        raise _unreadable(path, f"holds a {type(graph).__name__}, not a graph")
    return graph


def _unreadable(path: Path, why: str) -> NirError:
    return NirError(
        "this is not a readable NIR graph",
        where=str(path),
        why=why,
        next_command="export the network again with nir 1.0.8 or later",
    )


def _assumed(graph: nir.NIRGraph, path: Path, dt_s: float | None) -> Metadata:
    neurons = {name: NIR_RESETS[type(node)] for name, node in graph.nodes.items() if type(node) in NEURONS}
    if dt_s is None or not dt_s > 0:
        shortest = min((_shortest_tau(graph.nodes[name]) for name in neurons), default=np.inf)
        example = f"{shortest / 10:.1g}" if np.isfinite(shortest) else "1e-3"
        raise NirError(
            "the file does not say its time step" if dt_s is None else f"dt={dt_s:g} is not positive",
            where=str(path),
            why="NIR is continuous in time; hardware needs the step in seconds the network was trained with "
            f"(snnTorch exports with 1e-4; the shortest time constant here is {shortest:g} s)",
            next_command=f"deploy {path} dt={example} ...",
        )
    silent = [name for name, reset in neurons.items() if reset.kind is ResetKind.NONE]
    outputs = [pre for pre, post in graph.edges if isinstance(graph.nodes.get(post), nir.Output)]
    readout = ReadoutKind.MEMBRANE_MAX if any(name in silent for name in outputs) else ReadoutKind.SPIKE_COUNT
    return Metadata(
        dt_s=dt_s,
        readout=readout,
        resets=neurons,
        steps=None,
        assumptions=(
            "the file has no lightning_neuro metadata: resets act at once and to v_reset, as NIR's equations say",
            f"read-out assumed: {readout.value}",
            f"dt = {dt_s:g} s was given by hand",
            *(f"the edge {pre} -> {post} closes a loop: one step of delay" for pre, post in _closing(graph, dt_s)),
        ),
        tool="foreign",
    )


def _closing(graph: nir.NIRGraph, dt_s: float) -> list[Edge]:
    inputs = [name for name, node in graph.nodes.items() if isinstance(node, nir.Input)]
    delays = {
        name
        for name, node in graph.nodes.items()
        if isinstance(node, nir.Delay) and (delay_steps(name, node, dt_s) > 0).all()
    }
    return sorted(closing_edges(graph.nodes, graph.edges, start=inputs[0] if inputs else "", delays=delays))


def _shortest_tau(node: nir.NIRNode) -> float:
    taus = [np.min(getattr(node, key)) for key in ("tau", "tau_mem", "tau_syn") if hasattr(node, key)]
    return float(min(taus, default=np.inf))
