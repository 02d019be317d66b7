"""Which rule each torch operation follows; everything else is refused by name.

Operations come as modules, functions and methods. All of one kind go through one rule, whatever their spelling.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from lightning_neuro.convert import signal_rules as signal
from lightning_neuro.convert import weight_rules as weight
from lightning_neuro.convert.call import Call, Result
from lightning_neuro.convert.folded import Levels
from lightning_neuro.convert.qcfs import QCFS


def _plain(rule: Callable[[Call], Result]) -> Callable[[Any, Call], Result]:
    return lambda module, call: rule(call)


MODULES: dict[type[nn.Module], Callable[[Any, Call], Result]] = {
    nn.Linear: weight.linear,
    nn.Conv2d: weight.conv,
    nn.BatchNorm1d: weight.norm,
    nn.BatchNorm2d: weight.norm,
    nn.AvgPool2d: signal.average_module,
    QCFS: lambda module, call: Levels.of(module),
    **dict.fromkeys((nn.AdaptiveAvgPool2d,), _plain(signal.adaptive_average)),
    **dict.fromkeys((nn.Flatten, nn.Unflatten), _plain(signal.reshape)),
    **dict.fromkeys((nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout), _plain(signal.same)),
    **dict.fromkeys((nn.Softmax, nn.LogSoftmax), _plain(signal.softmax)),
    nn.ReLU: _plain(signal.relu),
    nn.ReLU6: _plain(signal.relu6),
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool2d), _plain(signal.max_pool)),
}
FUNCTIONS: dict[Any, Callable[[Call], Result]] = {
    **dict.fromkeys((F.relu, F.relu_, torch.relu, torch.relu_), signal.relu),
    F.relu6: signal.relu6,
    **dict.fromkeys((torch.clamp, torch.clip), signal.clamp),
    **dict.fromkeys((F.dropout, F.dropout1d, F.dropout2d), signal.same),
    **dict.fromkeys((F.softmax, F.log_softmax, torch.softmax, torch.log_softmax), signal.softmax),
    **dict.fromkeys((torch.flatten, torch.reshape, torch.squeeze), signal.reshape),
    F.avg_pool2d: signal.average_function,
    F.adaptive_avg_pool2d: signal.adaptive_average,
    torch.mean: signal.mean,
    **dict.fromkeys((operator.add, operator.iadd, torch.add), signal.add),
    **dict.fromkeys((operator.mul, operator.imul, torch.mul), signal.multiply),
    **dict.fromkeys((operator.truediv, torch.div), signal.divide),
    **dict.fromkeys((operator.sub, torch.sub), signal.subtract),
    **dict.fromkeys((F.max_pool2d, F.max_pool1d, torch.max_pool2d, F.adaptive_max_pool2d), signal.max_pool),
}
METHODS: dict[str, Callable[[Call], Result]] = {
    **dict.fromkeys(("relu", "relu_"), signal.relu),
    **dict.fromkeys(("clamp", "clamp_", "clip"), signal.clamp),
    **dict.fromkeys(("flatten", "view", "reshape", "squeeze"), signal.reshape),
    **dict.fromkeys(("contiguous", "float", "detach"), signal.same),
    **dict.fromkeys(("softmax", "log_softmax"), signal.softmax),
    "mean": signal.mean,
    **dict.fromkeys(("add", "add_"), signal.add),
    **dict.fromkeys(("mul", "mul_"), signal.multiply),
    **dict.fromkeys(("div", "div_"), signal.divide),
    **dict.fromkeys(("sub", "sub_"), signal.subtract),
}
