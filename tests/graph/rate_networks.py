"""Networks as a conversion makes them, small and random: no leak, initial membranes, windows, values as input."""

from __future__ import annotations

import dataclasses

import nir
import numpy as np

from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.graph.hardware_graph import ReadoutKind, Reset, ResetKind
from lightning_neuro.graph.metadata import Metadata

SCHEDULES = ("synchronous", "pipelined", "layer_sequential")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rate:
    """A converted chain as NIR, its metadata, and what it was made of."""

    graph: nir.NIRGraph
    metadata: Metadata
    weights: list[np.ndarray]
    biases: list[np.ndarray]
    thresholds: list[np.ndarray]


def rate_chain(
    sizes: list[int],
    *,
    schedule: str,
    steps: int,
    reset: ResetKind = ResetKind.SUBTRACT,
    direct: bool = True,
    seed: int = 0,
    dt_s: float = 1e-3,
    scale: float = 1.0,
) -> Rate:
    rng = np.random.default_rng(seed)
    names = [f"fc{k}" for k in range(len(sizes) - 1)]
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": np.array([sizes[0]])})}
    edges, before = [], "input"
    weights, biases, thresholds = [], [], []
    for k, (name, n, m) in enumerate(zip(names, sizes, sizes[1:], strict=False)):
        weights.append((rng.normal(0.3 / np.sqrt(n), scale / np.sqrt(n), (m, n))).astype(np.float32))
        biases.append(rng.normal(0.05, 0.1, m).astype(np.float32))
        nodes[f"{name}_w"] = nir.Affine(weight=weights[-1], bias=biases[-1])
        r = np.full(m, 1 / dt_s)
        if k < len(names) - 1:
            thresholds.append(rng.uniform(0.6, 1.4, m))
            nodes[name] = nir.IF(r=r, v_threshold=thresholds[-1], v_reset=np.zeros(m))
        else:
            nodes[name] = nir.I(r=r)
        if schedule == "pipelined" and k > 0:
            nodes[f"{name}_d"] = nir.Delay(delay=np.full(n, dt_s))
            edges += [(before, f"{name}_d"), (f"{name}_d", f"{name}_w"), (f"{name}_w", name)]
        else:
            edges += [(before, f"{name}_w"), (f"{name}_w", name)]
        before = name
    nodes["output"] = nir.Output({"output": np.array([sizes[-1]])})
    edges.append((before, "output"))
    firing, depth = names[:-1], len(names)
    windows = {
        "synchronous": {},
        "pipelined": {name: (k, k + steps) for k, name in enumerate(names)},
        "layer_sequential": {name: (k * steps, (k + 1) * steps) for k, name in enumerate(names)},
    }
    later = {name: (k + 1) * steps for k, name in enumerate(firing)} if schedule == "layer_sequential" else {}
    until = {name: first + steps for name, first in later.items()}
    total = {"synchronous": steps, "pipelined": steps + depth - 1, "layer_sequential": depth * steps}[schedule]
    silent = Reset(kind=ResetKind.NONE, delay=0)
    metadata = Metadata(
        dt_s=dt_s,
        readout=ReadoutKind.MEMBRANE_LAST,
        resets={**{name: Reset(kind=reset, delay=0) for name in firing}, names[-1]: silent},
        steps=total,
        coding={"kind": "direct" if direct else "rate_deterministic", "steps": steps},
        tool="test",
        v_init=dict.fromkeys(firing, 0.5),
        fires_from=later,
        fires_until=until,
        bias_windows=windows[schedule],
    )
    return Rate(
        graph=nir.NIRGraph(nodes=nodes, edges=edges, metadata=metadata.to_dict(), type_check=False),
        metadata=metadata,
        weights=weights,
        biases=biases,
        thresholds=thresholds,
    )


def intensities(samples: int, steps: int, inputs: int, *, seed: int = 0, levels: int = 255) -> SpikeSet:
    """Grey values in every step, kept once."""
    values = (np.random.default_rng(seed).integers(0, levels + 1, (samples, 1, inputs)) / levels).astype(np.float32)
    return SpikeSet(
        spikes=np.broadcast_to(values, (samples, steps, inputs)), labels=np.arange(samples, dtype=np.int64) % 3
    )
