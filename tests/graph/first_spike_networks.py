"""Small first-spike networks for tests: random ones, and those published with their spike times."""

from __future__ import annotations

import itertools
from pathlib import Path

import nir
import numpy as np

from lightning_neuro.graph.first_spike_nir import ONCE, SpikeTimeNeurons, Synapses, first_spike_nodes
from lightning_neuro.graph.hardware_graph import HardwareGraph, ReadoutKind, TimeBase
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata

TAU_S = 10e-3
BIAS_S = 0.9 * TAU_S


def metadata(names: list[str], *, horizon_s: float = 4 * TAU_S) -> Metadata:
    return Metadata(
        dt_s=0.0,
        time=TimeBase.CONTINUOUS,
        horizon_s=horizon_s,
        readout=ReadoutKind.FIRST_SPIKE,
        resets=dict.fromkeys(names, ONCE),
        steps=None,
        coding={"kind": "first_spike"},
    )


def draw_layers(
    sizes: list[int], *, ratio: float = 1.0, delays: str = "none", bias: bool = False, seed: int = 0
) -> list[SpikeTimeNeurons]:
    """Layers "layer0", "layer1" ...; the last input line carries the bias spikes of later layers."""
    rng = np.random.default_rng(seed)
    layers = []
    for k, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        weight = rng.normal(2.5 / np.sqrt(n_in) + 0.4, 2.0 / np.sqrt(n_in), (n_out, n_in))
        shape = {"axonal": (1, n_in), "dendritic": (n_out, 1), "synaptic": (n_out, n_in)}.get(delays)
        late = None if shape is None else np.array(np.broadcast_to(rng.uniform(0, TAU_S, shape), weight.shape))
        incoming = [Synapses(pre=layers[-1].name if layers else "input", weight=weight, delays_s=late)]
        if bias and layers:
            line = np.zeros((n_out, sizes[0]))
            line[:, -1] = rng.normal(0.5, 0.5, n_out)
            incoming.append(Synapses(pre="input", weight=line, delays_s=None))
        layers.append(
            SpikeTimeNeurons(
                name=f"layer{k}",
                incoming=tuple(incoming),
                tau_syn_s=TAU_S,
                tau_mem_s=ratio * TAU_S,
                threshold=rng.uniform(0.8, 1.2, n_out),
            )
        )
    return layers


def to_graph(layers: list[SpikeTimeNeurons], inputs: int, *, horizon_s: float = 4 * TAU_S) -> nir.NIRGraph:
    nodes, edges = first_spike_nodes(inputs, layers)
    values = metadata([layer.name for layer in layers], horizon_s=horizon_s).to_dict()
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata=values, type_check=False)


def lowered(graph: nir.NIRGraph) -> HardwareGraph:
    return lower(graph, Metadata.from_dict(graph.metadata, "test"))


def network(sizes: list[int], **options: object) -> HardwareGraph:
    ratio = float(options.get("ratio", 1.0))  # type: ignore[arg-type]
    horizon = (3 + ratio) * TAU_S
    return lowered(to_graph(draw_layers(sizes, **options), sizes[0], horizon_s=horizon))  # type: ignore[arg-type]


def times(samples: int, lines: int, *, seed: int = 0, silent: float = 0.1) -> np.ndarray:
    """Spike times within 2 tau; some lines silent."""
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(0.1, 2.0, (samples, lines)) * TAU_S
    return np.where(rng.random(drawn.shape) < silent, np.inf, drawn)


def published(folder: Path, name: str) -> tuple[nir.NIRGraph, np.ndarray, dict[str, np.ndarray]]:
    """A network trained elsewhere: NIR graph, input times of all lines in seconds, and everything in its file."""
    stored = dict(np.load(folder / "spike_time" / f"yinyang_tau_{name}.npz"))
    inputs = 0.15 + 1.85 * stored["test_coords"]
    first, second = stored["w0"].T, stored["w1"].T
    tau_mem = TAU_S if "equal" in name else 2 * TAU_S
    incoming = [Synapses(pre="hidden", weight=second[:, : len(first)], delays_s=None)]
    if "equal" in name:  # one bias line, used by both layers
        inputs = np.c_[inputs, np.full(len(inputs), 0.9)]
        bias = np.zeros((len(second), first.shape[1]))
        bias[:, -1] = second[:, -1]
        incoming.append(Synapses(pre="input", weight=bias, delays_s=None))
    layers = [
        SpikeTimeNeurons(name=n, incoming=i, tau_syn_s=TAU_S, tau_mem_s=tau_mem, threshold=np.ones(size))
        for n, i, size in (
            ("hidden", (Synapses(pre="input", weight=first, delays_s=None),), len(first)),
            ("label", tuple(incoming), len(second)),
        )
    ]
    horizon = 3 * TAU_S + tau_mem
    return to_graph(layers, first.shape[1], horizon_s=horizon), inputs * TAU_S, stored
