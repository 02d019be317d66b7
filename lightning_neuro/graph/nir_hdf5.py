"""The HDF5 file of a NIR graph, read with distrust and written so that every reader of nir 1.0.8 takes it.

nir's own reader allocates what a file claims, follows links, recurses, and checks types with rules that refuse
grouped and oblong convolutions. Here sizes are checked before anything is allocated, only plain datasets inside the
file are read, and shapes are checked when the graph is lowered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np

from lightning_neuro.errors import first_line
from lightning_neuro.graph.discretise import NEURONS
from lightning_neuro.graph.flatten import MAX_DEPTH, MAX_EDGES, MAX_NODES
from lightning_neuro.graph.signals import NODES

MAX_NUMBERS = 1 << 27  # in one file; 1 GB in float64
MAX_ITEMS = 20 * MAX_NODES  # groups and datasets

Tree = dict[str, Any]


class Unreadable(Exception):
    """The file is no NIR graph; the text says why, for people."""


@dataclass(slots=True)
class _Budget:
    numbers: int = MAX_NUMBERS
    items: int = MAX_ITEMS


def read_graph(path: Path) -> nir.NIRNode:
    """Read a file's graph without nir's type check.

    Raises:
        Unreadable: not a NIR file, damaged, larger than any network, or made to do harm.
    """
    try:
        with h5py.File(path, "r") as file:
            root = _member(file, "node")
            if not isinstance(root, h5py.Group):
                raise Unreadable("there is no group 'node' in it")
            tree = _read_group(root, "node", _Budget(), 0)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise Unreadable(first_line(error)) from error
    return build_node(tree, "the root")


def write_graph(path: Path, graph: nir.NIRGraph) -> None:
    """Write a graph, leaving out fields that are not set (nir cannot write None or compressed single numbers)."""
    nir.write(path, _Prunable(graph))  # type: ignore[arg-type]  # only to_dict is asked of it


@dataclass(frozen=True, slots=True)
class _Prunable:
    graph: nir.NIRGraph

    def to_dict(self) -> Tree:
        return _pruned(self.graph.to_dict())


def _pruned(tree: Mapping[str, Any]) -> Tree:
    kept: Tree = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            kept[key] = _pruned(value)
        elif isinstance(value, np.ndarray) and value.ndim == 0:
            kept[key] = value.item()
        elif value is not None:
            kept[key] = value
    return kept


# -- HDF5 to plain values ----------------------------------------------------------------------------------------


def _member(group: h5py.Group, key: str) -> object:
    link = group.get(key, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise Unreadable(f"{key!r} is a link to another place, not a value")
    return group[key]


def _read_group(group: h5py.Group, where: str, budget: _Budget, depth: int) -> Tree:
    if depth > 3 * MAX_DEPTH:
        raise Unreadable(f"groups are nested more than {3 * MAX_DEPTH} deep")
    budget.items -= len(group)
    if budget.items < 0:
        raise Unreadable(f"more than {MAX_ITEMS} entries")
    tree: Tree = {}
    for key in map(str, group):
        value = _member(group, key)
        place = f"{where}/{key}"
        if isinstance(value, h5py.Group):
            tree[key] = _read_group(value, place, budget, depth + 1)
        elif isinstance(value, h5py.Dataset):
            tree[key] = _read_dataset(value, place, budget)
        else:
            raise Unreadable(f"{place} is neither a group nor a dataset")
    return tree


def _read_dataset(dataset: h5py.Dataset, where: str, budget: _Budget) -> Any:
    if dataset.is_virtual or dataset.external:
        raise Unreadable(f"{where} keeps its values in another file")
    if dataset.shape is None:
        raise Unreadable(f"{where} is empty")
    if int(np.prod(dataset.shape, dtype=object)) > MAX_NUMBERS:
        raise Unreadable(f"{where} claims {'x'.join(map(str, dataset.shape))} values, more than any network")
    budget.numbers -= int(dataset.size or 0)
    if budget.numbers < 0:
        raise Unreadable(f"more than {MAX_NUMBERS} numbers in all")
    if dataset.dtype.kind not in "fiubOSU" or dataset.dtype.itemsize > 1024:
        raise Unreadable(f"{where} has values of type {dataset.dtype}")
    value = dataset[()]
    return value.decode("utf8") if isinstance(value, bytes) else value


# -- plain values to nodes ---------------------------------------------------------------------------------------


def build_node(tree: Tree, where: str) -> nir.NIRNode:
    """A NIR node, or graph of nodes, from plain values.

    Raises:
        Unreadable: an unknown type, a missing or surplus parameter, or values nir itself refuses.
    """
    kind = tree.get("type")
    if not isinstance(kind, str):
        raise Unreadable(f"{where} has no type")
    return _build_graph(tree, where) if kind == "NIRGraph" else _build_leaf(tree, kind, where)


def _build_graph(tree: Tree, where: str) -> nir.NIRGraph:
    nodes, edges = tree.get("nodes"), tree.get("edges")
    if not isinstance(nodes, dict) or not all(isinstance(node, dict) for node in nodes.values()):
        raise Unreadable(f"{where} has no nodes")
    pairs = np.asarray([] if edges is None else edges)
    if edges is None or (pairs.size and (pairs.ndim != 2 or pairs.shape[1] != 2)) or len(pairs) > MAX_EDGES:
        raise Unreadable(f"{where} has no list of edges (pairs of node names)")
    metadata = tree.get("metadata", {})
    if not isinstance(metadata, dict):
        raise Unreadable(f"metadata of {where} is not a group")
    return nir.NIRGraph(
        nodes={name: build_node(node, f"node {name!r}") for name, node in nodes.items()},
        edges=[(_text(pre, where), _text(post, where)) for pre, post in pairs],
        metadata=metadata,
        type_check=False,
    )


def _text(value: object, where: str) -> str:
    if not isinstance(value, bytes | str):
        raise Unreadable(f"an edge of {where} names {value!r}, not a node")
    return value.decode("utf8", "replace") if isinstance(value, bytes) else value


def _build_leaf(tree: Tree, kind: str, where: str) -> nir.NIRNode:
    base = _kinds().get(kind)
    if base is None:
        raise Unreadable(f"{where} is a {kind[:40]!r}; known are {', '.join(_kinds())}")
    needed = _needed(base)
    missing = sorted(needed - tree.keys())
    if missing:
        raise Unreadable(f"{where} ({kind}) lacks {', '.join(missing)}")
    values = dict(tree)
    words = [key for key, value in values.items() if _is_text(value) and key not in ("type", "padding")]
    groups = [key for key, value in values.items() if isinstance(value, dict) and key != "metadata"]
    if words or groups:
        raise Unreadable(f"{where} ({kind}) has no numbers in {', '.join((*words, *groups))}")
    # nir infers shapes from input_shape by rules of its own (square kernels, one group); ours are checked later.
    claimed = values.pop("input_shape", None) if base in (nir.Conv1d, nir.Conv2d) else None
    if base in (nir.Conv1d, nir.Conv2d):
        values["input_shape"] = None
    try:
        node = base.from_dict(values)
    except Exception as error:  # assertions and anything numpy raises inside nir's constructors
        raise Unreadable(f"{where} ({kind}): {first_line(error)}") from error
    if claimed is not None:
        node.input_shape = claimed  # type: ignore[attr-defined]
    return node


def _is_text(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, np.ndarray) and value.dtype.kind in "OSU")


def _needed(base: type[nir.NIRNode]) -> set[str]:
    """Parameters without a default, as they are called in a file."""
    if base in (nir.Input, nir.Output):
        return {"shape"}
    optional = {"input_shape", "input_type", "output_type", "metadata", "v_reset"}
    return {
        f.name
        for f in dataclasses.fields(base)
        if f.name not in optional and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }


def _kinds() -> dict[str, type[nir.NIRNode]]:
    """Nodes that can be read, by the name that a file gives them."""
    return {kind.__name__: kind for kind in (*NODES, *NEURONS)}
