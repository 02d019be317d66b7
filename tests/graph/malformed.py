"""Damaged NIR files by the hundred: three sound files, and every way to break each of their parts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import h5py
import nir
import numpy as np

from lightning_neuro.graph.nir_hdf5 import write_graph

Damage = Callable[[Path], object]
DT = 1e-4


def _full(n: int, **values: float) -> dict[str, np.ndarray]:
    return {key: np.full(n, value) for key, value in values.items()}


def _shape(*n: int) -> np.ndarray:
    return np.array(n)


def dense() -> nir.NIRGraph:
    lif = _full(3, tau=1e-3, r=10.0, v_leak=0.0, v_threshold=1.0, v_reset=0.0)
    nodes = {
        "input": nir.Input(_shape(4)),
        "fc": nir.Affine(np.full((3, 4), 0.5), np.zeros(3)),
        "scale": nir.Scale(np.ones(3)),
        "delay": nir.Delay(np.full(3, 2 * DT)),
        "lif": nir.LIF(**lif),
        "out": nir.Linear(np.ones((2, 3))),
        "li": nir.LI(**_full(2, tau=1e-3, r=10.0, v_leak=0.0)),
        "output": nir.Output(_shape(2)),
    }
    return nir.NIRGraph(nodes=nodes, edges=list(pairwise(nodes)))


def recurrent() -> nir.NIRGraph:
    cuba = _full(3, tau_syn=5e-4, tau_mem=1e-3, r=10.0, v_leak=0.0, v_threshold=1.0, v_reset=0.0, w_in=5.0)
    inner = nir.NIRGraph(
        nodes={
            "input": nir.Input(_shape(3)),
            "lif": nir.CubaLIF(**cuba),
            "w_rec": nir.Linear(np.full((3, 3), -0.1)),
            "output": nir.Output(_shape(3)),
        },
        edges=[("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )
    nodes = {"input": nir.Input(_shape(3)), "layer": inner, "output": nir.Output(_shape(3))}
    return nir.NIRGraph(nodes=nodes, edges=list(pairwise(nodes)))


def convolutional() -> nir.NIRGraph:
    def conv(out: int, inputs: int, size: int) -> nir.Conv2d:
        weight = np.full((out, inputs, 3, 3), 0.2)
        geometry = {"stride": _shape(1, 1), "padding": _shape(1, 1), "dilation": _shape(1, 1), "groups": 1}
        return nir.Conv2d(input_shape=_shape(size, size), weight=weight, bias=np.zeros(out), **geometry)

    nodes = {
        "input": nir.Input(_shape(2, 8, 8)),
        "conv": conv(4, 2, 8),
        "if": nir.IF(r=np.full((4, 8, 8), 1 / DT), v_threshold=np.ones((4, 8, 8)), v_reset=np.zeros((4, 8, 8))),
        "pool": nir.SumPool2d(_shape(2, 2), _shape(2, 2), _shape(0, 0)),
        "flat": nir.Flatten({"input": _shape(4, 4, 4)}, 0, -1),
        "fc": nir.Affine(np.full((2, 64), 0.1), np.zeros(2)),
        "last": nir.IF(**_full(2, r=1 / DT, v_threshold=1.0, v_reset=0.0)),
        "output": nir.Output(_shape(2)),
    }
    return nir.NIRGraph(nodes=nodes, edges=list(pairwise(nodes)))


BASES: dict[str, Callable[[], nir.NIRGraph]] = {
    "dense": dense,
    "recurrent": recurrent,
    "convolutional": convolutional,
}
# A file may leave these out: NIR gives them a meaning when absent.
OPTIONAL = {"v_reset", "input_shape", "input_type", "w_in", "start_dim", "end_dim"}


def write_bases(folder: Path) -> None:
    for name, make in BASES.items():
        write_graph(folder / f"{name}.nir", make())


def damaged(folder: Path, target: Path, base: str, damage: Damage) -> Path:
    shutil.copy(folder / f"{base}.nir", target)
    damage(target)
    return target


def cases(folder: Path) -> Iterator[tuple[str, str, Damage]]:
    """(name, base, damage) of every case."""
    for base in BASES:
        size = (folder / f"{base}.nir").stat().st_size
        for tenth in range(10):
            yield f"{base}: cut to {tenth} tenths", base, _cut(size * tenth // 10)
        for path in _datasets(folder / f"{base}.nir"):
            if path.startswith("node/"):
                for name, damage in _of_dataset(path):
                    yield f"{base}: {path}: {name}", base, damage
        for name, damage in STRUCTURE.items():
            yield f"{base}: {name}", base, damage
    for base, values in VALUES.items():
        for path, new in values:
            yield f"{base}: {path} {np.shape(new)} = {str(new)[:40]}", base, _put(f"node/nodes/{path}", new)


def _datasets(path: Path) -> list[str]:
    found: list[str] = []
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def _of_dataset(path: str) -> Iterator[tuple[str, Damage]]:
    key = path.rsplit("/", 1)[1]
    if key not in OPTIONAL:
        yield "missing", _drop(path)
    yield "a group", _group_at(path)
    yield "10^9 values", _claim(path, (10**9,))
    yield "2^62 values", _claim(path, (2**31, 2**31))
    yield "complex", _put(path, np.ones(3, complex))
    yield "link to another file", _external(path)
    if key in ("type", "edges"):
        yield "a number", _put(path, 3)
        return
    yield "text", _put(path, "three")
    if key in ("start_dim", "end_dim", "groups"):
        yield "no axis", _put(path, 99)
        yield "fraction", _put(path, 0.5)
        return
    yield "NaN", _fill(path, np.nan)
    yield "no values", _put(path, np.zeros(0))
    yield "five axes", _put(path, np.ones((2, 1, 1, 1, 3)))
    if key not in ("stride", "padding", "dilation", "kernel_size", "w_in", "scale", "delay"):
        yield "0-d", _put(path, 1.0)


# -- ways to damage ----------------------------------------------------------------------------------------------


def _cut(size: int) -> Damage:
    return lambda path: path.write_bytes(path.read_bytes()[:size])


def _edit(change: Callable[[h5py.File], object]) -> Damage:
    def damage(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)

    return damage


def _replace(file: h5py.File, path: str, **options: object) -> None:
    if path in file:
        del file[path]
    file.create_dataset(path, **options)


def _put(path: str, value: object) -> Damage:
    return _edit(lambda f: _replace(f, path, data=value))


def _drop(path: str) -> Damage:
    return _edit(lambda f: f.pop(path))


def _fill(path: str, value: float) -> Damage:
    return _edit(lambda f: _replace(f, path, data=np.full(np.shape(f[path]), value)))


def _claim(path: str, shape: tuple[int, ...]) -> Damage:
    """A dataset that claims to be huge and takes no space in the file."""
    chunks = (1 << 16,) * len(shape) if len(shape) == 1 else (1 << 8, 1 << 8)
    return _edit(lambda f: _replace(f, path, shape=shape, dtype="f8", chunks=chunks, compression="gzip"))


def _external(path: str) -> Damage:
    def change(file: h5py.File) -> None:
        file.pop(path)
        file[path] = h5py.ExternalLink("/etc/passwd", "/")

    return _edit(change)


def _group_at(path: str) -> Damage:
    def change(file: h5py.File) -> None:
        file.pop(path)
        file.create_group(path)

    return _edit(change)


def _edges(change: Callable[[list[tuple[str, str]]], object]) -> Damage:
    def damage(file: h5py.File) -> None:
        pairs = [(a.decode(), b.decode()) for a, b in np.asarray(file["node/edges"])]
        new = change(pairs)
        _replace(file, "node/edges", data=np.array(new, dtype="S") if new else np.zeros((0, 2), "S1"))

    return _edit(damage)


def _node(name: str, kind: str, **values: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        for key, value in {"type": kind, **values}.items():
            file.create_dataset(f"node/nodes/{name}/{key}", data=value)

    return change


def _with_node(name: str, kind: str, *edges: tuple[str, str], **values: object) -> Damage:
    def damage(path: Path) -> None:
        _edit(_node(name, kind, **values))(path)
        _edges(lambda pairs: pairs + list(edges))(path)

    return damage


def _hard_cycle(file: h5py.File) -> None:
    file["node/nodes/again"] = file["node"]


def _soft_cycle(file: h5py.File) -> None:
    file["node/nodes/again"] = h5py.SoftLink("/node")


def _deep(file: h5py.File) -> None:
    place = "node/nodes/deep"
    for _ in range(200):
        file.create_dataset(f"{place}/type", data="NIRGraph")
        place += "/nodes/x"
    file.create_dataset(f"{place}/type", data="Input")


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(shape=(3,), dtype="f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(3,))
    file.create_group("node/nodes/v").create_virtual_dataset("r", layout)


def _metadata(**values: object) -> Damage:
    sound = {
        "schema": 1, "tool": "t", "dt": DT, "time_unit": "s", "integration": "euler", "readout": "spike_count",
        "resets": "{}", "steps": 5, "coding": "{}", "assumptions": "[]",
    }  # fmt: skip

    def change(file: h5py.File) -> None:
        for key, value in {**sound, **values}.items():
            file.create_dataset(f"node/metadata/{key}", data=value)

    return _edit(change)


STRUCTURE: dict[str, Damage] = {
    "empty file": lambda path: path.write_bytes(b""),
    "other bytes": lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 5000),
    "text": lambda path: path.write_text("a neural network"),
    "no root": _drop("node"),
    "root is a number": _put("node", 3),
    "root is one neuron": _put("node/type", "LIF"),
    "root of unknown type": _put("node/type", "Brain"),
    "no nodes": _drop("node/nodes"),
    "nodes are numbers": _put("node/nodes", np.ones(3)),
    "no edges": _edges(lambda pairs: []),
    "edges in threes": _put("node/edges", np.array([["input", "a", "b"]], dtype="S")),
    "edge from nowhere": _edges(lambda pairs: [*pairs, ("ghost", "output")]),
    "edge to nowhere": _edges(lambda pairs: [*pairs, ("input", "ghost")]),
    "edge twice": _edges(lambda pairs: [*pairs, pairs[0]]),
    "output fed by the input": _edges(lambda pairs: [*pairs, ("input", "output")]),
    "output leads on": _edges(lambda pairs: [*pairs, ("output", pairs[0][1])]),
    "input is fed": _edges(lambda pairs: [*pairs, (pairs[0][1], "input")]),
    "node of unknown type": _with_node("x", "Izhikevich", ("input", "x"), a=np.ones(3)),
    "node of a type that is long": _with_node("x", "L" * 100_000, ("input", "x")),
    "second input": _with_node("x", "Input", ("x", "output"), shape=np.array([3])),
    "second output": _with_node("x", "Output", ("input", "x"), shape=np.array([3])),
    "empty inner graph": _with_node("x", "NIRGraph", ("input", "x")),
    "linear loop": _with_node("x", "Linear", ("x", "x"), weight=np.eye(3)),
    "linear loop through a delay": _with_node("x", "Delay", ("x", "x"), delay=np.full(3, DT)),
    "graph within itself": _edit(_hard_cycle),
    "link to itself": _edit(_soft_cycle),
    "graphs 200 deep": _edit(_deep),
    "values in another file": _edit(_virtual),
    "metadata: dt NaN": _metadata(dt=np.nan),
    "metadata: dt negative": _metadata(dt=-1e-3),
    "metadata: dt other": _metadata(dt=7e-4),
    "metadata: dt text": _metadata(dt="soon"),
    "metadata: schema of the future": _metadata(schema=99),
    "metadata: resets no JSON": _metadata(resets="{"),
    "metadata: resets a list": _metadata(resets="[1]"),
    "metadata: reset unknown": _metadata(resets='{"lif": "explode/0"}'),
    "metadata: reset late": _metadata(resets='{"lif": "zero/7"}'),
    "metadata: read-out unknown": _metadata(readout="telepathy"),
    "metadata: 10^18 steps": _metadata(steps=10**18),
    "metadata: steps text": _metadata(steps="many"),
}

VALUES: dict[str, list[tuple[str, object]]] = {
    "dense": [
        ("input/shape", np.array([5])),
        ("input/shape", np.array([-4])),
        ("input/shape", np.array([10**9])),
        ("input/shape", np.array([2**31, 2**31])),
        ("output/shape", np.array([3])),
        ("output/shape", np.array([10**9])),
        ("fc/weight", np.ones((3, 5))),
        ("fc/weight", np.ones((2, 4))),
        ("fc/bias", np.ones(4)),
        ("fc/bias", np.full(3, np.inf)),
        ("scale/scale", np.ones(4)),
        ("delay/delay", np.full(3, 1.5 * DT)),
        ("delay/delay", np.full(3, -DT)),
        ("delay/delay", np.full(3, 1e12)),
        ("delay/delay", np.full(2, DT)),
        ("lif/tau", np.zeros(3)),
        ("lif/tau", np.full(3, -1e-3)),
        ("lif/tau", np.full(3, 1e-6)),
        ("lif/tau", np.full(3, np.inf)),
        ("lif/tau", np.full(2, 1e-3)),
        ("lif/v_threshold", np.ones(4)),
        ("lif/v_reset", np.ones(5)),
        ("lif/type", "IF"),
        ("lif/type", "Conv2d"),
        ("li/type", "Threshold"),
    ],
    "recurrent": [
        ("layer/nodes/w_rec/weight", np.ones((2, 3))),
        ("layer/nodes/lif/w_in", np.ones(2)),
        ("layer/nodes/lif/w_in", np.full(3, np.nan)),
        ("layer/nodes/lif/tau_syn", np.full(3, 1e-6)),
        ("layer/nodes/input/type", "Output"),
        ("layer/nodes/output/type", "Brain"),
        ("layer/edges", np.array([["input", "ghost"]], dtype="S")),
        ("layer/edges", np.array([["input", "output"], ["input", "output"]], dtype="S")),
    ],
    "convolutional": [
        ("input/shape", np.array([2, 9, 8])),
        ("input/shape", np.array([128])),
        ("input/shape", np.array([2, 10**9, 10**9])),
        ("conv/stride", np.array([0, 1])),
        ("conv/stride", np.array([-1, 1])),
        ("conv/stride", np.array([1.5, 1])),
        ("conv/stride", np.array([1, 1, 1])),
        ("conv/padding", np.array([10**9, 1])),
        ("conv/padding", np.array([-1, 1])),
        ("conv/padding", "reflect"),
        ("conv/dilation", np.array([0, 0])),
        ("conv/dilation", np.array([99, 99])),
        ("conv/groups", 3),
        ("conv/groups", 0),
        ("conv/groups", -1),
        ("conv/groups", 2),
        ("conv/weight", np.ones((4, 3, 3, 3))),
        ("conv/weight", np.ones((5, 2, 3, 3))),
        ("conv/weight", np.ones((4, 2, 50, 50))),
        ("conv/weight", np.ones((4, 2, 3))),
        ("conv/bias", np.ones(5)),
        ("conv/input_shape", np.array([7, 8])),
        ("pool/kernel_size", np.array([0, 2])),
        ("pool/kernel_size", np.array([99, 99])),
        ("pool/stride", np.array([0, 0])),
        ("pool/padding", np.array([2, 2])),
        ("flat/end_dim", -9),
        ("fc/weight", np.ones((2, 63))),
        ("if/r", np.ones((4, 8, 7))),
    ],
}
