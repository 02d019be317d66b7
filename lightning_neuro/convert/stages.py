"""Linear maps between two spiking layers: weights, average pooling, flattening and scaling of channels.

A path from one layer to the next is a tuple of stages. Scales of its two ends fold into the weights on the way:
pooling treats every channel alike and flattening only repeats a channel's factor for each of its positions.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lightning_neuro.convert.kernels import average

Shape = tuple[int, ...]
Pair = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matrix:
    """All-to-all weights, [out, in]."""

    weight: Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kernel:
    """A two-dimensional convolution; weight [channels out, channels in / groups, height, width]."""

    weight: Tensor
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Average:
    """Average pooling: windows of ``kernel`` every ``stride``, padded with zeros that count."""

    kernel: Pair
    stride: Pair
    padding: Pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Flatten:
    """All axes but the batch in one, row by row."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scale:
    """A factor for each channel, [channels]."""

    factor: Tensor


Stage = Matrix | Kernel | Average | Flatten | Scale
Stages = tuple[Stage, ...]


# -- applying ----------------------------------------------------------------------------------------------------


def by_channel(values: Tensor, axes: int) -> Tensor:
    """[channels] with ones appended, so that it multiplies [channels, axis, ...]."""
    return values.reshape(-1, *(1,) * (axes - 1))


_APPLY: dict[type, Callable[[Any, Tensor], Tensor]] = {
    Matrix: lambda s, x: F.linear(x, s.weight),
    Kernel: lambda s, x: F.conv2d(x, s.weight, None, s.stride, s.padding, s.dilation, s.groups),
    Average: lambda s, x: average(x, s.kernel, s.stride, s.padding),
    Flatten: lambda s, x: x.flatten(1),
    Scale: lambda s, x: x * by_channel(s.factor, x.ndim - 1),
}


def apply(stages: Stages, x: Tensor) -> Tensor:
    """Map a batch [sample, channel, ...] through the stages."""
    for stage in stages:
        x = _APPLY[type(stage)](stage, x)
    return x


def shape_after(stages: Stages, shape: Shape) -> Shape:
    """Shape of one sample behind the stages."""
    return tuple(apply(cast(stages, torch.float64, "cpu"), torch.zeros(1, *shape, dtype=torch.float64)).shape[1:])


def cast(stages: Stages, dtype: torch.dtype, device: str | torch.device) -> Stages:
    """The same stages in another precision or on another device."""
    return tuple(_mapped(stage, lambda t: t.to(device=device, dtype=dtype)) for stage in stages)


def ones_like(stages: Stages) -> Stages:
    """Stages that count synapses: every weight 1, pooling a sum."""
    counted: list[Stage] = []
    for stage in stages:
        counted.append(_mapped(stage, lambda t: torch.ones_like(t, dtype=torch.float64)))
        if isinstance(stage, Average):
            channels_alike = torch.full((1,), float(np.prod(stage.kernel)), dtype=torch.float64)
            counted.append(Scale(factor=channels_alike))
    return tuple(counted)


def _mapped(stage: Stage, change: Callable[[Tensor], Tensor]) -> Stage:
    if isinstance(stage, Matrix | Kernel):
        return dataclasses.replace(stage, weight=change(stage.weight))
    return dataclasses.replace(stage, factor=change(stage.factor)) if isinstance(stage, Scale) else stage


# -- folding -----------------------------------------------------------------------------------------------------


def scale_input(stages: Stages, factor: Tensor, shape: Shape) -> Stages:
    """Multiply every input channel by a factor inside the first weights that can hold it.

    Args:
        stages: of a path.
        factor: [channels of the source].
        shape: of the source, channels first.
    """
    for index, stage in enumerate(stages):
        if isinstance(stage, Flatten):
            factor = factor.repeat_interleave(int(np.prod(shape_after(stages[:index], shape)[1:])))
        elif not isinstance(stage, Average):
            return (*stages[:index], _INPUT_SCALES[type(stage)](stage, factor), *stages[index + 1 :])
    return (*stages, Scale(factor=factor))


def simplified(stages: Stages, shape: Shape) -> Stages:
    """Scales multiplied into the weights behind them."""
    for index, stage in enumerate(stages):
        rest = stages[index + 1 :]
        if isinstance(stage, Scale) and any(isinstance(later, Matrix | Kernel | Scale) for later in rest):
            before = stages[:index]
            return simplified((*before, *scale_input(rest, stage.factor, shape_after(before, shape))), shape)
    return stages


def scale_output(stages: Stages, factor: Tensor) -> Stages:
    """Multiply every output channel by a factor inside the last weights that can hold it."""
    for index in range(len(stages) - 1, -1, -1):
        stage = stages[index]
        if isinstance(stage, Flatten):
            break
        if not isinstance(stage, Average):
            return (*stages[:index], _OUTPUT_SCALES[type(stage)](stage, factor), *stages[index + 1 :])
    return (*stages, Scale(factor=factor))


def _kernel_input(stage: Kernel, factor: Tensor) -> Kernel:
    out, group_in = stage.weight.shape[:2]
    factors = factor.reshape(stage.groups, group_in).repeat_interleave(out // stage.groups, dim=0)
    return dataclasses.replace(stage, weight=stage.weight * factors[:, :, None, None])


_INPUT_SCALES: dict[type, Callable[[Any, Tensor], Stage]] = {
    Matrix: lambda s, f: Matrix(weight=s.weight * f),
    Kernel: _kernel_input,
    Scale: lambda s, f: Scale(factor=s.factor * f),
}
_OUTPUT_SCALES: dict[type, Callable[[Any, Tensor], Stage]] = {
    Matrix: lambda s, f: Matrix(weight=s.weight * f[:, None]),
    Kernel: lambda s, f: dataclasses.replace(s, weight=s.weight * f[:, None, None, None]),
    Scale: lambda s, f: Scale(factor=s.factor * f),
}


def channel_weights(stages: Stages, channels: int) -> Tensor:
    """Weights that end in each output channel, [channel, weight]; empty where none can hold a scale of their own."""
    for stage in reversed(stages):
        if isinstance(stage, Matrix | Kernel):
            return stage.weight.reshape(channels, -1)
        if isinstance(stage, Scale):
            return stage.factor.reshape(channels, -1)
        if isinstance(stage, Flatten):
            break
    return torch.zeros(channels, 0)


def weight_stages(stages: Stages) -> list[Matrix | Kernel]:
    """The stages with trained weights."""
    return [stage for stage in stages if isinstance(stage, Matrix | Kernel)]
