"""First-spike times in plain torch, any device: O(batch n_in n_out), in chunks of the batch that bound the memory.

All times are in units of tau_syn, g = tau_syn / tau_mem. Between two inputs the state is the synaptic current i
and the membrane v; a time h after the k-th input

    i(h) = i exp(-h),   v(h) = v exp(-g h) + i K(h),   K(h) = (exp(-g h) - exp(-h)) / (1 - g)   [h exp(-h) for g = 1]
    dv/dh = i - g v.

A membrane below threshold after input k crosses it before input k + 1 if it is above at k + 1, or if its peak

    h_peak = -ln(1 - (1 - g)(1 - g v / i)) / (1 - g),   peak = i exp(-h_peak) / g

lies between and is above. The first such k is the causal set; one root (``first_spike_root``) gives the time.
Gradients are those of v(T) = threshold at fixed causal set: dT/dw_i = -K(T - t_i) / v', dT/dt_i = w_i K'(T - t_i) / v'.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_neuro.neurons.first_spike_root import time_before_peak

CHUNK_ELEMENTS = 1 << 21  # of one [batch, n_in, n_out] temporary; about twenty exist at once
WIDEST_SPAN = {torch.float64: 300.0, torch.float32: 30.0}  # of input times for exponentials relative to the first


class Spikes(NamedTuple):
    """Times [batch, n_out] (inf = silent) in units of tau_syn, and dv/dt there (any number > 0 where silent)."""

    times: Tensor
    slope: Tensor


class State(NamedTuple):
    """Current and membrane just after an input, the input's time, the gap to the next input."""

    current: Tensor
    membrane: Tensor
    time: Tensor
    gap: Tensor


def kernel(lag: Tensor, conductance: float) -> Tensor:
    """Return K(lag), lag >= 0 in units of tau_syn."""
    if conductance == 1.0:
        return lag * torch.exp(-lag)
    slow, apart = min(1.0, conductance), abs(1 - conductance)
    return torch.exp(-slow * lag) * torch.expm1(-apart * lag) / -apart


def forward(times: Tensor, weights: Tensor, threshold: Tensor, conductance: float) -> Spikes:
    """Return the first upward crossings.

    Args:
        times: [batch, n_in], or [batch, n_in, n_out] with synaptic delays; inf = silent.
        weights: [n_in, n_out].
        threshold: broadcastable to [batch, n_out], > 0.
        conductance: g = tau_syn / tau_mem.
    """
    batch, n_out = times.shape[0], weights.shape[1]
    if times.numel() == 0 or n_out == 0:
        return Spikes(weights.new_full((batch, n_out), math.inf), weights.new_ones((batch, n_out)))
    threshold = threshold.expand(batch, n_out)
    parts = [_forward_chunk(times[c], weights, threshold[c], conductance) for c in _chunks(batch, weights)]
    return Spikes(torch.cat([p.times for p in parts]), torch.cat([p.slope for p in parts]))


def _chunks(batch: int, weights: Tensor) -> list[slice]:
    size = max(1, CHUNK_ELEMENTS // max(1, weights.numel()))
    return [slice(k, k + size) for k in range(0, batch, size)] if weights.numel() else []


def _forward_chunk(times: Tensor, weights: Tensor, threshold: Tensor, g: float) -> Spikes:
    state = _states(times, weights, g)
    spiking, first = _first_interval(state, threshold, g)
    picked = State(*(field.expand_as(state.current).gather(1, first[:, None]).squeeze(1) for field in state))
    picked = State(picked.current.where(spiking, 1), picked.membrane, picked.time, picked.gap)
    delay, slope = _solve(picked, threshold, g)
    return Spikes((picked.time + delay).where(spiking, math.inf), slope.where(spiking, 1))


def _states(times: Tensor, weights: Tensor, g: float) -> State:
    """Return the state after every input in the order of time; silent inputs have weight 0 at the last time."""
    order = times.argsort(dim=1, stable=True)
    time = times.gather(1, order)
    silent = torch.isinf(time)
    if times.dim() == 2:
        weight, time, silent = weights[order], time[..., None], silent[..., None]
    else:
        weight = weights.expand_as(times).gather(1, order)
    weight = weight.where(~silent, 0)
    last = time.where(~silent, -math.inf).amax(1, keepdim=True)
    last = last.where(torch.isfinite(last), 0)
    time = torch.minimum(time, last)
    gap = time.diff(dim=1)
    span = float((last - time[:, :1]).max()) * max(1.0, g)
    walk = _walk_parallel if span <= WIDEST_SPAN[times.dtype] else _walk_serial
    current, membrane = walk(time, gap, weight, g)
    return State(current, membrane, time, torch.cat([gap, torch.full_like(last, math.inf)], 1))


def _walk_parallel(time: Tensor, gap: Tensor, weight: Tensor, g: float) -> tuple[Tensor, Tensor]:
    """Two cumulative sums, of weights and of what each interval adds to the membrane, grown by exp of their age."""
    age = time - time[:, :1]
    current = torch.cumsum(weight * torch.exp(age), 1) * torch.exp(-age)
    added = current[:, :-1] * kernel(gap, g) * torch.exp(g * age[:, 1:])
    membrane = torch.zeros_like(current)
    membrane[:, 1:] = torch.cumsum(added, 1) * torch.exp(-g * age[:, 1:])
    return current, membrane


def _walk_serial(time: Tensor, gap: Tensor, weight: Tensor, g: float) -> tuple[Tensor, Tensor]:
    """One input after the other: for spans whose exponential would overflow."""
    current, membrane = weight.clone(), torch.zeros_like(weight)
    keep_current, keep_membrane, rise = torch.exp(-gap), torch.exp(-g * gap), kernel(gap, g)
    for k in range(1, time.shape[1]):
        membrane[:, k] = membrane[:, k - 1] * keep_membrane[:, k - 1] + current[:, k - 1] * rise[:, k - 1]
        current[:, k] += current[:, k - 1] * keep_current[:, k - 1]
    return current, membrane


def _first_interval(state: State, threshold: Tensor, g: float) -> tuple[Tensor, Tensor]:
    """Return (whether there is a spike, after which input), both [batch, n_out]."""
    crossed = torch.zeros_like(state.current, dtype=torch.bool)
    crossed[:, :-1] = state.membrane[:, 1:] >= threshold[:, None]
    peak, log_peak = _peak(state.current, state.membrane, threshold[:, None], g)
    crossed |= (log_peak >= 0) & (peak <= state.gap)
    rising = state.current > g * state.membrane
    crossed &= rising & (state.current > 0)
    return crossed.any(1), crossed.to(torch.uint8).argmax(1)


def _peak(current: Tensor, membrane: Tensor, threshold: Tensor, g: float) -> tuple[Tensor, Tensor]:
    """Return when the membrane would peak if no input came, and ln(peak / threshold); -inf where it never does."""
    current = current.where(current > 0, 0).clamp(min=torch.finfo(current.dtype).tiny)
    climb = (1 - g * membrane / current).clamp(min=0)
    if g == 1.0:
        peak = climb
    else:
        inside = 1 - (1 - g) * climb
        peak = -torch.log1p(-(1 - g) * climb.where(inside > 0, 0)) / (1 - g)
        peak = peak.where(inside > 0, math.inf)
    return peak, torch.log(current / (g * threshold)) - peak


def _solve(state: State, threshold: Tensor, g: float) -> tuple[Tensor, Tensor]:
    """Return the crossing after the state's input, and dv/dt there.

    Rounding of ln(peak / threshold) makes a time before the peak below sqrt(eps) meaningless; the slope uses at least
    that, so that gradients stay finite where the peak touches the threshold.
    """
    peak, log_peak = _peak(state.current, state.membrane, threshold, g)
    peak = peak.where(torch.isfinite(peak), 0)  # silent neurons only
    before = time_before_peak(log_peak.clamp(min=0, max=1e4), g)
    delay = torch.minimum((peak - before).clamp(min=0), state.gap)
    before = before.clamp(min=math.sqrt(torch.finfo(before.dtype).eps))
    steepness = before if g == 1.0 else -torch.expm1((g - 1) * before) / (1 - g)
    return delay, state.current * torch.exp(-delay) * steepness


def backward(
    grad: Tensor,
    times: Tensor,
    weights: Tensor,
    spikes: Spikes,
    conductance: float,
    max_dw_norm: float,
    needs: tuple[bool, bool],
) -> tuple[Tensor | None, Tensor | None]:
    """Return dL/dtimes (the shape of times) and dL/dweights; None where ``needs`` is False.

    Args:
        grad: dL/dT [batch, n_out]; what stands at silent neurons is ignored.
        times, weights: what ``forward`` got.
        spikes: what it returned.
        conductance: g = tau_syn / tau_mem.
        max_dw_norm: a (sample, neuron) with max_i |dL/dT dT/dw_i| above it adds nothing to dL/dweights; inf = none.
        needs: for times, for weights.
    """
    grad = grad.where(torch.isfinite(spikes.times), 0) / spikes.slope
    grad_times = torch.zeros_like(times) if needs[0] else None
    grad_weights = torch.zeros_like(weights) if needs[1] else None
    for part in _chunks(len(times), weights):
        time = times[part] if times.dim() == 3 else times[part, :, None]
        lag = spikes.times[part, None] - time
        causal = (lag > 0) & torch.isfinite(lag)  # inf - inf is no lag either
        lag = lag.where(causal, 0)
        rise, force = kernel(lag, conductance), grad[part, None]
        if grad_weights is not None:
            change = -force * rise
            if max_dw_norm != math.inf:
                change = change.where(change.abs().amax(1, keepdim=True) <= max_dw_norm, 0)
            grad_weights += change.sum(0)
        if grad_times is not None:
            change = (force * weights * (torch.exp(-lag) - conductance * rise)).where(causal, 0)
            grad_times[part] = change if times.dim() == 3 else change.sum(2)
    return grad_times, grad_weights
