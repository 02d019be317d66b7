"""Sums over the processes of a run; without any other process they change nothing."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torchmetrics import MeanMetric
from typing_extensions import override


def several() -> bool:
    """Whether the run has more than one process."""
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


@torch.no_grad()
def summed(values: Tensor) -> Tensor:
    """Return the sum over all processes, the same in each; without gradient.

    Args:
        values: of one shape in every process.
    """
    if not several():
        return values
    total = values.detach().clone()
    dist.all_reduce(total)
    return total


def summed_with_gradient(values: Tensor) -> Tensor:
    """Return the sum over all processes; its gradient is the sum of the gradients of all of them.

    Args:
        values: of one shape in every process.
    """
    return _Sum.apply(values) if several() else values  # type: ignore[return-value]


class _Sum(torch.autograd.Function):
    """Every process's sum depends on the values of all: d(sum of losses)/d(values) adds up over processes too."""

    @staticmethod
    @override
    def forward(ctx: Any, *args: Tensor) -> Tensor:
        return summed(args[0])

    @staticmethod
    @override
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        return summed(grad_outputs[0])


def mean_losses() -> nn.ModuleDict:
    """Return one mean loss per split, over the samples of all processes.

    Lightning's own mean of a logged number divides by the mean batch size as a whole number.
    """
    return nn.ModuleDict({f"{split}_split": MeanMetric() for split in ("train", "val", "test")})
