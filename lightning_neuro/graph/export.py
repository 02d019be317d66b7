"""Describe a torch network as NIR and prove the description: the graph must repeat the spikes that torch produced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_neuro import __version__
from lightning_neuro.errors import NirError
from lightning_neuro.graph.compare import Comparison, compare_run
from lightning_neuro.graph.hardware_graph import HardwareGraph, ReadoutKind, ResetKind
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.torch_to_nir import LINEAR, NEURONS, STEP_LENGTHS, Exported, kind_of
from lightning_neuro.graph.trace import Layer, as_raster, trace

DEFAULT_DT_S = 1e-3  # only names the unit of tau; decay factors, and so spikes, do not depend on it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Description:
    """A network in NIR with what torch did on a sample.

    Args:
        graph: NIR graph; neuron nodes carry 1-d arrays.
        metadata: dt, resets, read-out, coding.
        raster: input of the first layer, [sample, step, n].
        spikes: spikes of every spiking layer in torch, [sample, step, n].
        membranes: membranes of read-out layers (no reset) in torch, where the layer returns them.
    """

    graph: nir.NIRGraph
    metadata: Metadata
    raster: NDArray[Any]
    spikes: Mapping[str, NDArray[Any]]
    membranes: Mapping[str, NDArray[Any]]


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
    layers = trace(root, run, linear=LINEAR, neurons=NEURONS)
    dt_s, assumptions = _step_length(layers, dt_s)
    nodes, exported = _nodes(layers, dt_s)
    if readout is None:
        readout, assumption = _infer_readout(exported, layers[-1].name)
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
    names = list(nodes)
    graph = nir.NIRGraph(nodes=nodes, edges=list(pairwise(names)), metadata=metadata.to_dict())
    readouts = {name for name, e in exported.items() if e.reset.kind is ResetKind.NONE}
    return Description(
        graph=graph,
        metadata=metadata,
        raster=raster,
        spikes={x.name: as_raster(x.outputs) for x in layers if x.name in exported.keys() - readouts},
        membranes={x.name: as_raster(x.membranes) for x in layers if x.name in readouts and x.membranes is not None},
    )


def _nodes(layers: tuple[Layer, ...], dt_s: float) -> tuple[dict[str, nir.NIRNode], dict[str, Exported]]:
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": np.array([layers[0].inputs.shape[-1]])})}
    exported: dict[str, Exported] = {}
    for layer in layers:
        kind = kind_of(layer.module, NEURONS)
        if kind is None:
            linear = kind_of(layer.module, LINEAR)
            assert linear is not None and isinstance(layer.module, nn.Linear)
            nodes[layer.name] = LINEAR[linear](layer.module)
        else:
            exported[layer.name] = NEURONS[kind](layer, layer.outputs.shape[-1], dt_s)
            nodes[layer.name] = exported[layer.name].node
    _refuse_inner_readouts(layers, exported)
    nodes["output"] = nir.Output({"output": np.array([layers[-1].outputs.shape[-1]])})
    return nodes, exported


def _refuse_inner_readouts(layers: tuple[Layer, ...], exported: Mapping[str, Exported]) -> None:
    last = layers[-1].name
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


def _infer_readout(exported: Mapping[str, Exported], last: str) -> tuple[ReadoutKind, str]:
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
    return compare_run(graph, description.raster, description.spikes, description.membranes)


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
