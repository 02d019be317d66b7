"""Sums over the processes of a run; without any other process they change nothing."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torchmetrics import MeanMetric


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
    return all_reduce(values) if several() else values


def mean_losses() -> nn.ModuleDict:
    """Return one mean loss per split, over the samples of all processes.

    Lightning's own mean of a logged number divides by the mean batch size as a whole number.
    """
    return nn.ModuleDict({f"{split}_split": MeanMetric() for split in ("train", "val", "test")})
