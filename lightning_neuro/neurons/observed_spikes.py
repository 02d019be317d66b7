"""First spikes that somebody else observed, on a chip for instance, with the gradients of the model at their times.

The derivatives are those of v(T) = threshold in ``first_spike_torch``, taken where the neuron really spiked,

    dT/dw_i = -K(T - t_i) / v'(T),      dT/dt_i = w_i K'(T - t_i) / v'(T),

with the inputs that it really got. A neuron whose model does not rise at T has no gradient there: to the model that
spike has no cause. After Goeltz, Kriener et al. 2021 (doi:10.1038/s42256-021-00388-x), who trained a chip in this way.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lightning_neuro.neurons.first_spike import kernel_for
from lightning_neuro.neurons.first_spike_torch import CHUNK_ELEMENTS, Spikes, kernel

GENTLEST = 0.1
"""Slope, thresholds per tau_syn, below which a rising membrane counts as rising so fast: gradients stay finite."""


def observed_spikes(
    observed: Tensor,
    input_times: Tensor,
    weights: Tensor,
    *,
    conductance: float,
    threshold: Tensor,
    max_dw_norm: float,
) -> Tensor:
    """Return ``observed``, differentiable in the times and weights of the inputs.

    Args:
        observed: [batch, n_out] first spikes, inf = silent; all times in units of tau_syn.
        input_times: [batch, n_in] of the spikes that the neurons got, inf = silent.
        weights: [n_in, n_out], in units of the threshold.
        conductance: tau_syn / tau_mem.
        threshold: [n_out].
        max_dw_norm: see ``first_spike.spike_times``.
    """
    return _Observed.apply(observed, input_times, weights, threshold, conductance, max_dw_norm, kernel_for(input_times))


def slopes(observed: Tensor, input_times: Tensor, weights: Tensor, conductance: float) -> Tensor:
    """Return how fast the model's membranes rise at the observed spikes, [batch, n_out]; 0 where silent."""
    result = torch.zeros_like(observed)
    size = max(1, CHUNK_ELEMENTS // max(1, weights.numel()))
    for part in (slice(k, k + size) for k in range(0, len(observed), size)):
        lag = observed[part, None, :] - input_times[part, :, None]
        causal = (lag > 0) & torch.isfinite(lag)
        lag = lag.where(causal, 0)
        change = weights * (torch.exp(-lag) - conductance * kernel(lag, conductance))
        result[part] = change.where(causal, 0).sum(1)
    return result


class _Observed(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx,
        observed: Tensor,
        times: Tensor,
        weights: Tensor,
        threshold: Tensor,
        conductance: float,
        max_dw_norm: float,
        module: ModuleType,
    ) -> Tensor:
        slope = slopes(observed, times, weights, conductance)
        caused = observed.where(slope > 0, math.inf)
        slope = torch.maximum(slope, GENTLEST * threshold).where(slope > 0, 1.0)
        ctx.save_for_backward(times, weights, caused, slope)
        ctx.conductance, ctx.max_dw_norm, ctx.module = conductance, max_dw_norm, module
        return observed.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, *grad_outputs: Any) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        times, weights, caused, slope = ctx.saved_tensors
        needs = ctx.needs_input_grad[1], ctx.needs_input_grad[2]
        grad_times, grad_weights = ctx.module.backward(
            grad_outputs[0], times, weights, Spikes(caused, slope), ctx.conductance, ctx.max_dw_norm, needs
        )
        return None, grad_times, grad_weights, None, None, None, None
