"""Layers with weights: what each does to an expression."""

from __future__ import annotations

import torch
from torch import nn

from lightning_neuro.convert.call import Call, Refused, Result
from lightning_neuro.convert.stages import Kernel, Matrix, Pair


def pair(value: int | tuple[int, ...]) -> Pair:
    """One number for both axes, or one for each."""
    numbers = (value,) * 2 if isinstance(value, int) else tuple(int(n) for n in value)
    return numbers if len(numbers) == 2 else (numbers[0], numbers[0])


def linear(module: nn.Linear, call: Call) -> Result:
    """All-to-all weights on flattened values."""
    if len(call.only.shape) != 1:
        raise Refused(
            f"Linear on values of shape {list(call.only.shape)}",
            "its weights would be shared between positions, which no layer of neurons has",
            "nn.Flatten() before it, or nn.Conv2d with kernel size 1",
        )
    out = call.only.through(Matrix(weight=module.weight.detach().double()), call.label)
    return out if module.bias is None else out.plus(module.bias.detach())


def conv(module: nn.Conv2d, call: Call) -> Result:
    """A convolution that pads with zeros."""
    if module.padding_mode != "zeros":
        raise Refused(f"padding_mode={module.padding_mode!r}", "only zeros carry no spikes", 'padding_mode="zeros"')
    kernel = Kernel(
        weight=module.weight.detach().double(),
        stride=pair(module.stride),
        padding=_conv_padding(module),
        dilation=pair(module.dilation),
        groups=module.groups,
    )
    out = call.only.through(kernel, call.label)
    return out if module.bias is None else out.plus(module.bias.detach())


def _conv_padding(module: nn.Conv2d) -> Pair:
    if not isinstance(module.padding, str):
        return pair(module.padding)
    if module.padding == "valid":
        return 0, 0
    totals = [d * (k - 1) for d, k in zip(pair(module.dilation), pair(module.kernel_size), strict=True)]
    if any(total % 2 for total in totals):
        raise Refused('padding="same" with an even kernel', "its two sides would differ", "an odd kernel size")
    return totals[0] // 2, totals[1] // 2


def norm(module: nn.BatchNorm1d | nn.BatchNorm2d, call: Call) -> Result:
    """Normalisation with running statistics, inside the weights before it."""
    if module.running_mean is None or module.running_var is None:
        raise Refused(
            f"{type(module).__name__} without running statistics",
            "the statistics of a batch are not a constant that weights could hold",
            "track_running_stats=True",
        )
    gain = (module.running_var.double() + module.eps).rsqrt()
    gain = gain if module.weight is None else gain * module.weight.detach().double()
    shift = torch.zeros_like(gain) if module.bias is None else module.bias.detach().double()
    return call.only.scaled(gain, call.label).plus(shift - gain * module.running_mean.double())
