"""The spiking network as NIR with metadata: the form that checkpoints keep and every target is made from."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lightning_neuro import __version__
from lightning_neuro.convert.folded import INPUT, Path
from lightning_neuro.convert.schedule import delay, timing, total_steps
from lightning_neuro.convert.simulate import CODINGS, input_spikes
from lightning_neuro.convert.spiking import SpikingLayer, SpikingNetwork
from lightning_neuro.convert.stages import Average, Flatten, Kernel, Matrix, Scale, Shape, Stage, shape_after
from lightning_neuro.errors import GraphError
from lightning_neuro.graph.hardware_graph import ReadoutKind, Reset, ResetKind
from lightning_neuro.graph.metadata import Metadata

OUTPUT = "output"
Vector = NDArray[np.float32]


def to_nir(network: SpikingNetwork, *, steps: int, dt_s: float) -> tuple[nir.NIRGraph, Metadata]:
    """Write a converted network for T = ``steps``.

    Args:
        network: converted.
        steps: number of steps T that each layer works.
        dt_s: length of a step in seconds; it only names the unit of time, neurons without leak have no other.

    Raises:
        GraphError: a bias that differs between positions of a convolution, which NIR cannot say.
    """
    nodes: dict[str, nir.NIRNode] = {INPUT: nir.Input(input_type={"input": np.array(network.input_shape)})}
    edges: list[tuple[str, str]] = []
    for layer in network.layers:
        holder = _bias_holder(layer)
        for index, path in enumerate(layer.paths):
            bias = layer.bias if index == holder else None
            chain = _path_nodes(network, layer, path, index, bias, dt_s)
            nodes |= chain
            edges += pairwise([path.source, *chain, layer.name])
        nodes[layer.name] = _neurons(layer, dt_s)
    last = network.layers[-1]
    output = OUTPUT if OUTPUT not in nodes else f"{OUTPUT}_port"  # many networks call their last layer "output"
    nodes[output] = nir.Output(output_type={"output": np.array(last.shape)})
    edges.append((last.name, output))
    return nir.NIRGraph(nodes=nodes, edges=edges, type_check=False), _metadata(network, steps, dt_s)


def input_raster(network: SpikingNetwork, values: Tensor, *, steps: int, first_id: int) -> NDArray[Any]:
    """What the input lines carry over a whole sample, [sample, step, line]; silent once T steps have passed.

    Args:
        network: converted.
        values: [sample, *input shape].
        steps: T.
        first_id: number of the first sample in its data set, for random spikes.

    Returns:
        uint8 spikes, or float32 values of analog input.
    """
    shown = input_spikes(network, values, steps, first_id).flatten(2).numpy()
    kind = np.float32 if network.options.input == "analog" else np.uint8
    raster = np.zeros((len(values), total_steps(network, steps), shown.shape[2]), kind)
    raster[:, :steps] = shown
    return raster


# -- nodes -------------------------------------------------------------------------------------------------------


def _neurons(layer: SpikingLayer, dt_s: float) -> nir.NIRNode:
    """Neurons without leak: ``r = 1 / dt`` makes a forward Euler step add the whole drive."""
    r = np.full(layer.shape, 1.0 / dt_s)
    if layer.threshold is None:
        return nir.I(r=r)
    threshold = layer.spread(layer.threshold).reshape(layer.shape).numpy()
    return nir.IF(r=r, v_threshold=threshold, v_reset=np.zeros_like(threshold))


def _path_nodes(
    network: SpikingNetwork, layer: SpikingLayer, path: Path, index: int, bias: Tensor | None, dt_s: float
) -> dict[str, nir.NIRNode]:
    nodes: dict[str, nir.NIRNode] = {}
    stem = f"{layer.name}_from_{path.source}" + (f"_{index}" if index else "")
    waited = delay(network, path.source, layer)
    shape = network.shape_of(path.source)
    if waited:
        nodes[f"{stem}_delay"] = nir.Delay(delay=np.full(shape, waited * dt_s))
    last = max((k for k, stage in enumerate(path.stages) if isinstance(stage, Matrix | Kernel)), default=-1)
    for k, stage in enumerate(path.stages):
        name = stem if k == last else f"{stem}_{type(stage).__name__.lower()}{k}"
        nodes[name] = NODES[type(stage)](stage, shape, _stage_bias(bias, layer, stage) if k == last else None)
        shape = shape_after((stage,), shape)
    return nodes


def _stage_bias(bias: Tensor | None, layer: SpikingLayer, stage: Stage) -> Vector | None:
    """The bias of the last weights: one number for each of their outputs."""
    if bias is None:
        return None
    outputs = len(stage.weight) if isinstance(stage, Matrix | Kernel) else layer.size
    return bias.reshape(outputs, -1)[:, 0].numpy().copy()


def _matrix(stage: Matrix, shape: Shape, bias: Vector | None) -> nir.NIRNode:
    weight = stage.weight.numpy().copy()
    return nir.Linear(weight=weight) if bias is None else nir.Affine(weight=weight, bias=bias)


def _kernel(stage: Kernel, shape: Shape, bias: Vector | None) -> nir.NIRNode:
    return nir.Conv2d(
        input_shape=(shape[1], shape[2]),
        weight=stage.weight.numpy().copy(),
        stride=stage.stride,
        padding=stage.padding,
        dilation=stage.dilation,
        groups=stage.groups,
        bias=np.zeros(len(stage.weight), np.float32) if bias is None else bias,
    )


def _average(stage: Average, shape: Shape, bias: Vector | None) -> nir.NIRNode:
    return nir.AvgPool2d(np.array(stage.kernel), np.array(stage.stride), np.array(stage.padding))


def _flatten(stage: Flatten, shape: Shape, bias: Vector | None) -> nir.NIRNode:
    return nir.Flatten(input_type={"input": np.array(shape)}, start_dim=0, end_dim=-1)


def _scale(stage: Scale, shape: Shape, bias: Vector | None) -> nir.NIRNode:
    factor = stage.factor.reshape(-1, *(1,) * (len(shape) - 1)).expand(shape)
    return nir.Scale(scale=factor.numpy().copy())


NODES: dict[type, Callable[[Any, Shape, Vector | None], nir.NIRNode]] = {
    Matrix: _matrix,
    Kernel: _kernel,
    Average: _average,
    Flatten: _flatten,
    Scale: _scale,
}


def _bias_holder(layer: SpikingLayer) -> int:
    """The path whose last weights can hold the layer's bias; -1 where there is none to hold.

    Raises:
        GraphError: no path can.
    """
    if not bool(layer.bias.any()):
        return -1
    for index, path in enumerate(layer.paths):
        behind = list(path.stages)
        while behind and isinstance(behind[-1], Flatten | Average):
            stage = behind.pop()
            if isinstance(stage, Average) and any(stage.padding):
                break
        if behind and isinstance(behind[-1], Matrix | Kernel):
            blocks = layer.bias.reshape(len(behind[-1].weight), -1)
            if bool((blocks == blocks[:, :1]).all()):
                return index
    raise GraphError(
        "a bias that differs between the positions of a convolution",
        where=f"layer {layer.name!r}",
        why="a normalisation before a padded convolution adds less at the border than inside, and a node of NIR has "
        "one bias per channel",
        next_command="put BatchNorm behind the convolution instead of before it, or pad with 0 rows",
    )


# -- what NIR cannot say -----------------------------------------------------------------------------------------


def _metadata(network: SpikingNetwork, steps: int, dt_s: float) -> Metadata:
    options = network.options
    kind = {"subtract": ResetKind.SUBTRACT, "zero": ResetKind.ZERO}[options.reset]
    fires = {layer.name: layer.threshold is not None for layer in network.layers}
    times = {layer.name: timing(network, layer, steps) for layer in network.layers}
    return Metadata(
        dt_s=dt_s,
        readout={"membrane": ReadoutKind.MEMBRANE_LAST, "count": ReadoutKind.SPIKE_COUNT}[options.readout],
        resets={name: Reset(kind=kind if firing else ResetKind.NONE, delay=0) for name, firing in fires.items()},
        steps=total_steps(network, steps),
        coding={
            "kind": CODINGS[options.input],
            "steps": steps,
            "seed": options.seed,
            "gain": 1.0,
            "offset": 0.0,
            "scale": 1.0,
        },
        tool=f"lightning_neuro {__version__}",
        v_init={name: options.v_init for name, firing in fires.items() if firing and options.v_init},
        fires_from={name: time.fires_from for name, time in times.items() if time.fires_from},
        fires_until={name: time.fires_until for name, time in times.items() if time.fires_until is not None},
        bias_windows={name: time.bias for name, time in times.items() if time.bias is not None},
    )
