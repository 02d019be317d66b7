"""A whole graph once more, for tests only: every neuron and step in plain Python, connections as dense matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lightning_neuro.graph.hardware_graph import Connection, Convolution, CubaLif, Dense, HardwareGraph, Pooled
from tests.graph.reference import leak


def dense_of(connection: Connection, raw: bool) -> np.ndarray:
    """The connection as a matrix [post, pre], by torch's own convolution and pooling of unit vectors."""
    if isinstance(connection, Pooled):
        return dense_of(connection.then, raw) @ _pool_matrix(connection)
    weight = connection.weight.integers() if raw else connection.weight.real
    if isinstance(connection, Dense):
        return weight
    assert isinstance(connection, Convolution)
    window = connection.window
    units = torch.eye(int(np.prod(window.input_shape)), dtype=torch.float64).reshape(-1, *window.input_shape)
    units = torch.nn.functional.pad(units, [n for pair in window.padding[::-1] for n in pair])
    convolve = {1: torch.nn.functional.conv1d, 2: torch.nn.functional.conv2d}[len(window.kernel)]
    columns = convolve(
        units, torch.tensor(weight, dtype=torch.float64), stride=window.stride, dilation=window.dilation,
        groups=connection.groups,
    )  # fmt: skip
    matrix = columns.flatten(1).T.numpy()
    return np.rint(matrix).astype(np.int64) if raw else matrix


def _pool_matrix(connection: Pooled) -> np.ndarray:
    window = connection.pool
    units = torch.eye(int(np.prod(window.input_shape)), dtype=torch.float64).reshape(-1, *window.input_shape)
    pad = tuple(before for before, _ in window.padding)
    sums = torch.nn.functional.avg_pool2d(units, window.kernel, window.stride, pad, divisor_override=1)
    return np.rint(sums.flatten(1).T.numpy()).astype(np.int64)


def simulate(graph: HardwareGraph, raster: np.ndarray, *, raw: bool) -> tuple[dict[str, np.ndarray], dict[str, list]]:
    """Spikes and membranes of one sample [step, input], population by population, step by step."""
    steps = len(raster)
    spikes: dict[str, np.ndarray] = {graph.input.name: raster}
    membranes: dict[str, list] = {}
    state: dict[str, list[list[Any]]] = {}
    matrices = {p.name: dense_of(p.connection, raw) for p in graph.projections}
    for p in graph.populations:
        spikes[p.name] = np.zeros((steps, p.size), np.int64)
        membranes[p.name] = []
        starts = (p.neuron.v_init.integers() if raw else p.neuron.v_init.real).tolist()
        state[p.name] = [[start, 0, False] for start in starts]
    for t in range(steps):
        for p in graph.populations:
            drive = _drive(graph, p, spikes, matrices, t, raw)
            row = [_one(p, k, drive[k], state[p.name][k], raw, t) for k in range(p.size)]
            spikes[p.name][t] = [s for s, _ in row]
            membranes[p.name].append([v for _, v in row])
    return spikes, membranes


def _drive(graph: HardwareGraph, p: Any, spikes: dict, matrices: dict, t: int, raw: bool) -> list[Any]:
    pick = (lambda v: v.integers()) if raw else (lambda v: v.real)
    total = pick(p.bias).astype(object)
    for late in p.late_biases:
        if t >= late.onset and (late.until is None or t < late.until):
            total = total + pick(late.values).astype(object)
    for projection in graph.into(p.name):
        if t >= projection.delay:
            weight = projection.connection.weight.format
            form = graph.input.format if projection.pre == graph.input.name else None
            unit = 1.0 if form is None else form.lsb
            factor = round(weight.lsb * unit / p.state_format.lsb) if raw else 1
            now = spikes[projection.pre][t - projection.delay].astype(object)
            total = total + factor * (matrices[projection.name].astype(object) @ now)
    return list(total)


def _one(p: Any, k: int, x: Any, state: list[Any], raw: bool, t: int) -> tuple[int, Any]:
    n, (v, i, fired) = p.neuron, state

    def constant(decay: Any) -> Any:
        return (int(decay.multiplier[k]), decay.shift) if raw else float(decay.beta[k])

    theta = int(n.threshold.integers()[k]) if raw else float(n.threshold.real[k])
    v_reset = int(n.v_reset.integers()[k]) if raw else float(n.v_reset.real[k])
    x = int(x) if raw else float(x)
    kind, delay = n.reset.kind.value, n.reset.delay
    if fired and kind == "zero" and delay == 1:
        v = v_reset
    if isinstance(n, CubaLif):
        i = i - leak(i, constant(n.leak_syn)) + x
        x = i
    v = v - leak(v, constant(n.leak_mem)) + x
    if fired and kind == "subtract" and delay == 1:
        v = v - theta
    if raw:
        v = min(max(v, p.state_format.low), p.state_format.high)
    if fired and kind == "clamp":
        v = v_reset
    ready = t >= p.fires_from and (p.fires_until is None or t < p.fires_until)
    fired = kind != "none" and ready and v > theta
    if fired and delay == 0:
        v = v_reset if kind == "zero" else v - theta
    state[:] = [v, i, fired]
    return int(fired), v
