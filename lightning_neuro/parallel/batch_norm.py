"""Batch normalisation over the samples of all processes.

torch's ``SyncBatchNorm`` runs on GPUs only. With sums over all n values of a channel, in all processes,

    mean = sum(x) / n,   var = sum((x - mean)^2) / n,   y = weight (x - mean) / sqrt(var + eps) + bias

and running statistics as in ``torch.nn.BatchNorm1d``.
"""

from __future__ import annotations

from functools import partial

import torch
from pytorch_lightning.plugins import LayerSync
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from typing_extensions import override

from lightning_neuro.parallel.ranks import summed, summed_with_gradient


class GlobalBatchNorm(LayerSync):
    """Lets every batch normalisation of a module see the batches of all processes while it is trained."""

    @override
    def apply(self, model: nn.Module) -> nn.Module:
        for module in model.modules():
            if isinstance(module, _BatchNorm):
                module.forward = partial(normalised, module)  # type: ignore[method-assign]  # the class stays: folding asks for it
        return model

    @override
    def revert(self, model: nn.Module) -> nn.Module:
        for module in model.modules():
            if isinstance(module, _BatchNorm):
                module.__dict__.pop("forward", None)
        return model


def normalised(module: _BatchNorm, x: Tensor) -> Tensor:
    """Return a batch [sample, channel, ...] normalised with the statistics of the batches of all processes.

    Args:
        module: parameters and running statistics; updated in training.
        x: this process's samples.
    """
    if not module.training:
        return type(module).forward(module, x)
    axes = [axis for axis in range(x.ndim) if axis != 1]
    shape = [1, -1] + [1] * (x.ndim - 2)
    count = summed(torch.tensor(x.numel() / x.shape[1], device=x.device, dtype=torch.float64)).item()
    mean = summed_with_gradient(x.sum(axes)) / count
    centred = x - mean.view(shape)
    var = summed_with_gradient(centred.square().sum(axes)) / count
    _remember(module, mean.detach(), var.detach() * (count / max(count - 1, 1)))
    y = centred * torch.rsqrt(var + module.eps).view(shape)
    return y if module.weight is None else y * module.weight.view(shape) + module.bias.view(shape)


@torch.no_grad()
def _remember(module: _BatchNorm, mean: Tensor, var: Tensor) -> None:
    if module.running_mean is None or module.running_var is None or module.num_batches_tracked is None:
        return
    module.num_batches_tracked.add_(1)
    share = 1 / float(module.num_batches_tracked) if module.momentum is None else module.momentum
    module.running_mean.lerp_(mean.to(module.running_mean.dtype), share)
    module.running_var.lerp_(var.to(module.running_var.dtype), share)
