"""The five lines of a neuron over a whole sequence: plain torch, for every device and precision.

Shapes are [time, batch, neuron]; constants are [neuron]. ``membrane`` is the value that is compared with
the threshold (before the reset of the same step), ``visible`` the value after the reset line.
``recurrence_numba`` holds the same two functions as compiled loops; tests keep the two bitwise equal.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

Reset = Literal["zero", "subtract", "none"]
RESETS: tuple[Reset, ...] = ("zero", "subtract", "none")


class Trace(NamedTuple):
    """What a run leaves behind, each [time, batch, neuron]."""

    spikes: Tensor
    visible: Tensor
    membrane: Tensor
    current: Tensor


def integrate(
    drive: Tensor, beta: Tensor, alpha: Tensor | None, threshold: Tensor, reset: Reset, reset_delay: int
) -> Trace:
    """Run the neurons from zero state.

    i[t] = alpha i[t-1] + x[t] (i = x when alpha is None);  v[t] = beta carry[t-1] + i[t]; s[t] = v[t] >
    threshold;  carry[t] is v[t] after the reset. With ``reset_delay`` 1 and ``subtract`` the subtraction
    comes after the sum of the next step, in the order of snnTorch, so that rounding agrees bit for bit.
    """
    current = drive if alpha is None else leaky_sum(drive, alpha)
    membrane = torch.empty_like(current)
    late = reset == "subtract" and reset_delay == 1
    carry = torch.zeros_like(current[0])
    spike = carry
    for t in range(len(current)):
        value = carry * beta + current[t]
        if late:
            value = value - spike * threshold
        membrane[t] = value
        spike = (value > threshold).to(value.dtype)
        carry = value if late else after_reset(value, spike, threshold, reset)
    spikes = (membrane > threshold).to(membrane.dtype)
    visible = membrane if reset_delay == 1 else after_reset(membrane, spikes, threshold, reset)
    return Trace(spikes, visible, membrane, current)


def leaky_sum(drive: Tensor, alpha: Tensor) -> Tensor:
    """Return i[t] = alpha i[t-1] + x[t], [time, batch, neuron]."""
    current = torch.empty_like(drive)
    state = torch.zeros_like(drive[0])
    for t in range(len(drive)):
        state = state * alpha + drive[t]
        current[t] = state
    return current


def after_reset(membrane: Tensor, spikes: Tensor, threshold: Tensor, reset: Reset) -> Tensor:
    """Return the membrane after the reset line, any leading shape."""
    if reset == "zero":
        return torch.where(spikes > 0, torch.zeros_like(membrane), membrane)
    if reset == "subtract":
        return membrane - spikes * threshold
    return membrane


def reverse_scan(source: Tensor, decay: Tensor, open_gate: Tensor | None) -> Tensor:
    """Return g[t] = source[t] + open_gate[t] decay g[t+1], the adjoint of a leaky sum.

    Args:
        source: [time, batch, neuron] gradient that enters at step t.
        decay: [neuron] beta or alpha.
        open_gate: [time, batch, neuron] 1 where the state survives the step, 0 where reset; None = all 1.
    """
    gradient = torch.empty_like(source)
    later = torch.zeros_like(source[0])
    for t in range(len(source) - 1, -1, -1):
        passed = later * decay
        later = source[t] + (passed if open_gate is None else passed * open_gate[t])
        gradient[t] = later
    return gradient
