"""Exact first-spike times of current-based LIF neurons, differentiable in input times, weights and delays.

    tau_mem dv/dt = -v + i tau_mem / tau_syn,   tau_syn di/dt = -i,   i jumps by w at an input,

the units of Goeltz, Kriener et al., "Fast and energy-efficient neuromorphic deep learning with first-spike times",
Nature Machine Intelligence 3 (2021), with g_leak = tau_syn / tau_mem, and of DelGrad for the delays.
"""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons import first_spike_numba, first_spike_torch
from lightning_neuro.neurons.first_spike_torch import Spikes

_CLOSED_FORMS = (0.5, 1.0, 2.0)  # values of tau_syn / tau_mem


def first_spike_times(
    input_times: Tensor,
    weights: Tensor,
    *,
    tau_syn: float,
    tau_mem: float,
    threshold: float | Tensor,
    delays: Tensor | None = None,
) -> Tensor:
    """Return when each neuron first reaches its threshold, [batch, n_out]; inf where it never does.

    v(t) = sum_i w_i K(t - t_i - d_i), K(s) = tau_mem / (tau_mem - tau_syn) (exp(-s / tau_mem) - exp(-s / tau_syn)),
    and K(s) = s / tau exp(-s / tau) where the two are equal. Gradients are analytic and 0 for silent neurons; where
    a peak just touches the threshold they are large but finite.

    Args:
        input_times: [batch, n_in], inf = no spike; float32 or float64.
        weights: [n_in, n_out], in units of the threshold.
        tau_syn: time constant of the synaptic current, unit of the times.
        tau_mem: membrane time constant, unit of the times.
        threshold: > 0; a tensor is broadcast to [batch, n_out] and gets no gradient.
        delays: [n_in, 1] axonal, [1, n_out] dendritic or [n_in, n_out] synaptic, unit of the times.

    Raises:
        ConfigError: shapes or types do not fit, a constant is not positive, an input time is NaN or -inf.
    """
    return spike_times(
        input_times,
        weights,
        tau_syn=tau_syn,
        tau_mem=tau_mem,
        threshold=threshold,
        delays=delays,
        max_dw_norm=math.inf,
    )


def spike_times(
    input_times: Tensor,
    weights: Tensor,
    *,
    tau_syn: float,
    tau_mem: float,
    threshold: float | Tensor,
    delays: Tensor | None,
    max_dw_norm: float,
    stretch: Tensor | None = None,
    kernel: ModuleType | None = None,
) -> Tensor:
    """``first_spike_times`` with a gradient veto.

    Args:
        input_times, weights, tau_syn, tau_mem, threshold, delays: see ``first_spike_times``.
        max_dw_norm: a (sample, neuron) with max_i |dL/dT dT/dw_i| above it adds nothing to the gradient of the
            weights (those of times and delays stay); inf = no veto.
        stretch: [n_out] factors on both time constants of each neuron; None = 1.
        kernel: module with ``forward`` and ``backward``; None chooses by device and type.

    Raises:
        ConfigError: see ``first_spike_times``.
    """
    _check(input_times, weights, tau_syn, tau_mem, delays)
    threshold = _threshold(threshold, weights)
    conductance = _conductance(tau_syn, tau_mem)
    after = None
    if delays is not None:
        if delays.shape == (1, weights.shape[1]):
            after = delays  # every input of a neuron is late by the same: so is its spike
        elif delays.shape[1] == 1:
            input_times = input_times + delays[:, 0]
        else:
            input_times = input_times[:, :, None] + delays
    if tau_syn != 1:
        input_times = input_times / tau_syn
    if stretch is not None:
        input_times = (input_times[:, :, None] if input_times.dim() == 2 else input_times) / stretch
    times = _FirstSpike.apply(
        input_times, weights, threshold, conductance, max_dw_norm, kernel or kernel_for(input_times)
    )
    if stretch is not None:
        times = times * stretch
    if tau_syn != 1:
        times = times * tau_syn
    return times if after is None else torch.where(torch.isfinite(times), times + after, times)


def kernel_for(times: Tensor) -> ModuleType:
    """Return the compiled twin on a CPU, the torch version elsewhere."""
    return first_spike_numba if times.device.type == "cpu" else first_spike_torch


class _FirstSpike(torch.autograd.Function):
    """times, weights, threshold (units of tau_syn) -> first spikes."""

    @staticmethod
    def forward(
        ctx,
        times: Tensor,
        weights: Tensor,
        threshold: Tensor,
        conductance: float,
        max_dw_norm: float,
        kernel: ModuleType,
    ) -> Tensor:
        spikes = kernel.forward(times, weights, threshold, conductance)
        ctx.save_for_backward(times, weights, spikes.times, spikes.slope)
        ctx.conductance, ctx.max_dw_norm, ctx.kernel = conductance, max_dw_norm, kernel
        return spikes.times

    @staticmethod
    @once_differentiable
    def backward(ctx, *grad_outputs: Any) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        times, weights, spikes, slope = ctx.saved_tensors
        needs = ctx.needs_input_grad[0], ctx.needs_input_grad[1]
        grad_times, grad_weights = ctx.kernel.backward(
            grad_outputs[0], times, weights, Spikes(spikes, slope), ctx.conductance, ctx.max_dw_norm, needs
        )
        return grad_times, grad_weights, None, None, None, None


def _conductance(tau_syn: float, tau_mem: float) -> float:
    """tau_syn / tau_mem, snapped to the ratios that have closed forms."""
    ratio = tau_syn / tau_mem
    return next((closed for closed in _CLOSED_FORMS if math.isclose(ratio, closed, rel_tol=1e-9)), ratio)


def _threshold(threshold: float | Tensor, weights: Tensor) -> Tensor:
    values = torch.as_tensor(threshold, dtype=weights.dtype, device=weights.device).detach()
    positive = bool((values > 0).all()) if isinstance(threshold, Tensor) else threshold > 0
    if not positive:
        raise _error(
            f"threshold {values.min().item():g} is not positive",
            "a neuron at rest is at 0; with such a threshold it spikes without an input",
            "give a threshold > 0 (threshold noise: a smaller spread)",
        )
    return values


def _check(times: Tensor, weights: Tensor, tau_syn: float, tau_mem: float, delays: Tensor | None) -> None:
    if not (0 < tau_syn < math.inf and 0 < tau_mem < math.inf):
        raise _error(
            f"time constants tau_syn {tau_syn:g} and tau_mem {tau_mem:g} must be positive",
            "they are the decay times of current and membrane",
            "give both in the unit of the times",
        )
    types = {t.dtype for t in (times, weights, delays) if t is not None}
    if len(types) != 1 or not types <= {torch.float32, torch.float64}:
        raise _error(
            f"types {', '.join(sorted(map(str, types)))}: input times, weights and delays need the same",
            "a mixture would round some of the times silently",
            "convert all to float32 or float64",
        )
    shapes_fit = weights.dim() == 2 and times.dim() == 2 and times.shape[1] == weights.shape[0]
    if not shapes_fit:
        raise _error(
            f"input times {list(times.shape)} and weights {list(weights.shape)} do not fit",
            "input times are [batch, n_in], weights [n_in, n_out]",
            "transpose a weight matrix [n_out, n_in] of torch.nn.Linear with .T",
        )
    n_in, n_out = weights.shape
    if delays is not None and delays.shape not in {(n_in, 1), (1, n_out), (n_in, n_out)}:
        raise _error(
            f"delays {list(delays.shape)} fit neither of [{n_in}, 1], [1, {n_out}], [{n_in}, {n_out}]",
            "a delay belongs to an input, to a neuron, or to a pair",
            "reshape the delays to one of the three",
        )
    if times.numel() and not bool((times > -math.inf).all()):
        raise _error(
            "an input time is NaN or -inf",
            "every comparison with it would be false, and the spike lost without a word",
            "mark inputs without a spike with +inf",
        )


def _error(what: str, why: str, next_command: str) -> ConfigError:
    return ConfigError(what, where="first_spike_times", why=why, next_command=next_command)
