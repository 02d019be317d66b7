"""The compiled loops of ``first_spike_numba``; units and equations as in ``first_spike_torch``."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from lightning_neuro.neurons.first_spike_root import (
    BRANCH_SERIES,
    NEWTON_STEPS,
    SERIES_ALONE_BELOW,
    SERIES_START_BELOW,
)

BLOCK = 32  # neurons that walk together
WIDEST_SPAN = 600.0  # of times for exponentials relative to the first input
TANGENT_SLACK = 1 - 1e-12  # the tangent's test must not miss by rounding what the exact test finds
GRAZING = math.sqrt(np.finfo(np.float64).eps)  # see first_spike_torch._solve


@njit(cache=True, nogil=True)
def _kernel(lag, g):  # pragma: no cover - compiled
    if g == 1.0:
        return lag * math.exp(-lag)
    if g == 0.5:
        root = math.exp(-0.5 * lag)
        return 2.0 * root * (1.0 - root) if lag > 1e-3 else -2.0 * root * math.expm1(-0.5 * lag)
    apart = abs(1.0 - g)
    return math.exp(-min(1.0, g) * lag) * math.expm1(-apart * lag) / -apart


@njit(cache=True, nogil=True)
def _lambert(y):  # pragma: no cover - compiled
    s = math.sqrt(2.0 * y)
    series = 0.0
    for k in range(len(BRANCH_SERIES) - 1, -1, -1):
        series = (series + BRANCH_SERIES[k]) * s
    if s < SERIES_ALONE_BELOW:
        return series
    if s < SERIES_START_BELOW:
        rest = 1.0 - series
    else:
        q = math.exp(-1.0 - y)
        rest = max(q * (1.0 + q * (1.0 + q * (1.5 + q * (8.0 / 3.0)))), 1e-300)
    z = 1.0 - rest
    residual = rest - math.log(rest) - 1.0 - y
    curve = 2.0 * z * (z + residual * (2.0 / 3.0))
    return 1.0 - rest * (1.0 + residual / z * (curve - residual) / (curve - 2.0 * residual))


@njit(cache=True, nogil=True)
def _time_before_peak(y, g):  # pragma: no cover - compiled
    if g == 1.0:
        return _lambert(y)
    if g == 0.5:
        return 2.0 * math.log1p(math.sqrt(-math.expm1(-y)))
    if g == 2.0:
        return math.log1p(math.sqrt(-math.expm1(-y)))
    if y == 0.0:
        return 0.0
    level = math.sqrt(y * (y + 2.0 * g))
    for _ in range(NEWTON_STEPS):
        p = -math.expm1(-level)
        residual = math.log1p((1.0 - g) / g * p) * (g / (1.0 - g)) - level + y
        step = residual * (g + (1.0 - g) * p) / p if p > 0.0 else 0.0
        level = max(level + step, 0.0)
        if abs(step) <= 1e-15 * (1.0 + level):
            break
    return math.log1p((1.0 - g) / g * -math.expm1(-level)) / (1.0 - g)


@njit(cache=True, nogil=True)
def _crossing(current, membrane, after, threshold, gap, g):  # pragma: no cover - compiled
    """Time after the input and dv/dt of the crossing before the next input; time -1 = none."""
    if not (current > 0.0 and current > g * membrane):
        return -1.0, 1.0
    climb = 1.0 - g * membrane / current
    if g == 1.0:
        peak = climb
    elif (1.0 - g) * climb < 1.0:
        peak = -math.log1p(-(1.0 - g) * climb) / (1.0 - g)
    else:
        return -1.0, 1.0
    if after < threshold and peak > gap:
        return -1.0, 1.0
    log_peak = math.log(current / (g * threshold)) - peak
    if log_peak < 0.0:
        if after < threshold:
            return -1.0, 1.0
        log_peak = 0.0
    before = _time_before_peak(min(log_peak, 1e4), g)
    delay = min(max(peak - before, 0.0), gap)
    before = max(before, GRAZING)
    steepness = before if g == 1.0 else -math.expm1((g - 1.0) * before) / (1.0 - g)
    return delay, current * math.exp(-delay) * steepness


@njit(cache=True, nogil=True)
def _intervals(time, order, g, gap, keep_current, keep_membrane, rise):  # pragma: no cover - compiled
    """Fill the decays between sorted inputs; return how many inputs are not silent."""
    count = 0
    while count < len(order) and time[order[count]] < math.inf:
        count += 1
    for k in range(count - 1):
        gap[k] = time[order[k + 1]] - time[order[k]]
        if g == 0.5:
            keep_membrane[k] = math.exp(-0.5 * gap[k])
            keep_current[k] = keep_membrane[k] * keep_membrane[k]
        else:
            keep_current[k] = math.exp(-gap[k])
            keep_membrane[k] = keep_current[k] if g == 1.0 else math.exp(-g * gap[k])
        rise[k] = gap[k] * keep_current[k] if g == 1.0 else _kernel(gap[k], g)
    if count > 0:
        gap[count - 1] = math.inf
    return count


@njit(cache=True, nogil=True)
def spikes_of_samples(times, order, weights, threshold, g, spikes, slope):  # pragma: no cover - compiled
    batch, n_in = times.shape
    n_out = weights.shape[1]
    gap, keep_current, keep_membrane, rise = np.empty(n_in), np.empty(n_in), np.empty(n_in), np.empty(n_in)
    current, membrane, after, goal = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    for b in range(batch):
        count = _intervals(times[b], order[b], g, gap, keep_current, keep_membrane, rise)
        for start in range(0, n_out, BLOCK):
            width = min(BLOCK, n_out - start)
            for n in range(width):
                current[n] = 0.0
                membrane[n] = 0.0
                goal[n] = threshold[b, start + n] * TANGENT_SLACK
            waiting = width
            for k in range(count):
                row = weights[order[b, k], start : start + width]
                hits = 0
                if k + 1 == count:
                    for n in range(width):
                        current[n] += row[n]
                        hits += 1
                else:
                    step, decay_i, decay_v, up = gap[k], keep_current[k], keep_membrane[k], rise[k]
                    for n in range(width):
                        i = current[n] + row[n]
                        v = membrane[n]
                        hits += 1 if v + (i - g * v) * step >= goal[n] else 0
                        current[n] = i
                        after[n] = v * decay_v + i * up
                if hits > 0:
                    for n in range(width):
                        i, v = current[n], membrane[n]
                        if goal[n] == math.inf or not v + (i - g * v) * gap[k] >= goal[n]:
                            continue
                        following = after[n] if k + 1 < count else 0.0
                        delay, rate = _crossing(i, v, following, threshold[b, start + n], gap[k], g)
                        if delay >= 0.0:
                            spikes[b, start + n] = times[b, order[b, k]] + delay
                            slope[b, start + n] = rate
                            goal[n] = math.inf
                            waiting -= 1
                    if waiting == 0:
                        break
                if k + 1 < count:
                    for n in range(width):
                        membrane[n] = after[n]
                        current[n] *= decay_i


@njit(cache=True, nogil=True)
def spikes_of_pairs(times, order, weights, threshold, g, spikes, slope):  # pragma: no cover - compiled
    batch, n_out, n_in = times.shape
    for b in range(batch):
        for m in range(n_out):
            time, sequence, weight, theta = times[b, m], order[b, m], weights[m], threshold[b, m]
            i, v = 0.0, 0.0
            for k in range(n_in):
                now = time[sequence[k]]
                if now == math.inf:
                    break
                i += weight[sequence[k]]
                gap = time[sequence[k + 1]] - now if k + 1 < n_in else math.inf
                last = gap == math.inf
                decay = 0.0 if last else math.exp(-gap)
                after = 0.0 if last else v * (decay if g == 1.0 else math.exp(-g * gap)) + i * _kernel(gap, g)
                if v + (i - g * v) * gap >= theta * TANGENT_SLACK:
                    delay, rate = _crossing(i, v, after, theta, gap, g)
                    if delay >= 0.0:
                        spikes[b, m] = now + delay
                        slope[b, m] = rate
                        break
                v = after
                i *= decay


@njit(cache=True, nogil=True)
def _force(grad, spikes, slope, force):  # pragma: no cover - compiled
    """dL/dT / (dv/dt) into ``force``, 0 where silent; return the last spike, -inf if there is none."""
    last = -math.inf
    for m in range(len(spikes)):
        silent = spikes[m] == math.inf
        force[m] = 0.0 if silent else grad[m] / slope[m]
        if not silent:
            last = max(last, spikes[m])
    return last


@njit(cache=True, nogil=True)
def _vetoed(time, spike, force, g, max_dw_norm):  # pragma: no cover - compiled
    for i in range(len(time)):
        if time[i] < spike and not abs(force * _kernel(spike - time[i], g)) <= max_dw_norm:
            return True
    return False


@njit(cache=True, nogil=True)
def gradients_of_samples(
    grad, times, order, weights, spikes, slope, g, max_dw_norm, need_times, need_weights, grad_times, grad_weights
):  # pragma: no cover - compiled
    batch, n_in = times.shape
    n_out = weights.shape[1]
    force, weight_force = np.empty(n_out), np.empty(n_out)
    for b in range(batch):
        last = _force(grad[b], spikes[b], slope[b], force)
        weight_force[:] = force
        if max_dw_norm < math.inf:
            for m in range(n_out):
                if force[m] != 0.0 and _vetoed(times[b], spikes[b, m], force[m], g, max_dw_norm):
                    weight_force[m] = 0.0
        for k in range(n_in):
            i = order[b, k]
            now = times[b, i]
            if not now < last:
                break
            total = 0.0
            for m in range(n_out):
                if now < spikes[b, m] and spikes[b, m] < math.inf:
                    lag = spikes[b, m] - now
                    up = _kernel(lag, g)
                    grad_weights[i, m] -= weight_force[m] * up
                    total += force[m] * weights[i, m] * (math.exp(-lag) - g * up)
            grad_times[b, i] = total


@njit(cache=True, nogil=True)
def gradients_of_pairs(
    grad, times, weights, spikes, slope, g, max_dw_norm, grad_times, grad_weights
):  # pragma: no cover - compiled
    batch, n_in, n_out = times.shape
    force = np.empty(n_out)
    for b in range(batch):
        _force(grad[b], spikes[b], slope[b], force)
        for m in range(n_out):
            if force[m] == 0.0:
                continue
            spike = spikes[b, m]
            veto = max_dw_norm < math.inf and _vetoed(times[b, :, m], spike, force[m], g, max_dw_norm)
            for i in range(n_in):
                lag = spike - times[b, i, m]
                if lag > 0.0:
                    up = _kernel(lag, g)
                    if not veto:
                        grad_weights[i, m] -= force[m] * up
                    grad_times[b, i, m] = force[m] * weights[i, m] * (math.exp(-lag) - g * up)
