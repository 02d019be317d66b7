"""Compiled neurons of a virtual chip, followed exactly from event to event: spikes in, spikes out.

With the membrane v measured from the leak potential and one current i per neuron

    tau_syn i' = -i,   i <- i + w at an input;   tau_mem v' = -v + i;   spike where v rises above the threshold,

after which v is held at its reset for the refractory time while i goes on decaying. Between two inputs v has at most
one extremum; while it rises it stays below its tangent, so most intervals cost a comparison.
"""

from __future__ import annotations

import math

from numba import njit

from lightning_neuro.graph.event_kernel import crossing, membrane_after, rise_time

CLOSEST = 1e-3  # relative distance of the time constants from which a difference of exponentials keeps its digits


@njit(cache=True, nogil=True)
def _advance(v, i, s, tau_syn, tau_mem):  # pragma: no cover - compiled
    """Membrane and current a time ``s`` later, without a spike in between."""
    keep = math.exp(-s / tau_syn)
    apart = tau_mem - tau_syn
    if abs(apart) < CLOSEST * tau_mem:
        return membrane_after(v, i, s, tau_syn, tau_mem), i * keep
    keep_v = math.exp(-s / tau_mem)
    return v * keep_v + i * (tau_syn / apart) * (keep_v - keep), i * keep


@njit(cache=True, nogil=True)
def spikes_of_samples(
    first_sample,
    offsets,
    sources,
    times,
    weights,
    tau_syn,
    tau_mem,
    threshold,
    reset,
    refractory,
    end,
    out_sample,
    out_neuron,
    out_time,
):  # pragma: no cover - compiled
    """Fill the threshold crossings of samples ``first_sample``, ... until the arrays could overflow.

    Args:
        first_sample: where to begin.
        offsets: [sample + 1] first event of each sample.
        sources, times: [event] source and time, sorted by sample and time.
        weights: [source, neuron].
        tau_syn, tau_mem: [neuron].
        threshold: [neuron], from the leak potential, > 0.
        reset: from the leak potential, below the threshold.
        refractory: time.
        end: of a sample; crossings at or after it do not count.
        out_sample, out_neuron, out_time: result.

    Returns:
        Number of crossings, and the first sample that was not finished.
    """
    count, capacity = 0, out_time.size
    for sample in range(first_sample, offsets.size - 1):
        start = count
        first, last = offsets[sample], offsets[sample + 1]
        for neuron in range(weights.shape[1]):
            goal, ts, tm = threshold[neuron], tau_syn[neuron], tau_mem[neuron]
            v, i, now, ready = 0.0, 0.0, 0.0, 0.0
            for k in range(first, last + 1):
                until = min(times[k], end) if k < last else end
                while now < until:
                    if now < ready:  # held at the reset
                        s = min(ready, until) - now
                        i *= math.exp(-s / ts)
                        now = ready if ready <= until else until
                        v = reset
                        continue
                    s = until - now
                    if i > 0.0 and i > v and v + (i - v) * s / tm >= goal:
                        high = min(rise_time(v, i, ts, tm), s)
                        if high > 0.0 and membrane_after(v, i, high, ts, tm) > goal:
                            if count == capacity:
                                return start, sample
                            s = crossing(v, i, high, ts, tm, goal)
                            i *= math.exp(-s / ts)
                            now += s
                            v, ready = reset, now + refractory
                            out_sample[count], out_neuron[count], out_time[count] = sample, neuron, now
                            count += 1
                            continue
                    v, i = _advance(v, i, s, ts, tm)
                    now = until
                if now >= end or ready >= end:
                    break
                i += weights[sources[k], neuron]
    return count, offsets.size - 1


@njit(cache=True, nogil=True)
def membranes_of_samples(
    offsets, sources, times, weights, tau_syn, tau_mem, end, largest, final
):  # pragma: no cover - compiled
    """Fill the largest and the last membrane, from the leak potential, of neurons without a threshold.

    Args:
        offsets, sources, times, weights, tau_syn, tau_mem, end: see ``spikes_of_samples``.
        largest, final: result, [sample, neuron].
    """
    for sample in range(offsets.size - 1):
        first, last = offsets[sample], offsets[sample + 1]
        for neuron in range(weights.shape[1]):
            ts, tm = tau_syn[neuron], tau_mem[neuron]
            v, i, now, top = 0.0, 0.0, 0.0, 0.0
            for k in range(first, last + 1):
                until = min(times[k], end) if k < last else end
                s = until - now
                if s > 0.0:
                    high = rise_time(v, i, ts, tm)
                    if 0.0 < high < s:
                        top = max(top, membrane_after(v, i, high, ts, tm))
                    v, i = _advance(v, i, s, ts, tm)
                    now, top = until, max(top, v)
                if now >= end:
                    break
                i += weights[sources[k], neuron]
            largest[sample, neuron] = top
            final[sample, neuron] = v


@njit(cache=True, nogil=True)
def membranes_at(offsets, sources, times, weights, tau_syn, tau_mem, moments, membrane):  # pragma: no cover - compiled
    """Fill the membranes, from the leak potential, of neurons without a threshold at given moments.

    Args:
        offsets, sources, times, weights, tau_syn, tau_mem: see ``spikes_of_samples``.
        moments: [moment] ascending.
        membrane: result, [sample, moment, neuron].
    """
    for sample in range(offsets.size - 1):
        first, last = offsets[sample], offsets[sample + 1]
        for neuron in range(weights.shape[1]):
            ts, tm = tau_syn[neuron], tau_mem[neuron]
            v, i, now, k = 0.0, 0.0, 0.0, first
            for moment in range(moments.size):
                while k < last and times[k] <= moments[moment]:
                    v, i = _advance(v, i, times[k] - now, ts, tm)
                    i += weights[sources[k], neuron]
                    now = times[k]
                    k += 1
                v, i = _advance(v, i, moments[moment] - now, ts, tm)
                now = moments[moment]
                membrane[sample, moment, neuron] = v
