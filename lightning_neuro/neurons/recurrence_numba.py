"""Compiled twin of ``recurrence`` for float32 on a CPU: one pass, one thread, cached on disk.

The order of every multiplication and addition is that of the torch version (no fused multiply-add, no
reassociation), so the two agree bit for bit.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from torch import Tensor

from lightning_neuro.neurons.recurrence import Reset, Trace

_RESET_CODE = {"none": 0, "zero": 1, "subtract": 2}


@njit(cache=True, nogil=True)
def _integrate(current, beta, threshold, reset, delay, spikes, visible, membrane):  # pragma: no cover - compiled
    steps, batch, size = current.shape
    zero, one = np.float32(0), np.float32(1)
    carry, silent = np.zeros(size, np.float32), np.zeros(size, np.float32)
    for b in range(batch):
        carry[:] = zero
        for t in range(steps):
            x, v, s, seen = current[t, b], membrane[t, b], spikes[t, b], visible[t, b]
            if reset == 1:
                for n in range(size):
                    value = carry[n] * beta[n] + x[n]
                    fired = value > threshold[n]
                    v[n] = value
                    s[n] = one if fired else zero
                    carry[n] = zero if fired else value
            elif reset == 2 and delay == 0:
                for n in range(size):
                    value = carry[n] * beta[n] + x[n]
                    spike = one if value > threshold[n] else zero
                    v[n] = value
                    s[n] = spike
                    carry[n] = value - spike * threshold[n]
            elif reset == 2:
                before = silent if t == 0 else spikes[t - 1, b]
                for n in range(size):
                    value = carry[n] * beta[n] + x[n] - before[n] * threshold[n]
                    v[n] = value
                    s[n] = one if value > threshold[n] else zero
                    carry[n] = value
            else:
                for n in range(size):
                    value = carry[n] * beta[n] + x[n]
                    v[n] = value
                    s[n] = one if value > threshold[n] else zero
                    carry[n] = value
            if delay == 0 and reset != 0:
                for n in range(size):  # `seen[:] = carry` would compile a sentence about shapes, for four seconds
                    seen[n] = carry[n]


@njit(cache=True, nogil=True)
def _leaky_sum(drive, alpha, current):  # pragma: no cover - compiled
    steps, batch, size = drive.shape
    state = np.zeros(size, np.float32)
    for b in range(batch):
        state[:] = 0
        for t in range(steps):
            x, i = drive[t, b], current[t, b]
            for n in range(size):
                state[n] = state[n] * alpha[n] + x[n]
                i[n] = state[n]


@njit(cache=True, nogil=True)
def _reverse_scan(source, decay, gate, gated, gradient):  # pragma: no cover - compiled
    steps, batch, size = source.shape
    later = np.zeros(size, np.float32)
    for b in range(batch):
        later[:] = 0
        for t in range(steps - 1, -1, -1):
            into, out = source[t, b], gradient[t, b]
            if gated:
                keep = gate[t, b]
                for n in range(size):
                    later[n] = into[n] + later[n] * decay[n] * keep[n]
                    out[n] = later[n]
            else:
                for n in range(size):
                    later[n] = into[n] + later[n] * decay[n]
                    out[n] = later[n]


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def integrate(
    drive: Tensor, beta: Tensor, alpha: Tensor | None, threshold: Tensor, reset: Reset, reset_delay: int
) -> Trace:
    """Run the neurons from zero state; see ``recurrence.integrate``."""
    current = drive.contiguous()
    if alpha is not None:
        current = torch.empty_like(current)
        _leaky_sum(_array(drive), _array(alpha), current.numpy())
    spikes, membrane = torch.empty_like(current), torch.empty_like(current)
    visible = torch.empty_like(current) if reset_delay == 0 and reset != "none" else membrane
    _integrate(
        _array(current),
        _array(beta),
        _array(threshold),
        _RESET_CODE[reset],
        reset_delay,
        spikes.numpy(),
        visible.numpy(),
        membrane.numpy(),
    )
    return Trace(spikes, visible, membrane, current)


def reverse_scan(source: Tensor, decay: Tensor, open_gate: Tensor | None) -> Tensor:
    """Return g[t] = source[t] + open_gate[t] decay g[t+1]; see ``recurrence.reverse_scan``."""
    gradient = torch.empty_like(source, memory_format=torch.contiguous_format)
    gate = source if open_gate is None else open_gate
    _reverse_scan(_array(source), _array(decay), _array(gate), open_gate is not None, gradient.numpy())
    return gradient
