"""What each torch operation does to an expression; everything else is refused by name.

Operations come as modules, functions and methods. All of one kind go through one rule, whatever their spelling.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lightning_neuro.convert.expression import Expression
from lightning_neuro.convert.folded import Activation, Levels, Rectified
from lightning_neuro.convert.qcfs import QCFS
from lightning_neuro.convert.stages import Average, Flatten, Kernel, Matrix, Pair


class Refused(Exception):
    """An operation that no spiking network repeats; becomes a row of the table of all refusals."""

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.why, self.remedy = what, why, remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operation of the traced network.

    Args:
        label: name for the layer that it becomes.
        expressions: tensor arguments.
        numbers: other arguments in order, then named ones.
        named: other arguments by name.
        shape: of its result, without the batch.
        last: whether its result only leaves the network.
    """

    label: str
    expressions: tuple[Expression, ...]
    numbers: tuple[object, ...]
    named: dict[str, Any]
    shape: tuple[int, ...]
    last: bool

    @property
    def only(self) -> Expression:
        """The single tensor argument."""
        return self.expressions[0]


Result = Expression | Activation
"""A linear operation gives an expression, an activation starts a new layer."""

# -- linear layers -----------------------------------------------------------------------------------------------


def _pair(value: int | tuple[int, ...]) -> Pair:
    numbers = (value,) * 2 if isinstance(value, int) else tuple(int(n) for n in value)
    return numbers if len(numbers) == 2 else (numbers[0], numbers[0])


def _linear(module: nn.Linear, call: Call) -> Result:
    if len(call.only.shape) != 1:
        raise Refused(
            f"Linear on values of shape {list(call.only.shape)}",
            "its weights would be shared between positions, which no layer of neurons has",
            "nn.Flatten() before it, or nn.Conv2d with kernel size 1",
        )
    out = call.only.through(Matrix(weight=module.weight.detach().double()), call.label)
    return out if module.bias is None else out.plus(module.bias.detach())


def _conv(module: nn.Conv2d, call: Call) -> Result:
    if module.padding_mode != "zeros":
        raise Refused(f"padding_mode={module.padding_mode!r}", "only zeros carry no spikes", 'padding_mode="zeros"')
    kernel = Kernel(
        weight=module.weight.detach().double(),
        stride=_pair(module.stride),
        padding=_conv_padding(module),
        dilation=_pair(module.dilation),
        groups=module.groups,
    )
    out = call.only.through(kernel, call.label)
    return out if module.bias is None else out.plus(module.bias.detach())


def _conv_padding(module: nn.Conv2d) -> Pair:
    if not isinstance(module.padding, str):
        return _pair(module.padding)
    if module.padding == "valid":
        return 0, 0
    totals = [d * (k - 1) for d, k in zip(_pair(module.dilation), _pair(module.kernel_size), strict=True)]
    if any(total % 2 for total in totals):
        raise Refused('padding="same" with an even kernel', "its two sides would differ", "an odd kernel size")
    return totals[0] // 2, totals[1] // 2


def _norm(module: nn.BatchNorm1d | nn.BatchNorm2d, call: Call) -> Result:
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


# -- pooling and shape -------------------------------------------------------------------------------------------


def _average(expression: Expression, kernel: Any, stride: Any, padding: Any, plain: bool) -> Result:
    if not plain:
        raise Refused(
            "average pooling with ceil_mode, divisor_override or count_include_pad=False",
            "windows at the border would have another divisor than the weights behind them",
            "nn.AvgPool2d(kernel_size, stride, padding) with the defaults",
        )
    size = _pair(kernel)
    pool = Average(kernel=size, stride=size if stride in (None, ()) else _pair(stride), padding=_pair(padding))
    return expression.through(pool, "")


def _average_module(module: nn.AvgPool2d, call: Call) -> Result:
    plain = not module.ceil_mode and module.divisor_override is None
    plain = plain and (module.count_include_pad or not any(_pair(module.padding)))
    return _average(call.only, module.kernel_size, module.stride, module.padding, plain)


def _average_function(call: Call) -> Result:
    names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    given = dict(zip(names, call.numbers, strict=False)) | call.named
    plain = not given.get("ceil_mode") and given.get("divisor_override") is None
    plain = plain and (given.get("count_include_pad", True) is True or not given.get("padding"))
    return _average(call.only, given["kernel_size"], given.get("stride"), given.get("padding", 0), plain)


def _adaptive(call: Call) -> Result:
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


def _mean(call: Call) -> Result:
    """``x.mean((2, 3))``: pooling over all positions, flattened."""
    before = call.only.shape
    if len(before) != 3 or call.shape not in ((before[0],), (before[0], 1, 1)):
        raise Refused(f"mean from {list(before)} to {list(call.shape)}", "only positions can be averaged",
                      "x.mean((2, 3)) or nn.AvgPool2d")  # fmt: skip
    pooled = _average(call.only, before[1:], before[1:], 0, True)
    assert isinstance(pooled, Expression)
    return pooled if len(call.shape) == 3 else pooled.through(Flatten(), "")


def _reshape(call: Call) -> Result:
    if call.shape == call.only.shape:
        return call.only
    if call.shape != (math.prod(call.only.shape),):
        raise Refused(
            f"reshape from {list(call.only.shape)} to {list(call.shape)}",
            "only flattening everything but the batch keeps every value at its channel",
            "nn.Flatten() or x.flatten(1)",
        )
    return call.only.through(Flatten(), "")


def _same(call: Call) -> Result:
    return call.only


def _softmax(call: Call) -> Result:
    if not call.last:
        raise Refused("softmax inside the network", "it divides by a sum over units, which no neuron can do",
                      "use softmax only behind the last layer, or none: the loss can hold it")  # fmt: skip
    return call.only


# -- sums and factors --------------------------------------------------------------------------------------------


def _add(call: Call) -> Result:
    if call.named.get("alpha", 1) != 1 or len(call.expressions) != 2:
        return _constant(call, lambda x, c: x.plus(torch.full(x.shape[:1], c)))
    first, second = call.expressions
    if first.shape != second.shape:
        raise Refused(f"sum of {list(first.shape)} and {list(second.shape)}", "currents meet neuron by neuron",
                      "give both branches the same shape")  # fmt: skip
    return first.added(second)


def _multiply(call: Call) -> Result:
    return _constant(call, lambda x, c: x.scaled(torch.full(x.shape[:1], c), ""))


def _divide(call: Call) -> Result:
    return _constant(call, lambda x, c: x.scaled(torch.full(x.shape[:1], 1 / c), ""))


def _subtract(call: Call) -> Result:
    return _constant(call, lambda x, c: x.plus(torch.full(x.shape[:1], -c)))


def _constant(call: Call, rule: Callable[[Expression, float], Expression]) -> Result:
    fine = len(call.expressions) == 1 and len(call.numbers) == 1 and isinstance(call.numbers[0], int | float)
    if not fine or call.named:
        raise Refused("arithmetic of two signals other than their sum", "neurons add currents, nothing else",
                      "a sum of branches, or a factor that is a plain number")  # fmt: skip
    return rule(call.only, float(call.numbers[0]))  # type: ignore[arg-type]


# -- activations -------------------------------------------------------------------------------------------------


def _relu(call: Call) -> Result:
    return call.only if call.only.is_activation else Rectified(clip=None)


def _relu6(call: Call) -> Result:
    return Rectified(clip=6.0)


def _clamp(call: Call) -> Result:
    given: dict[str, Any] = dict(zip(("min", "max"), call.numbers, strict=False)) | call.named
    low, high = given.get("min"), given.get("max")
    if low != 0 or isinstance(high, Tensor) or (high is not None and high <= 0):
        raise Refused(f"clamp to {low}..{high}", "a firing rate begins at zero", "clamp(min=0) or nn.ReLU()")
    return Rectified(clip=None if high is None else float(high))


def _max_pool(call: Call) -> Result:
    raise Refused(
        "max pooling",
        "the largest of several firing rates is not a sum of spikes; the OR of spikes is biased upwards",
        "nn.AvgPool2d, or stride 2 in the convolution, and train again",
    )


# -- tables ------------------------------------------------------------------------------------------------------


def _plain(rule: Callable[[Call], Result]) -> Callable[[Any, Call], Result]:
    return lambda module, call: rule(call)


MODULES: dict[type[nn.Module], Callable[[Any, Call], Result]] = {
    nn.Linear: _linear,
    nn.Conv2d: _conv,
    nn.BatchNorm1d: _norm,
    nn.BatchNorm2d: _norm,
    nn.AvgPool2d: _average_module,
    QCFS: lambda module, call: Levels.of(module),
    **dict.fromkeys((nn.AdaptiveAvgPool2d,), _plain(_adaptive)),
    **dict.fromkeys((nn.Flatten, nn.Unflatten), _plain(_reshape)),
    **dict.fromkeys((nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout), _plain(_same)),
    **dict.fromkeys((nn.Softmax, nn.LogSoftmax), _plain(_softmax)),
    nn.ReLU: _plain(_relu),
    nn.ReLU6: _plain(_relu6),
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool2d), _plain(_max_pool)),
}
FUNCTIONS: dict[Any, Callable[[Call], Result]] = {
    **dict.fromkeys((F.relu, F.relu_, torch.relu, torch.relu_), _relu),
    F.relu6: _relu6,
    **dict.fromkeys((torch.clamp, torch.clip), _clamp),
    **dict.fromkeys((F.dropout, F.dropout1d, F.dropout2d), _same),
    **dict.fromkeys((F.softmax, F.log_softmax, torch.softmax, torch.log_softmax), _softmax),
    **dict.fromkeys((torch.flatten, torch.reshape, torch.squeeze), _reshape),
    F.avg_pool2d: _average_function,
    F.adaptive_avg_pool2d: _adaptive,
    torch.mean: _mean,
    **dict.fromkeys((operator.add, operator.iadd, torch.add), _add),
    **dict.fromkeys((operator.mul, operator.imul, torch.mul), _multiply),
    **dict.fromkeys((operator.truediv, torch.div), _divide),
    **dict.fromkeys((operator.sub, torch.sub), _subtract),
    **dict.fromkeys((F.max_pool2d, F.max_pool1d, torch.max_pool2d, F.adaptive_max_pool2d), _max_pool),
}
METHODS: dict[str, Callable[[Call], Result]] = {
    **dict.fromkeys(("relu", "relu_"), _relu),
    **dict.fromkeys(("clamp", "clamp_", "clip"), _clamp),
    **dict.fromkeys(("flatten", "view", "reshape", "squeeze"), _reshape),
    **dict.fromkeys(("contiguous", "float", "detach"), _same),
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    "mean": _mean,
    **dict.fromkeys(("add", "add_"), _add),
    **dict.fromkeys(("mul", "mul_"), _multiply),
    **dict.fromkeys(("div", "div_"), _divide),
    **dict.fromkeys(("sub", "sub_"), _subtract),
}
