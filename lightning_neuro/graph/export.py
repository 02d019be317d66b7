"""Describe a torch network as NIR and prove the description: the graph must repeat the spikes that torch produced."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import nir
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_neuro import __version__
from lightning_neuro.errors import NirError
from lightning_neuro.graph.compare import Comparison, compare_run, compare_times
from lightning_neuro.graph.hardware_graph import HardwareGraph, ReadoutKind, ResetKind, TimeBase
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.graph.nir_hdf5 import write_graph
from lightning_neuro.graph.torch_layers import NORMALISATIONS, fold_normalisation, with_weights
from lightning_neuro.graph.torch_to_nir import LINEAR, NEURONS, STEP_LENGTHS, Exported, kind_of
from lightning_neuro.graph.trace import Layer, as_raster, trace

DEFAULT_DT_S = 1e-3  # only names the unit of tau; decay factors, and so spikes, do not depend on it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Description:
    """A network in NIR with what torch did on a sample.

    Args:
        graph: NIR graph; neuron nodes carry 1-d arrays.
        metadata: dt, resets, read-out, coding.
        raster: input of the first layer, [sample, step, n]; in continuous time the spike times of the input lines,
            [sample, line] in seconds.
        spikes: spikes of every spiking layer in torch, [sample, step, n]; in continuous time their times [sample, n].
        membranes: membranes of read-out layers (no reset) in torch, where the layer returns them.
    """

    graph: nir.NIRGraph
    metadata: Metadata
    raster: NDArray[Any]
    spikes: Mapping[str, NDArray[Any]]
    membranes: Mapping[str, NDArray[Any]]


@runtime_checkable
class DescribesItself(Protocol):
    """A module that knows its own graph, where layers in calling order would not say it."""

    def describe_itself(self, sample: Tensor, coding: Mapping[str, str | int | float]) -> Description:
        """The graph, and what torch did on a sample [sample, step, n] (continuous time: [sample, n])."""
        ...


def describe(
    root: nn.Module,
    run: Callable[[], object],
    *,
    dt_s: float | None,
    readout: ReadoutKind | None,
    coding: Mapping[str, str | int | float],
) -> Description:
    """Trace a feed-forward network and write it as NIR.

    Args:
        root: module holding the layers.
        run: calls the network on a sample.
        dt_s: step in seconds; None takes it from the layers, else ``DEFAULT_DT_S``.
        readout: how the class is read; None infers it from the last layer and records the assumption.
        coding: input coding as plain values, empty when unknown.

    Raises:
        NirError: the network is not a chain of fully connected and LIF layers.
    """
    layers = trace(root, run, linear=(*LINEAR, *NORMALISATIONS), neurons=NEURONS)
    dt_s, assumptions = _step_length(layers, dt_s)
    nodes, edges, exported = _nodes(layers, dt_s)
    if readout is None:
        readout, assumption = _infer_readout(exported, nodes, edges)
        assumptions = (*assumptions, assumption)
    raster = as_raster(layers[0].inputs)
    metadata = Metadata(
        dt_s=dt_s,
        readout=readout,
        resets={name: e.reset for name, e in exported.items()},
        steps=raster.shape[1],
        coding=coding,
        assumptions=assumptions,
        tool=f"lightning_neuro {__version__}",
    )
    graph = nir.NIRGraph(nodes=nodes, edges=edges, metadata=metadata.to_dict(), type_check=False)
    readouts = {name for name, e in exported.items() if e.reset.kind is ResetKind.NONE}
    return Description(
        graph=graph,
        metadata=metadata,
        raster=raster,
        spikes={x.name: as_raster(x.outputs) for x in layers if x.name in exported.keys() - readouts},
        membranes=_membranes(layers, exported, readouts),
    )


def _membranes(
    layers: tuple[Layer, ...], exported: Mapping[str, Exported], readouts: set[str]
) -> dict[str, NDArray[Any]]:
    """Membranes of read-out layers, from rest."""
    found = {x.name: as_raster(x.membranes) for x in layers if x.name in readouts and x.membranes is not None}
    for layer in layers:
        rest = exported[layer.name].rest if layer.name in readouts else None
        if rest is not None:
            found[layer.name] = as_raster(layer.outputs) - rest.ravel().astype(np.float32)
    return found


def _nodes(
    layers: tuple[Layer, ...], dt_s: float
) -> tuple[dict[str, nir.NIRNode], list[tuple[str, str]], dict[str, Exported]]:
    """Nodes and edges of the chain of layers, and the neuron layers among them."""
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": _sizes(layers[0].inputs)})}
    edges: list[tuple[str, str]] = []
    exported: dict[str, Exported] = {}
    last = "input"

    def append(name: str, node: nir.NIRNode) -> None:
        nonlocal last
        nodes[name] = node
        edges.append((last, name))
        last = name

    signal = layers[0].inputs
    for layer in layers:
        if kind_of(layer.module, dict.fromkeys(NORMALISATIONS)) is not None:
            nodes[last] = fold_normalisation(nodes[last], layer.module, layer.name)
            continue
        if layer.inputs.ndim == 3 and signal.ndim > 3:
            append(f"{layer.name}_flatten", nir.Flatten({"input": _sizes(signal)}, 0, -1))
        signal = layer.outputs
        kind = kind_of(layer.module, NEURONS)
        if kind is None:
            linear = kind_of(layer.module, LINEAR)
            assert linear is not None
            append(layer.name, LINEAR[linear](layer.module, tuple(layer.inputs.shape[2:]), layer.name))
            continue
        neurons = exported[layer.name] = NEURONS[kind](layer, tuple(layer.outputs.shape[2:]), dt_s)
        if neurons.entry is not None:
            append(f"{layer.name}_entry", neurons.entry)
        if neurons.bias is not None and neurons.bias.any():
            nodes[last] = _biased(nodes[last], neurons.bias, layer.name)
        append(layer.name, neurons.node)
        if neurons.loop is not None:
            nodes[f"{layer.name}_loop"] = neurons.loop
            edges += [(layer.name, f"{layer.name}_loop"), (f"{layer.name}_loop", layer.name)]
    _refuse_inner_readouts(layers, exported)
    append("output", nir.Output({"output": _sizes(layers[-1].outputs)}))
    return nodes, edges, exported


def _sizes(values: Tensor) -> NDArray[np.int64]:
    return np.array(values.shape[2:])


def _biased(node: Any, bias: NDArray[Any], name: str) -> nir.NIRNode:
    """A layer's weights with more bias: what torch adds in every step together with recurrent weights."""
    if not isinstance(node, nir.Linear | nir.Affine | nir.Conv1d | nir.Conv2d):
        raise NirError(
            "a recurrent bias without a layer of weights in front of the neurons",
            where=f"layer {name!r}",
            why="NIR's recurrent branch is silent in the first step, its bias too; torch adds the bias there",
            next_command="put nn.Linear or nn.Conv2d before the layer, or set the recurrent bias to 0",
        )
    own = getattr(node, "bias", np.zeros(len(node.weight)))
    return with_weights(node, node.weight, own + bias)


def _refuse_inner_readouts(layers: tuple[Layer, ...], exported: Mapping[str, Exported]) -> None:
    last = next(x.name for x in reversed(layers) if x.name in exported)
    inner = [name for name, e in exported.items() if e.reset.kind is ResetKind.NONE and name != last]
    if inner:
        raise NirError(
            f"layer(s) without reset inside the network: {', '.join(inner)}",
            where="the traced network",
            why="a neuron without reset is a read-out; its spikes have no counterpart in NIR or in hardware",
            next_command='use reset_mechanism="zero" or "subtract" in every layer but the last',
        )


def _step_length(layers: tuple[Layer, ...], dt_s: float | None) -> tuple[float, tuple[str, ...]]:
    own = {
        STEP_LENGTHS[kind](layer.module)
        for layer in layers
        if (kind := kind_of(layer.module, STEP_LENGTHS)) is not None
    }
    if dt_s is not None:
        own.add(dt_s)
    if len(own) > 1:
        raise NirError(
            f"layers step with different dt: {', '.join(f'{dt:g} s' for dt in sorted(own))}",
            where="the traced network",
            why="a network has one time step; another would change the decay of every membrane",
            next_command="give every layer the same dt",
        )
    if own:
        return own.pop(), ()
    return DEFAULT_DT_S, (
        f"no dt stated by the layers; {DEFAULT_DT_S:g} s names the unit of tau, spikes do not depend on it",
    )


def _infer_readout(
    exported: Mapping[str, Exported], nodes: Mapping[str, nir.NIRNode], edges: list[tuple[str, str]]
) -> tuple[ReadoutKind, str]:
    last = next(pre for pre, post in edges if post == "output")
    while isinstance(nodes[last], nir.Flatten):
        last = next(pre for pre, post in edges if post == last)
    if last not in exported:
        raise NirError(
            f"the last layer {last!r} has no neurons",
            where="the traced network",
            why="classes are read from spikes or membranes of one population",
            next_command="end the network with a LIF layer (reset none for a membrane read-out)",
        )
    kind = ReadoutKind.MEMBRANE_MAX if exported[last].reset.kind is ResetKind.NONE else ReadoutKind.SPIKE_COUNT
    return kind, f"read-out assumed: {kind.value}"


def read_back(graph: HardwareGraph, description: Description) -> Comparison:
    """Run a lowered graph on the recorded input; compare every spike and read-out membrane with torch's."""
    if graph.time is TimeBase.CONTINUOUS:
        return compare_times(graph, description.raster, description.spikes)
    return compare_run(graph, description.raster, description.spikes, description.membranes)


def proved(description: Description, path: Path) -> Comparison:
    """Write a description as a NIR file, read the file back and compare its spikes with torch's."""
    write_graph(path, description.graph)
    graph, metadata = read_nir(path, dt_s=None)
    return read_back(lower(graph, metadata), description)


def require_equal(comparison: Comparison, where: str) -> None:
    """Refuse a description that does not repeat the spikes of its network.

    Raises:
        NirError: says where the first difference is.
    """
    if comparison.mismatches:
        raise NirError(
            f"the exported network does not repeat the spikes of the trained one: {comparison}",
            where=where,
            why="something in forward() is not in its layers (operations between layers, skip connections, state "
            "carried over), or a library does something NIR cannot say (snnTorch's reset_delay=False with "
            'reset_mechanism="subtract" spikes differently above twice the threshold)',
            next_command="use a plain chain of Linear and LIF layers; with snnTorch reset_delay=True or reset zero",
        )


def to_nir(
    module: nn.Module, sample: Tensor, *, dt: float | None = None, readout: ReadoutKind | None = None
) -> nir.NIRGraph:
    """Export a torch network to NIR, proved: the graph is written, read back and repeats every spike on the sample.

    Args:
        module: network of Linear, Conv1d, Conv2d, pooling, BatchNorm, Flatten, Dropout and the neurons of
            lightning_neuro, snnTorch and Norse; called as ``module(sample)``, it may loop over steps itself.
        sample: input of one call, with enough spikes to reach every layer.
        dt: step in seconds; None takes it from the layers (Norse), else 1 ms.
        readout: how the class is read; None infers it from the last layer.

    Returns:
        Graph with per-neuron arrays; dt, resets and read-out are in its metadata.

    Raises:
        NirError: a layer has no exact counterpart, or a spike differs.
    """
    description = describe(module, lambda: module(sample), dt_s=dt, readout=readout, coding={})
    with tempfile.TemporaryDirectory() as folder:
        require_equal(proved(description, Path(folder) / "network.nir"), "to_nir")
    return description.graph


def lowered(description: Description) -> HardwareGraph:
    """The described network as a HardwareGraph in real numbers."""
    return lower(description.graph, description.metadata)


def sample_of(batch: object, limit: int) -> Tensor:
    """The input tensor of a batch (a tensor, or the first element of a tuple or list), at most ``limit`` samples."""
    values = batch[0] if isinstance(batch, list | tuple) else batch
    if not isinstance(values, Tensor):
        raise NirError(
            f"a batch is {type(values).__name__}, needs a tensor first",
            where="the evaluation data loader",
            why="one batch is run to trace the network and to compare spikes",
            next_command="yield (inputs, labels) from the data loader",
        )
    return values[:limit]
