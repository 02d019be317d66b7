"""A trained network as layers of activations joined by linear paths, with normalisation folded into the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lightning_neuro.convert.qcfs import QCFS
from lightning_neuro.convert.stages import Shape, Stages, apply, cast

INPUT = "input"
"""Name under which paths refer to the network's input."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Path:
    """One way from a layer (or the input) to another; parallel paths add up, which is what a residual block does."""

    source: str
    stages: Stages


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rectified:
    """ReLU, clipped at ``clip`` where that is given (ReLU6)."""

    clip: float | None

    def __call__(self, z: Tensor) -> Tensor:
        """Activation."""
        return z.clamp(min=0, max=self.clip)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levels:
    """QCFS with L ``levels`` and learned ``threshold`` lambda."""

    levels: int
    threshold: float

    def __call__(self, z: Tensor) -> Tensor:
        """Activation."""
        share = (z / self.threshold).clamp(0, 1)
        return torch.ceil(share * self.levels - 0.5) * (self.threshold / self.levels)

    @staticmethod
    def of(module: QCFS) -> Levels:
        """The activation of a trained module."""
        return Levels(levels=module.levels, threshold=module.threshold())


Activation = Rectified | Levels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """Units with one activation: ``a = activation(sum of paths + bias)``.

    Args:
        name: of the last layer of weights before the activation.
        shape: channels first.
        paths: what arrives.
        bias: full shape.
        activation: None for the read-out, whose values are the class scores.
    """

    name: str
    shape: Shape
    paths: tuple[Path, ...]
    bias: Tensor
    activation: Activation | None

    @property
    def size(self) -> int:
        """Number of units."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoldedNetwork:
    """A network ready for calibration.

    Args:
        input_shape: of one sample.
        layers: in the order of computation; the last is the read-out.
    """

    input_shape: Shape
    layers: tuple[Layer, ...]

    @property
    def spiking(self) -> tuple[Layer, ...]:
        """The layers that will spike: all but the read-out."""
        return self.layers[:-1]

    def layer(self, name: str) -> Layer:
        """A layer by name."""
        return next(layer for layer in self.layers if layer.name == name)

    def shape_of(self, name: str) -> Shape:
        """Shape of a layer or of the input."""
        return self.input_shape if name == INPUT else self.layer(name).shape


def pre_activation(layer: Layer, values: Mapping[str, Tensor]) -> Tensor:
    """``sum of paths + bias`` from the activations of earlier layers, [sample, *shape]."""
    total: Tensor | None = None
    for path in layer.paths:
        x = values[path.source]
        part = apply(cast(path.stages, x.dtype, x.device), x)
        total = part if total is None else total + part
    assert total is not None, "a layer without paths"
    return total + layer.bias.to(total)


def activations(network: FoldedNetwork, x: Tensor) -> dict[str, Tensor]:
    """Activation of every layer for a batch [sample, *input shape]; the read-out's are the class scores."""
    return finish(network, {INPUT: x}, 0)


def finish(network: FoldedNetwork, known: Mapping[str, Tensor], start: int) -> dict[str, Tensor]:
    """Activations from layer number ``start`` on, from known ones of the layers before."""
    values = dict(known)
    for layer in network.layers[start:]:
        z = pre_activation(layer, values)
        values[layer.name] = z if layer.activation is None else layer.activation(z)
    return values
