"""First threshold crossing of current-based LIF neurons in continuous time: NIR's two equations, event by event.

    tau_syn dI/dt = -I,      I <- I + w tau_mem / tau_syn  at an arriving spike
    tau_mem dV/dt = -V + I

Between two events V has at most one extremum, whose time is known in closed form. Where V rises towards it and is
above the threshold there or at the next event, the crossing is bracketed and Newton's method, kept inside the
bracket, finds it to machine precision. Thresholds are positive, so V never crosses while it rises from below to 0.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_ITERATIONS = 100


@njit(cache=True, nogil=True)
def membrane_after(v: float, i: float, s: float, tau_syn: float, tau_mem: float) -> float:
    """V a time ``s`` after it was ``v`` and the current ``i``, without events in between."""
    slow, fast = max(tau_syn, tau_mem), min(tau_syn, tau_mem)
    if slow == fast:
        return (v + i * s / slow) * math.exp(-s / slow)
    share = -math.expm1(-s * (1.0 / fast - 1.0 / slow)) * tau_syn / (slow - fast)
    return v * math.exp(-s / tau_mem) + i * share * math.exp(-s / slow)


@njit(cache=True, nogil=True)
def rise_time(v: float, i: float, tau_syn: float, tau_mem: float) -> float:
    """How long V goes on rising (inf: for ever, towards 0); 0 where it falls."""
    if i <= v:
        return 0.0
    if tau_syn == tau_mem:
        return tau_mem * (i - v) / i if i > 0.0 else math.inf
    # V' = 0 where (V0 + c) exp(-s / tau_mem) = (I0 + c) exp(-s / tau_syn), c = I0 tau_syn / (tau_mem - tau_syn)
    c = i * tau_syn / (tau_mem - tau_syn)
    top, bottom = i + c, v + c
    if bottom == 0.0 or top / bottom <= 0.0:
        return math.inf
    s = math.log(top / bottom) / (1.0 / tau_syn - 1.0 / tau_mem)
    return s if s > 0.0 else math.inf


@njit(cache=True, nogil=True)
def crossing(v: float, i: float, high: float, tau_syn: float, tau_mem: float, threshold: float) -> float:
    """Where V, rising on [0, high] and above the threshold at its end, meets the threshold."""
    low = 0.0
    s = high * min(1.0, max(0.0, (threshold - v) / (membrane_after(v, i, high, tau_syn, tau_mem) - v)))
    for _ in range(_ITERATIONS):
        now = membrane_after(v, i, s, tau_syn, tau_mem)
        if now > threshold:
            high = s
        else:
            low = s
        slope = (i * math.exp(-s / tau_syn) - now) / tau_mem
        following = s - (now - threshold) / slope if slope > 0.0 else 0.5 * (low + high)
        if not low <= following <= high:
            following = 0.5 * (low + high)
        if following == s or high - low <= 1e-16 * high:
            break
        s = following
    return s


@njit(cache=True, nogil=True)
def _first(
    arrivals: NDArray[np.float64],
    order: NDArray[np.int64],
    weights: NDArray[np.float64],
    tau_syn: float,
    tau_mem: float,
    threshold: float,
) -> float:
    v, i, now = 0.0, 0.0, 0.0
    jump = tau_mem / tau_syn
    for k in range(order.size):
        time = float(arrivals[order[k]])
        if time == math.inf:
            break
        s = time - now if k else 0.0
        v, i, now = membrane_after(v, i, s, tau_syn, tau_mem), i * math.exp(-s / tau_syn), time
        i += float(weights[order[k]]) * jump
        until = float(arrivals[order[k + 1]]) - time if k + 1 < order.size else math.inf
        high = min(rise_time(v, i, tau_syn, tau_mem), until)
        if high > 0.0 and high < math.inf and membrane_after(v, i, high, tau_syn, tau_mem) > threshold:
            return now + crossing(v, i, high, tau_syn, tau_mem, threshold)
    return math.inf


@njit(cache=True, nogil=True)
def first_crossings(
    times: NDArray[np.float64],
    weights: NDArray[np.float64],
    delays: NDArray[np.float64],
    tau_syn: NDArray[np.float64],
    tau_mem: NDArray[np.float64],
    threshold: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Fill ``out`` [sample, post] with first spike times; inf where a neuron stays silent.

    Args:
        times: [sample, pre] input spike times, inf = silent.
        weights: [post, pre].
        delays: [post, pre] seconds, or [0, 0] for none.
        tau_syn, tau_mem, threshold: [post]; thresholds positive.
        out: result.
    """
    together = delays.size == 0
    for sample in range(times.shape[0]):
        arrivals = times[sample].copy()
        order = np.argsort(arrivals, kind="mergesort")
        for post in range(weights.shape[0]):
            if not together:
                arrivals = times[sample] + delays[post]
                order = np.argsort(arrivals, kind="mergesort")
            out[sample, post] = _first(arrivals, order, weights[post], tau_syn[post], tau_mem[post], threshold[post])
