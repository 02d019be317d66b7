"""Compiled search for the causal set of every neuron: see ``first_spike_numba``; equations as in ``first_spike_torch``.

Each function fills ``start`` (time of the last causal input, inf = silent), ``gap`` (to the input after it),
``current`` and ``climb`` = 1 - g v / i there; ``first_spike_solve`` turns them into times.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

TANGENT_SLACK = 1 - 1e-12  # the tangent's test must not miss by rounding what the exact test finds


@njit(cache=True, nogil=True)
def kernel(lag, g):  # pragma: no cover - compiled
    """K(lag)."""
    if g == 1.0:
        return lag * math.exp(-lag)
    if g == 0.5 and lag > 0.01:  # one exponential is enough where the difference keeps its digits
        root = math.exp(-0.5 * lag)
        return 2.0 * root * (1.0 - root)
    apart = abs(1.0 - g)
    return math.exp(-min(1.0, g) * lag) * math.expm1(-apart * lag) / -apart


@njit(cache=True, nogil=True)
def _step(lag, g):  # pragma: no cover - compiled
    """exp(-lag), exp(-g lag), K(lag)."""
    if g == 1.0:
        decay = math.exp(-lag)
        return decay, decay, lag * decay
    if g == 0.5:
        root = math.exp(-0.5 * lag)
        return root * root, root, 2.0 * root * (1.0 - root if lag > 0.01 else -math.expm1(-0.5 * lag))
    return math.exp(-lag), math.exp(-g * lag), kernel(lag, g)


@njit(cache=True, nogil=True)
def _reaches(current, membrane, after, threshold, gap, g):  # pragma: no cover - compiled
    """Whether a membrane below threshold reaches it within the gap, at whose end it is at ``after``."""
    if not (current > 0.0 and current > g * membrane):
        return False
    if after >= threshold:
        return True
    climb = 1.0 - g * membrane / current
    if g == 1.0:
        return climb <= gap and math.exp(climb) * threshold <= current
    if (1.0 - g) * climb >= 1.0:
        return False
    peak = -math.log1p(-(1.0 - g) * climb) / (1.0 - g)
    return peak <= gap and math.exp(peak) * threshold * g <= current


@njit(cache=True, nogil=True)
def intervals(times, order, g, count, gap, keep_current, keep_membrane, rise):  # pragma: no cover - compiled
    """Fill the number of inputs that are not silent, and what happens between them, per sample."""
    batch, n_in = times.shape
    for b in range(batch):
        n = 0
        while n < n_in and times[b, order[b, n]] < math.inf:
            n += 1
        count[b] = n
        for k in range(n - 1):
            lag = times[b, order[b, k + 1]] - times[b, order[b, k]]
            gap[b, k] = lag
            keep_current[b, k], keep_membrane[b, k], rise[b, k] = _step(lag, g)
        if n > 0:
            gap[b, n - 1] = math.inf
            keep_current[b, n - 1] = 0.0
            keep_membrane[b, n - 1] = 0.0
            rise[b, n - 1] = 0.0


@njit(cache=True, nogil=True, fastmath={"contract"})
def walk_block(
    times,
    order,
    weights,
    threshold,
    g,
    count,
    gaps,
    keep_current,
    keep_membrane,
    rises,
    first,
    start,
    gap,
    current,
    climb,
):  # pragma: no cover - compiled
    """Walk neurons first, first + 1, ... (the columns of ``weights``) through the inputs of every sample."""
    batch, width = times.shape[0], weights.shape[1]
    current_now, membrane_now, goal = np.empty(width), np.empty(width), np.empty(width)
    for b in range(batch):
        for n in range(width):
            current_now[n] = 0.0
            membrane_now[n] = 0.0
            goal[n] = threshold[b, first + n] * TANGENT_SLACK
        waiting = width
        decay_i, decay_v, rise = 1.0, 1.0, 0.0
        for k in range(count[b]):
            row, step = order[b, k], gaps[b, k]
            if step == 0.0 and decay_i == 1.0:  # in the midst of simultaneous inputs
                for n in range(width):
                    current_now[n] += weights[row, n]
                continue
            hits = 0
            for n in range(width):
                i = current_now[n] * decay_i + weights[row, n]
                v = membrane_now[n] * decay_v + current_now[n] * rise
                hits += 1 if v + (i - g * v) * step >= goal[n] else 0
                current_now[n] = i
                membrane_now[n] = v
            decay_i, decay_v, rise = keep_current[b, k], keep_membrane[b, k], rises[b, k]
            if hits == 0:
                continue
            for n in range(width):
                i, v = current_now[n], membrane_now[n]
                if not (v + (i - g * v) * step >= goal[n] and goal[n] < math.inf):
                    continue
                if _reaches(i, v, v * decay_v + i * rise, threshold[b, first + n], step, g):
                    start[b, first + n] = times[b, row]
                    gap[b, first + n] = step
                    current[b, first + n] = i
                    climb[b, first + n] = 1.0 - g * v / i
                    goal[n] = math.inf
                    waiting -= 1
            if waiting == 0:
                break


@njit(cache=True, nogil=True)
def walk_pairs(times, order, weights, threshold, g, start, gap, current, climb):  # pragma: no cover - compiled
    """Walk every neuron [n_out] through its own delayed inputs: times, order [batch, n_out, n_in]."""
    batch, n_out, n_in = times.shape
    for b in range(batch):
        for m in range(n_out):
            theta = threshold[b, m]
            i, v = 0.0, 0.0
            for k in range(n_in):
                now = times[b, m, order[b, m, k]]
                if now == math.inf:
                    break
                i += weights[m, order[b, m, k]]
                step = times[b, m, order[b, m, k + 1]] - now if k + 1 < n_in else math.inf
                decay_i, decay_v, rise = (0.0, 0.0, 0.0) if step == math.inf else _step(step, g)
                after = v * decay_v + i * rise
                if v + (i - g * v) * step >= theta * TANGENT_SLACK and _reaches(i, v, after, theta, step, g):
                    start[b, m] = now
                    gap[b, m] = step
                    current[b, m] = i
                    climb[b, m] = 1.0 - g * v / i
                    break
                v = after
                i *= decay_i
