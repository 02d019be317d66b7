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
    """Fill the first input of every sample (0 without any), and exp(t - first) of every input.

    Where g is not 1, also exp(g (t - first)).
    """
    for b in range(times.shape[0]):
        earliest = math.inf
        for i in range(times.shape[1]):
            earliest = min(earliest, times[b, i])
        first[b] = earliest if earliest < math.inf else 0.0
        for i in range(times.shape[1]):
            age = min(times[b, i] - first[b], WIDEST_SPAN)
            if g == 1.0:
                grown_current[b, i] = math.exp(age)
            else:
                grown_membrane[b, i] = math.exp(min(g * age, WIDEST_SPAN))
                grown_current[b, i] = grown_membrane[b, i] ** 2 if g == 0.5 else math.exp(age)


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
def _add_equal(
    b, times, weights, spike, kept, force, since, grown, last, needs_times, needs_weights, grad_times, grad_weights
):  # pragma: no cover - compiled
    """Gradients of sample b for g = 1, K = lag exp(-lag); ``since`` is exp(first - spike)."""
    width = len(spike)
    for n in range(width):
        since[n] *= force[n]
    for i in range(times.shape[1]):
        now, grown_i = times[b, i], grown[b, i]
        if not now < last:
            continue
        if needs_weights:
            for n in range(width):
                lag = spike[n] - now
                change = lag * kept[n] * since[n] * grown_i
                grad_weights[i, n] -= change if lag > 0.0 else 0.0
        if needs_times:
            total = 0.0
            for n in range(width):
                lag = spike[n] - now
                change = (1.0 - lag) * since[n] * grown_i * weights[i, n]
                total += change if lag > 0.0 else 0.0
            grad_times[b, i] += total


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _add_apart(
    b,
    times,
    weights,
    spike,
    kept,
    force,
    since,
    since_membrane,
    g,
    grown,
    grown_membrane,
    last,
    needs_times,
    needs_weights,
    grad_times,
    grad_weights,
):  # pragma: no cover - compiled
    """Gradients of sample b for g != 1; ``since`` and ``since_membrane`` are exp(first - spike), to g as well."""
    width = len(spike)
    for n in range(width):
        since[n] *= force[n] / (1.0 - g)
        since_membrane[n] *= force[n] / (1.0 - g)
    for i in range(times.shape[1]):
        now, grown_i, grown_v = times[b, i], grown[b, i], grown_membrane[b, i]
        if not now < last:
            continue
        if needs_weights:
            for n in range(width):
                change = kept[n] * (since_membrane[n] * grown_v - since[n] * grown_i)
                grad_weights[i, n] -= change if spike[n] > now else 0.0
        if needs_times:
            total = 0.0
            for n in range(width):
                change = (since[n] * grown_i - g * since_membrane[n] * grown_v) * weights[i, n]
                total += change if spike[n] > now else 0.0
            grad_times[b, i] += total


@njit(cache=True, nogil=True)
def _add_pairwise(
    b, times, weights, spike, kept, force, g, last, grad_times, grad_weights
):  # pragma: no cover - compiled
    """Gradients of sample b with exponentials of their own for every input and neuron."""
    for i in range(times.shape[1]):
        now = times[b, i]
        if not now < last:
            continue
        for n in range(len(spike)):
            lag = spike[n] - now
            if lag > 0.0 and force[n] != 0.0:
                rise = kernel(lag, g)
                grad_weights[i, n] -= kept[n] * force[n] * rise
                grad_times[b, i] += force[n] * weights[i, n] * (math.exp(-lag) - g * rise)


@njit(cache=True, nogil=True)
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
    grown,
    grown_membrane,
    first,
    grad_times,
    grad_weights,
):  # pragma: no cover - compiled
    """Add the part of neurons first, first + 1, ... (the columns of ``weights``, ``grad_weights``)."""
    width = weights.shape[1]
    spike, force, kept = np.empty(width), np.empty(width), np.empty(width)
    since, since_membrane = np.empty(width), np.empty(width)
    best = _best_lag(g)
    most = kernel(best, g)
    by_product = g == 1.0 or abs(1.0 - g) >= CLOSEST_RATIO
    needs = needs_times, needs_weights
    for b in range(len(times)):
        last = -math.inf
        for n in range(width):
            silent = spikes[b, first + n] == math.inf
            spike[n] = -math.inf if silent else spikes[b, first + n]
            force[n] = 0.0 if silent else grad[b, first + n] / slope[b, first + n]
            last = max(last, spike[n])
            kept[n] = 1.0
            if abs(force[n]) * most > max_dw_norm:  # possible; rare enough to look closer
                kept[n] = 0.0 if _is_vetoed(times[b], spike[n], best, g, max_dw_norm / abs(force[n])) else 1.0
        if not by_product or (last - first_input[b]) * max(1.0, g) >= WIDEST_SPAN:
            _add_pairwise(b, times, weights, spike, kept, force, g, last, grad_times, grad_weights)
            continue
        for n in range(width):
            age = first_input[b] - spike[n] if force[n] != 0.0 else 0.0
            since[n] = math.exp(age)
            since_membrane[n] = since[n] if g == 1.0 else math.exp(g * age)
        if g == 1.0:
            _add_equal(b, times, weights, spike, kept, force, since, grown, last, *needs, grad_times, grad_weights)
        else:
            _add_apart(
                b, times, weights, spike, kept, force, since, since_membrane, g, grown, grown_membrane, last,
                *needs, grad_times, grad_weights,
            )  # fmt: skip


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
