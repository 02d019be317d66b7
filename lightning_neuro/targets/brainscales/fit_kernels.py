"""Compiled derivatives of first threshold crossings in the constants of neurons and in the times of their inputs.

With v(T) = sum_i w_i K(T - t_i) = threshold at the crossing T, dT/dp = -(dv/dp) / v'(T) for every constant p, and

    K(s) = (s / tau_mem) B phi(a),   B = exp(-s / tau_syn),   a = s / tau_syn - s / tau_mem,   phi(a) = (exp(a) - 1) / a
    dK/ds = (B - K) / tau_mem
    dK/dlog(tau_mem) = (s / tau_mem)^2 B phi'(a) - K
    dK/dlog(tau_syn) = -s dK/ds - dK/dlog(tau_mem)      (K depends on s / tau_mem and s / tau_syn alone).
"""

from __future__ import annotations

import math

from numba import njit

SMALL = 0.03
"""|a| below which phi and phi' are their series, good to 1e-9."""


@njit(cache=True, nogil=True)
def phi(a):  # pragma: no cover - compiled
    """phi(a) and its derivative."""
    if abs(a) < SMALL:
        value = 1.0 + a / 2.0 * (1.0 + a / 3.0 * (1.0 + a / 4.0 * (1.0 + a / 5.0)))
        return value, 0.5 + a * (1.0 / 3.0 + a * (0.125 + a * (1.0 / 30.0 + a / 144.0)))
    value = math.expm1(a) / a
    return value, (math.exp(a) - value) / a


@njit(cache=True, nogil=True)
def crossing_derivatives(
    crossings, arriving, weights, tau_mem, tau_syn, gentlest, by_constant, by_time, by_weight
):  # pragma: no cover - compiled
    """Fill the derivatives of every crossing.

    Args:
        crossings: [sample, neuron] times, inf = silent.
        arriving: [sample, input] times, inf = silent.
        weights: [neuron, input] gains included.
        tau_mem, tau_syn: [neuron].
        gentlest: slope of the membrane below which it is taken for this one.
        by_constant: result, [sample, neuron, 4]: log gain of positive weights, of negative ones, log tau_mem, log
            tau_syn; 0 where silent.
        by_time: result, [sample, neuron, input].
        by_weight: result, [sample, neuron, input]: logarithm of each weight.
    """
    for sample in range(crossings.shape[0]):
        for neuron in range(crossings.shape[1]):
            now, tm, ts = crossings[sample, neuron], tau_mem[neuron], tau_syn[neuron]
            if now == math.inf:
                by_constant[sample, neuron] = 0.0
                by_time[sample, neuron] = 0.0
                by_weight[sample, neuron] = 0.0
                continue
            up, down, slope, by_mem, by_syn = 0.0, 0.0, 0.0, 0.0, 0.0
            for k in range(arriving.shape[1]):
                s, w = now - arriving[sample, k], weights[neuron, k]
                rate, height = 0.0, 0.0
                if s > 0.0:
                    decay, (value, steep) = math.exp(-s / ts), phi(s / ts - s / tm)
                    rise = s / tm * decay * value
                    rate = w * (decay - rise) / tm
                    change = w * ((s / tm) ** 2 * decay * steep - rise)
                    height = w * rise
                    up += max(height, 0.0)
                    down += min(height, 0.0)
                    slope += rate
                    by_mem += change
                    by_syn -= s * rate + change
                by_time[sample, neuron, k] = rate
                by_weight[sample, neuron, k] = -height
            slope = max(slope, gentlest)
            by_constant[sample, neuron, 0] = -up / slope
            by_constant[sample, neuron, 1] = -down / slope
            by_constant[sample, neuron, 2] = -by_mem / slope
            by_constant[sample, neuron, 3] = -by_syn / slope
            for k in range(arriving.shape[1]):
                by_time[sample, neuron, k] /= slope
                by_weight[sample, neuron, k] /= slope
