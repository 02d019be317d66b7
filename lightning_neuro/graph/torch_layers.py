"""Convolution, pooling and batch normalisation of torch as NIR nodes, one function per layer type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_neuro.errors import NirError

Shape = tuple[int, ...]


def copied(parameter: Tensor) -> NDArray[np.float32]:
    """A copy: a view would follow the parameter when the module is trained or loaded afterwards."""
    return parameter.detach().float().cpu().numpy().copy()


def _linear(module: nn.Linear, shape: Shape, name: str) -> nir.NIRNode:
    weight = copied(module.weight)
    return nir.Linear(weight=weight) if module.bias is None else nir.Affine(weight=weight, bias=copied(module.bias))


def convolution(module: nn.Conv1d | nn.Conv2d, shape: Shape, name: str) -> nir.NIRNode:
    """A convolution with the input size that the sample showed.

    Raises:
        NirError: padding with anything but zeros.
    """
    if module.padding_mode != "zeros":
        raise _refused(name, f"padding_mode {module.padding_mode!r}", "NIR pads with zeros", 'padding_mode="zeros"')
    bias = copied(module.bias) if module.bias is not None else np.zeros(module.out_channels, np.float32)
    common: dict[str, Any] = {"weight": copied(module.weight), "groups": module.groups, "bias": bias}
    pairs: dict[str, Any] = {key: getattr(module, key) for key in ("stride", "padding", "dilation")}
    pairs = {key: value if isinstance(value, str) else tuple(int(n) for n in value) for key, value in pairs.items()}
    if isinstance(module, nn.Conv2d):
        node: Any = nir.Conv2d(input_shape=None, **common, **pairs)
        node.input_shape = tuple(int(n) for n in shape[1:])
    else:
        common |= {key: value if isinstance(value, str) else value[0] for key, value in pairs.items()}
        node = nir.Conv1d(input_shape=None, **common)
        node.input_shape = int(shape[1])
    return node


def _average(module: nn.AvgPool2d, shape: Shape, name: str) -> nir.NIRNode:
    padded = any(_pair(module.padding))
    if module.ceil_mode or module.divisor_override is not None or (padded and not module.count_include_pad):
        raise _refused(
            name,
            "ceil_mode, divisor_override or count_include_pad=False",
            "NIR's average pooling divides by the kernel area and drops incomplete windows",
            "nn.AvgPool2d(kernel_size, stride, padding) with the defaults",
        )
    return nir.AvgPool2d(*_window(module))


def _sum(module: nn.LPPool2d, shape: Shape, name: str) -> nir.NIRNode:
    if float(module.norm_type) != 1 or module.ceil_mode:
        raise _refused(
            name,
            f"LPPool2d with norm {module.norm_type:g}",
            "only the sum of spikes (norm 1, whole windows) has a NIR node",
            "nn.LPPool2d(1, kernel_size, stride)",
        )
    kernel, stride, _ = _window(module)
    return nir.SumPool2d(kernel, stride, np.zeros(2, np.int64))


def _window(module: Any) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    stride = module.kernel_size if module.stride is None else module.stride
    padding = getattr(module, "padding", 0)
    return _pair(module.kernel_size), _pair(stride), _pair(padding)


def _pair(value: int | tuple[int, ...]) -> NDArray[np.int64]:
    return np.array(np.broadcast_to(np.asarray(value, np.int64), (2,)))


LINEAR: dict[type[nn.Module], Callable[[Any, Shape, str], nir.NIRNode]] = {
    nn.Linear: _linear,
    nn.Conv1d: convolution,
    nn.Conv2d: convolution,
    nn.AvgPool2d: _average,
    nn.LPPool2d: _sum,
}


# -- what is folded into the layer before ------------------------------------------------------------------------

NORMALISATIONS: tuple[type[nn.Module], ...] = (nn.BatchNorm1d, nn.BatchNorm2d)


def fold_normalisation(node: nir.NIRNode | None, module: Any, name: str) -> nir.NIRNode:
    """Batch normalisation in evaluation mode inside the weights before it: ``W' = g W``, ``b' = g (b - mean) + shift``.

    Raises:
        NirError: no layer with weights directly before it, or no running statistics.
    """
    if not isinstance(node, nir.Linear | nir.Affine | nir.Conv1d | nir.Conv2d) or module.running_mean is None:
        raise _refused(
            name,
            f"{type(module).__name__} without a Linear or Conv layer directly before it, or without running statistics",
            "its scale and shift must go into weights and bias; spikes have none",
            "put it between a layer with weights and the neurons, track_running_stats=True",
        )
    with torch.no_grad():
        gain = 1 / torch.sqrt(module.running_var.double() + module.eps)
        gain = gain if module.weight is None else gain * module.weight.double()
        shift = torch.zeros_like(gain) if module.bias is None else module.bias.double()
        mean, factor = module.running_mean.double().cpu().numpy(), gain.cpu().numpy()
    bias = getattr(node, "bias", np.zeros(len(mean)))
    scaled = factor.reshape(-1, *(1,) * (node.weight.ndim - 1)) * node.weight
    return with_weights(node, scaled, factor * (bias - mean) + shift.cpu().numpy())


def with_weights(node: Any, weight: NDArray[Any], bias: NDArray[Any]) -> nir.NIRNode:
    """The same linear node with other weights and bias (float32); a Linear becomes an Affine."""
    weight, bias = np.asarray(weight, np.float32), np.asarray(bias, np.float32)
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        node.weight, node.bias = weight, bias
        return node
    return nir.Affine(weight=weight, bias=bias)


def _refused(name: str, what: str, why: str, next_command: str) -> NirError:
    return NirError(what, where=f"layer {name!r}", why=why, next_command=next_command)
