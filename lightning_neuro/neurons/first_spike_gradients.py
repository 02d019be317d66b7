"""Compiled gradients of first-spike times: see ``first_spike_numba``; equations as in ``first_spike_torch``.

exp(-(T - t_i)) is the product of one exponential per neuron and one per input, relative to the first input of the
sample; where that would overflow, or tell tau_mem from tau_syn badly, every pair has its own.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from lightning_neuro.neurons.first_spike_walk import kernel

WIDEST_SPAN = 600.0
CLOSEST_RATIO = 0.05  # |1 - g| from which K as a difference of two products is good to 1e-14


@njit(cache=True, nogil=True)
def growth(times, g, first, grown_current, grown_membrane):  # pragma: no cover - compiled
    """Fill the first input of every sample (0 without any), and exp(t - first), exp(g (t - first)) of every input."""
    for b in range(times.shape[0]):
        earliest = math.inf
        for i in range(times.shape[1]):
            earliest = min(earliest, times[b, i])
        first[b] = earliest if earliest < math.inf else 0.0
        for i in range(times.shape[1]):
            age = min(times[b, i] - first[b], WIDEST_SPAN)
            grown_membrane[b, i] = math.exp(min(g * age, WIDEST_SPAN))
            grown_current[b, i] = grown_membrane[b, i] ** 2 if g == 0.5 else math.exp(age)  # g = 1: the same array


@njit(cache=True, nogil=True)
def _best_lag(g):  # pragma: no cover - compiled
    """Where K is largest."""
    return 1.0 if g == 1.0 else -math.log(g) / (1.0 - g)


@njit(cache=True, nogil=True)
def _is_vetoed(times, spike, best, g, limit):  # pragma: no cover - compiled
    """Whether max_i K(spike - t_i) > limit; K has one maximum, at ``best``, so the inputs next to it decide."""
    before, after = math.inf, 0.0  # lags
    for i in range(len(times)):
        lag = spike - times[i]
        if lag >= best:
            before = min(before, lag)
        elif lag > 0.0:
            after = max(after, lag)
    return kernel(after, g) > limit or (before < math.inf and kernel(before, g) > limit)


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def gradients_block(
    grad,
    times,
    weights,
    spikes,
    slope,
    g,
    max_dw_norm,
    needs_times,
    needs_weights,
    first_input,
    grown_current,
    grown_membrane,
    first,
    grad_times,
    grad_weights,
):  # pragma: no cover - compiled
    """Add the part of neurons first, first + 1, ... (the columns of ``weights``, ``grad_weights``)."""
    batch, n_in = times.shape
    width = weights.shape[1]
    spike, force, kept = np.empty(width), np.empty(width), np.empty(width)
    by_current, by_membrane = np.empty(width), np.empty(width)
    best = _best_lag(g)
    most = kernel(best, g)
    by_product = g == 1.0 or abs(1.0 - g) >= CLOSEST_RATIO
    for b in range(batch):
        last = -math.inf
        for n in range(width):
            silent = spikes[b, first + n] == math.inf
            spike[n] = -math.inf if silent else spikes[b, first + n]
            force[n] = 0.0 if silent else grad[b, first + n] / slope[b, first + n]
            last = max(last, spike[n])
            kept[n] = 1.0
            if abs(force[n]) * most > max_dw_norm:  # possible; rare enough to look closer
                kept[n] = 0.0 if _is_vetoed(times[b], spike[n], best, g, max_dw_norm / abs(force[n])) else 1.0
        narrow = by_product and (last - first_input[b]) * max(1.0, g) < WIDEST_SPAN
        if narrow and g == 1.0:
            for n in range(width):
                by_current[n] = force[n] * math.exp(first_input[b] - spike[n]) if force[n] != 0.0 else 0.0
            for i in range(n_in):
                now, grown = times[b, i], grown_current[b, i]
                if not now < last:
                    continue
                if needs_weights:
                    for n in range(width):
                        lag = spike[n] - now
                        change = lag * kept[n] * by_current[n] * grown
                        grad_weights[i, n] -= change if lag > 0.0 else 0.0
                if needs_times:
                    total = 0.0
                    for n in range(width):
                        lag = spike[n] - now
                        change = (1.0 - lag) * by_current[n] * grown * weights[i, n]
                        total += change if lag > 0.0 else 0.0
                    grad_times[b, i] += total
        elif narrow:
            for n in range(width):
                age = first_input[b] - spike[n]
                by_current[n] = force[n] * math.exp(age) / (1.0 - g) if force[n] != 0.0 else 0.0
                by_membrane[n] = force[n] * math.exp(g * age) / (1.0 - g) if force[n] != 0.0 else 0.0
            for i in range(n_in):
                now, grown_i, grown_v = times[b, i], grown_current[b, i], grown_membrane[b, i]
                if not now < last:
                    continue
                if needs_weights:
                    for n in range(width):
                        change = kept[n] * (by_membrane[n] * grown_v - by_current[n] * grown_i)
                        grad_weights[i, n] -= change if spike[n] > now else 0.0
                if needs_times:
                    total = 0.0
                    for n in range(width):
                        change = (by_current[n] * grown_i - g * by_membrane[n] * grown_v) * weights[i, n]
                        total += change if spike[n] > now else 0.0
                    grad_times[b, i] += total
        else:
            for i in range(n_in):
                now = times[b, i]
                if not now < last:
                    continue
                for n in range(width):
                    lag = spike[n] - now
                    if lag > 0.0 and force[n] != 0.0:
                        rise = kernel(lag, g)
                        grad_weights[i, n] -= kept[n] * force[n] * rise
                        grad_times[b, i] += force[n] * weights[i, n] * (math.exp(-lag) - g * rise)


@njit(cache=True, nogil=True)
def gradients_pairs(
    grad, times, weights, spikes, slope, g, max_dw_norm, grad_times, grad_weights
):  # pragma: no cover - compiled
    """Fill the gradients of delayed times [batch, n_out, n_in], and add those of weights [n_out, n_in]."""
    batch, n_out, n_in = times.shape
    best = _best_lag(g)
    most = kernel(best, g)
    for b in range(batch):
        for m in range(n_out):
            spike = spikes[b, m]
            if spike == math.inf or grad[b, m] == 0.0:
                continue
            force = grad[b, m] / slope[b, m]
            kept = 1.0
            if abs(force) * most > max_dw_norm:
                kept = 0.0 if _is_vetoed(times[b, m], spike, best, g, max_dw_norm / abs(force)) else 1.0
            for i in range(n_in):
                lag = spike - times[b, m, i]
                if lag > 0.0:
                    rise = kernel(lag, g)
                    grad_weights[m, i] -= kept * force * rise
                    grad_times[b, m, i] = force * weights[m, i] * (math.exp(-lag) - g * rise)
