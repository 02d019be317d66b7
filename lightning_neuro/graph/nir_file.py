"""Read a NIR file from any tool: the graph, and its metadata or the assumptions that stand in for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np

from lightning_neuro.errors import NirError
from lightning_neuro.graph.discretise import NEURONS
from lightning_neuro.graph.flatten import Edge, closing_edges, flatten
from lightning_neuro.graph.hardware_graph import ReadoutKind, ResetKind, TimeBase
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.nir_hdf5 import Unreadable, read_graph
from lightning_neuro.graph.signals import delay_steps

FOREIGN = "foreign"  # tool of a file that says nothing about itself


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
        stepped = metadata.time is TimeBase.STEPPED  # else dt says how fine the hardware's steps are
        if stepped and dt_s is not None and not np.isclose(dt_s, metadata.dt_s, rtol=1e-9):
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
        graph = read_graph(path)
    except Unreadable as error:
        raise _unreadable(path, str(error)) from error
    if not isinstance(graph, nir.NIRGraph):
        raise _unreadable(path, f"holds a {type(graph).__name__}, not a graph")
    return with_ports(graph)


def with_ports(graph: nir.NIRGraph) -> nir.NIRGraph:
    """Add the Input or Output node that a file leaves out, where it is clear in front of or behind which node."""
    nodes, edges = dict(graph.nodes), list(graph.edges)
    kinds = {type(node) for node in nodes.values()}
    firsts = sorted(nodes.keys() - {post for _, post in edges})
    lasts = sorted(nodes.keys() - {pre for pre, _ in edges})
    if nir.Input not in kinds and len(firsts) == 1 and (shape := _known(nodes[firsts[0]].input_type)) is not None:
        nodes["input"] = nir.Input({"input": shape})
        edges.append(("input", firsts[0]))
    if nir.Output not in kinds and len(lasts) == 1 and (shape := _known(nodes[lasts[0]].output_type)) is not None:
        nodes["output"] = nir.Output({"output": shape})
        edges.append((lasts[0], "output"))
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata=graph.metadata, type_check=False)


def _known(types: Mapping[str, Any] | None) -> np.ndarray | None:
    value = next(iter(types.values()), None) if types else None
    return None if value is None else np.asarray(value)


def _unreadable(path: Path, why: str) -> NirError:
    return NirError(
        "this is not a readable NIR graph",
        where=str(path),
        why=why,
        next_command="export the network again with nir 1.0.8 or later",
    )


def _assumed(graph: nir.NIRGraph, path: Path, dt_s: float | None) -> Metadata:
    neurons = {name: NEURONS[type(node)].reset for name, node in graph.nodes.items() if type(node) in NEURONS}
    if dt_s is None or not dt_s > 0:
        shortest = min((_shortest_tau(graph.nodes[name]) for name in neurons), default=np.inf)
        example = f"{shortest / 10:.1g}" if np.isfinite(shortest) else "1"
        raise NirError(
            "the file does not say its time step" if dt_s is None else f"dt={dt_s:g} is not positive",
            where=str(path),
            why="NIR is continuous in time; hardware needs the step in seconds the network was trained with "
            f"({_dt_advice(shortest)})",
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
        tool=FOREIGN,
    )


def _dt_advice(shortest: float) -> str:
    if np.isfinite(shortest):
        return f"snnTorch exports with 1e-4; the shortest time constant here is {shortest:g} s"
    return "integrate-and-fire neurons with r = 1 count time in steps: dt=1"


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
