"""A first-spike network as NIR: Linear and CubaLIF nodes, Delay nodes around the weights, bias spikes as input lines.

A delay per input line (axonal) is one Delay node before the weights, a delay per neuron (dendritic) one behind them.
NIR delays lines, not synapses; a delay per synapse is therefore written as parallel branches, one for each row (or
column, whichever are fewer) of the weights, that meet at the neurons: nothing but Linear and Delay nodes, which any
reader of NIR adds up to the same currents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import nir
import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import NirError
from lightning_neuro.graph.hardware_graph import Reset, ResetKind

INPUT, OUTPUT = "input", "output"
ONCE = Reset(kind=ResetKind.ONCE, delay=0)
_MOST_BRANCHES = 512


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Synapses:
    """Weights from one source.

    Args:
        pre: name of a layer, or "input".
        weight: [post, pre], in units of the threshold's.
        delays_s: [post, pre] seconds, or None.
    """

    pre: str
    weight: NDArray[np.float64]
    delays_s: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpikeTimeNeurons:
    """One layer.

    Args:
        name: of the NIR node.
        incoming: from the layer before and, for bias spikes, from the input.
        tau_syn_s, tau_mem_s: time constants in seconds.
        threshold: [n], above 0.
    """

    name: str
    incoming: tuple[Synapses, ...]
    tau_syn_s: float
    tau_mem_s: float
    threshold: NDArray[np.float64]


def first_spike_nodes(
    inputs: int, layers: Sequence[SpikeTimeNeurons]
) -> tuple[dict[str, nir.NIRNode], list[tuple[str, str]]]:
    """Nodes and edges; the last layer is read out.

    Args:
        inputs: input lines, bias lines included.
        layers: in order.
    """
    nodes: dict[str, nir.NIRNode] = {INPUT: nir.Input({"input": np.array([inputs])})}
    edges: list[tuple[str, str]] = []
    for layer in layers:
        ends = [end for synapses in layer.incoming for end in _branches(layer.name, synapses, nodes, edges)]
        n = layer.threshold.size
        nodes[layer.name] = nir.CubaLIF(
            tau_syn=np.full(n, layer.tau_syn_s),
            tau_mem=np.full(n, layer.tau_mem_s),
            r=np.ones(n),
            v_leak=np.zeros(n),
            v_threshold=np.asarray(layer.threshold, np.float64),
            v_reset=np.zeros(n),
            w_in=np.full(n, layer.tau_mem_s),  # with r = 1: V = sum of w K(t - t_i)
        )
        edges += [(end, layer.name) for end in ends]
    nodes[OUTPUT] = nir.Output({"output": np.array([layers[-1].threshold.size])})
    edges.append((layers[-1].name, OUTPUT))
    return nodes, edges


def _branches(layer: str, synapses: Synapses, nodes: dict[str, nir.NIRNode], edges: list[tuple[str, str]]) -> list[str]:
    """Add the chain or the branches from one source; returns the nodes that feed the neurons."""
    stem = f"{layer}_from_{synapses.pre}"
    weight, used = np.asarray(synapses.weight, np.float64), np.asarray(synapses.weight) != 0
    delays = np.zeros(weight.shape) if synapses.delays_s is None else np.where(used, synapses.delays_s, 0.0)
    before, after = _common(delays, used, axis=0), _common(delays, used, axis=1)
    if before is not None:
        return [_chain(stem, synapses.pre, weight, before, None, nodes, edges)]
    if after is not None:
        return [_chain(stem, synapses.pre, weight, None, after, nodes, edges)]
    rows = weight.shape[0] <= weight.shape[1]
    count = min(weight.shape)
    if count > _MOST_BRANCHES:
        raise NirError(
            f"{weight.shape[1]} x {weight.shape[0]} synapses, each with its own delay",
            where=f"layer {layer!r}",
            why=f"NIR delays lines; every row or column becomes a branch, at most {_MOST_BRANCHES}",
            next_command="train with axonal or dendritic delays",
        )
    ends = []
    for k in range(count):
        part = np.zeros_like(weight)
        index = (k, slice(None)) if rows else (slice(None), k)
        part[index] = weight[index]
        delay = delays[index]
        pair = (delay, None) if rows else (None, delay)
        ends.append(_chain(f"{stem}_{k}", synapses.pre, part, *pair, nodes, edges))
    return ends


def _common(delays: NDArray[np.float64], used: NDArray[np.bool_], axis: int) -> NDArray[np.float64] | None:
    """The one delay of every column (axis 0) or row (axis 1) over its used synapses; None where they differ."""
    highest = np.where(used, delays, -np.inf).max(axis=axis)
    lowest = np.where(used, delays, np.inf).min(axis=axis)
    some = used.any(axis=axis)
    return np.where(some, lowest, 0.0) if (highest == lowest)[some].all() else None


def _chain(
    stem: str,
    pre: str,
    weight: NDArray[np.float64],
    before: NDArray[np.float64] | None,
    after: NDArray[np.float64] | None,
    nodes: dict[str, nir.NIRNode],
    edges: list[tuple[str, str]],
) -> str:
    last = pre
    for name, node in (
        (f"{stem}_axon", None if before is None or not before.any() else nir.Delay(before)),
        (stem, nir.Linear(weight)),
        (f"{stem}_dendrite", None if after is None or not after.any() else nir.Delay(after)),
    ):
        if node is not None:
            nodes[name] = node
            edges.append((last, name))
            last = name
    return last
