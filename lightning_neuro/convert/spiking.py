"""The spiking network: weights that carry the size of a spike, thresholds, initial membranes. No scale is left outside.

A spike of a neuron stands for its threshold's worth of activation, ``a = threshold N / T``, so the weights behind it
are multiplied by that threshold. Weights, bias, threshold and initial membrane of a neuron may all be multiplied by
one factor without changing a spike; the factors are chosen so that one LSB suits the weights of all channels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_neuro.convert.folded import INPUT, FoldedNetwork, Layer, Path
from lightning_neuro.convert.kernels import Neurons
from lightning_neuro.convert.options import Conversion
from lightning_neuro.convert.stages import Shape, cast, channel_weights, scale_input, scale_output

Vector = NDArray[np.float64]

_WIDEST = 4.0  # largest threshold, in thresholds of the median channel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpikingLayer:
    """A layer of integrate-and-fire neurons; all tensors float32, in units of the membrane.

    Args:
        name, shape: of the layer of the ANN.
        paths: input spikes (or analog values) to drive.
        bias: drive of every step, full shape.
        threshold: [channels]; None for a read-out that never spikes.
        scale: membrane units per unit of activation, [channels].
        worth: activation that a spike in every step stands for, [channels].
    """

    name: str
    shape: Shape
    paths: tuple[Path, ...]
    bias: Tensor
    threshold: Tensor | None
    scale: Tensor
    worth: Tensor

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))

    def spread(self, per_channel: Tensor) -> Tensor:
        """[channels] repeated for every position, [neurons]."""
        return per_channel.repeat_interleave(self.size // self.shape[0])

    def neurons(self, options: Conversion, dtype: torch.dtype, device: torch.device) -> Neurons:
        """Constants for the kernel."""
        assert self.threshold is not None, "a read-out does not fire"
        threshold = self.spread(self.threshold).to(device=device, dtype=dtype)
        return Neurons(
            bias=self.bias.flatten().to(device=device, dtype=dtype),
            threshold=threshold,
            v_init=threshold * options.v_init,
            to_zero=options.reset == "zero",
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpikingNetwork:
    """A converted network.

    Args:
        input_shape: of one sample.
        layers: in the order of computation; the last is the read-out.
        options: how it was converted.
    """

    input_shape: Shape
    layers: tuple[SpikingLayer, ...]
    options: Conversion

    def layer(self, name: str) -> SpikingLayer:
        """A layer by name."""
        return next(layer for layer in self.layers if layer.name == name)

    def with_layer(self, layer: SpikingLayer) -> SpikingNetwork:
        """The same network with one layer exchanged."""
        layers = tuple(layer if old.name == layer.name else old for old in self.layers)
        return dataclasses.replace(self, layers=layers)

    def shape_of(self, name: str) -> Shape:
        """Shape of a layer or of the input."""
        return self.input_shape if name == INPUT else self.layer(name).shape

    def depths(self) -> dict[str, int]:
        """Number of layers before each layer on its longest way from the input; the input is at -1."""
        depth = {INPUT: -1}
        for layer in self.layers:
            depth[layer.name] = 1 + max(depth[path.source] for path in layer.paths)
        return depth


def assemble(network: FoldedNetwork, thresholds: Mapping[str, Vector], options: Conversion) -> SpikingNetwork:
    """Build the spiking network.

    Args:
        network: folded.
        thresholds: of every spiking layer in units of its activation, [channels].
        options: of the conversion.
    """
    layers = tuple(_layer(network, layer, thresholds, options) for layer in network.layers)
    return SpikingNetwork(input_shape=network.input_shape, layers=layers, options=options)


def _layer(network: FoldedNetwork, layer: Layer, thresholds: Mapping[str, Vector], options: Conversion) -> SpikingLayer:
    paths = [_carrying(network, path, thresholds) for path in layer.paths]
    readout = layer.activation is None
    channels = layer.shape[0]
    weights = torch.cat([channel_weights(path.stages, channels).double() for path in paths], dim=1)
    own = thresholds.get(layer.name)
    ones = torch.ones(channels, dtype=torch.float64)
    worth = ones if own is None else torch.from_numpy(own).double()
    scale = ones if readout else equal_grids(weights, worth, options.weight_bits)
    scaled = tuple(Path(source=p.source, stages=scale_output(p.stages, scale)) for p in paths)
    bias = layer.bias * scale.reshape(-1, *(1,) * (len(layer.shape) - 1))
    return SpikingLayer(
        name=layer.name,
        shape=layer.shape,
        paths=tuple(Path(source=p.source, stages=cast(p.stages, torch.float32, "cpu")) for p in scaled),
        bias=bias.float(),
        threshold=None if own is None else (worth * scale).float(),
        scale=scale.float(),
        worth=worth.float(),
    )


def _carrying(network: FoldedNetwork, path: Path, thresholds: Mapping[str, Vector]) -> Path:
    """The path with the worth of its source's spikes inside the weights."""
    if path.source == INPUT:
        return path
    worth = torch.from_numpy(thresholds[path.source]).double()
    return Path(source=path.source, stages=scale_input(path.stages, worth, network.shape_of(path.source)))


def equal_grids(weights: Tensor, thresholds: Tensor, bits: int) -> Tensor:
    """Factor for each channel after which its own best LSB is the layer's, [channels]; geometric mean 1.

    No threshold becomes more than a few times the usual one: the rounding error of such a channel is small beside its
    threshold already, and a membrane that must hold it would be too coarse for the others.

    Args:
        weights: [channel, weight].
        thresholds: [channel].
        bits: of signed integers; the best LSB of a channel loses the least squared error, clipping included.
    """
    channels = len(weights)
    largest = weights.abs().amax(dim=1) if weights.shape[1] else torch.zeros(channels, dtype=torch.float64)
    if not bool((largest > 0).any()):
        return torch.ones(channels, dtype=torch.float64)
    high = (1 << (bits - 1)) - 1
    safe = torch.where(largest > 0, largest, largest[largest > 0].median())
    best, least = safe / high, torch.full((channels,), float("inf"), dtype=torch.float64)
    for share in np.linspace(0.4, 1.0, 25):
        lsb = safe / high * share
        rounded = (weights / lsb[:, None]).round().clamp(-high - 1, high) * lsb[:, None]
        error = (rounded - weights).square().sum(dim=1)
        best, least = torch.where(error < least, lsb, best), torch.minimum(error, least)
    in_lsbs = thresholds / best
    factor = in_lsbs.clamp(max=_WIDEST * float(in_lsbs.median())) / thresholds
    return factor / factor.log().mean().exp()
