"""Operations without weights: pooling, shapes, sums and factors, activations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lightning_neuro.convert.call import Call, Refused, Result
from lightning_neuro.convert.expression import Expression
from lightning_neuro.convert.folded import Rectified
from lightning_neuro.convert.stages import Average, Flatten
from lightning_neuro.convert.weight_rules import pair

# -- pooling and shape -------------------------------------------------------------------------------------------


def _average(expression: Expression, kernel: Any, stride: Any, padding: Any, plain: bool) -> Result:
    if not plain:
        raise Refused(
            "average pooling with ceil_mode, divisor_override or count_include_pad=False",
            "windows at the border would have another divisor than the weights behind them",
            "nn.AvgPool2d(kernel_size, stride, padding) with the defaults",
        )
    size = pair(kernel)
    pool = Average(kernel=size, stride=size if stride in (None, ()) else pair(stride), padding=pair(padding))
    return expression.through(pool, "")


def average_module(module: nn.AvgPool2d, call: Call) -> Result:
    """A pooling layer."""
    plain = not module.ceil_mode and module.divisor_override is None
    plain = plain and (module.count_include_pad or not any(pair(module.padding)))
    return _average(call.only, module.kernel_size, module.stride, module.padding, plain)


def average_function(call: Call) -> Result:
    """The same as a function."""
    names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    given = dict(zip(names, call.numbers, strict=False)) | call.named
    plain = not given.get("ceil_mode") and given.get("divisor_override") is None
    plain = plain and (given.get("count_include_pad", True) is True or not given.get("padding"))
    return _average(call.only, given["kernel_size"], given.get("stride"), given.get("padding", 0), plain)


def adaptive_average(call: Call) -> Result:
    """Adaptive average pooling where all windows have one size."""
    before, after = call.only.shape[-2:], call.shape[-2:]
    if any(a % b for a, b in zip(before, after, strict=True)):
        raise Refused(
            f"adaptive pooling from {list(before)} to {list(after)}",
            "its windows have different sizes",
            "an output size that divides the input size, or nn.AvgPool2d",
        )
    kernel = before[0] // after[0], before[1] // after[1]
    return _average(call.only, kernel, kernel, 0, True)


def mean(call: Call) -> Result:
    """``x.mean((2, 3))``: pooling over all positions, flattened."""
    before = call.only.shape
    if len(before) != 3 or call.shape not in ((before[0],), (before[0], 1, 1)):
        raise Refused(f"mean from {list(before)} to {list(call.shape)}", "only positions can be averaged",
                      "x.mean((2, 3)) or nn.AvgPool2d")  # fmt: skip
    pooled = _average(call.only, before[1:], before[1:], 0, True)
    assert isinstance(pooled, Expression)
    return pooled if len(call.shape) == 3 else pooled.through(Flatten(), "")


def reshape(call: Call) -> Result:
    """Flattening everything but the batch, however it is spelled."""
    if call.shape == call.only.shape:
        return call.only
    if call.shape != (math.prod(call.only.shape),):
        raise Refused(
            f"reshape from {list(call.only.shape)} to {list(call.shape)}",
            "only flattening everything but the batch keeps every value at its channel",
            "nn.Flatten() or x.flatten(1)",
        )
    return call.only.through(Flatten(), "")


def same(call: Call) -> Result:
    """What changes nothing in evaluation mode."""
    return call.only


def softmax(call: Call) -> Result:
    """Dropped behind the last layer: it does not move the largest score."""
    if not call.last:
        raise Refused("softmax inside the network", "it divides by a sum over units, which no neuron can do",
                      "use softmax only behind the last layer, or none: the loss can hold it")  # fmt: skip
    return call.only


# -- sums and factors --------------------------------------------------------------------------------------------


def add(call: Call) -> Result:
    """A sum of branches, or of a plain number."""
    if call.named.get("alpha", 1) != 1 or len(call.expressions) != 2:
        return _constant(call, lambda x, c: x.plus(torch.full(x.shape[:1], c)))
    first, second = call.expressions
    if first.shape != second.shape:
        raise Refused(f"sum of {list(first.shape)} and {list(second.shape)}", "currents meet neuron by neuron",
                      "give both branches the same shape")  # fmt: skip
    return first.added(second)


def multiply(call: Call) -> Result:
    """A plain factor."""
    return _constant(call, lambda x, c: x.scaled(torch.full(x.shape[:1], c), ""))


def divide(call: Call) -> Result:
    """A plain divisor."""
    return _constant(call, lambda x, c: x.scaled(torch.full(x.shape[:1], 1 / c), ""))


def subtract(call: Call) -> Result:
    """A plain number taken away."""
    return _constant(call, lambda x, c: x.plus(torch.full(x.shape[:1], -c)))


def _constant(call: Call, rule: Callable[[Expression, float], Expression]) -> Result:
    fine = len(call.expressions) == 1 and len(call.numbers) == 1 and isinstance(call.numbers[0], int | float)
    if not fine or call.named:
        raise Refused("arithmetic of two signals other than their sum", "neurons add currents, nothing else",
                      "a sum of branches, or a factor that is a plain number")  # fmt: skip
    return rule(call.only, float(call.numbers[0]))  # type: ignore[arg-type]


# -- activations -------------------------------------------------------------------------------------------------


def relu(call: Call) -> Result:
    """A layer of neurons, unless the values cannot be negative any more."""
    return call.only if call.only.is_activation else Rectified(clip=None)


def relu6(call: Call) -> Result:
    """A layer that is clipped at 6."""
    return Rectified(clip=6.0)


def clamp(call: Call) -> Result:
    """ReLU, clipped where a maximum is given."""
    given: dict[str, Any] = dict(zip(("min", "max"), call.numbers, strict=False)) | call.named
    low, high = given.get("min"), given.get("max")
    if low != 0 or isinstance(high, Tensor) or (high is not None and high <= 0):
        raise Refused(f"clamp to {low}..{high}", "a firing rate begins at zero", "clamp(min=0) or nn.ReLU()")
    return Rectified(clip=None if high is None else float(high))


def max_pool(call: Call) -> Result:
    """Refused: no sum of spikes is a maximum."""
    raise Refused(
        "max pooling",
        "the largest of several firing rates is not a sum of spikes; the OR of spikes is biased upwards",
        "nn.AvgPool2d, or stride 2 in the convolution, and train again",
    )
