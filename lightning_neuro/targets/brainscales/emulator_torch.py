"""The emulator's neurons in plain torch, all chips, samples and neurons of a layer at once, in steps of their own.

The twin of ``emulator_kernels`` for any device, and the check on it: no event is looked for, nothing is solved. Within
a step of length h current and membrane follow their exponentials exactly; an input counts from where it falls in its
step, decayed to the step's end; a spike is where the straight line between two membranes meets the threshold:

    i <- i exp(-h / tau_syn) + sum w exp(-(end - t) / tau_syn),
    v <- v exp(-h / tau_mem) + i_before K(h) + sum w K(end - t),      K: response of the membrane to a jump of i by 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepConstants:
    """Of the neurons of a layer on several chips, each [chip, neuron].

    Args:
        tau_mem, tau_syn: time constants.
        threshold: from the leak potential.
        reset: from the leak potential.
        refractory: time for which the membrane is held at its reset.
    """

    tau_mem: Tensor
    tau_syn: Tensor
    threshold: Tensor
    reset: float
    refractory: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crossings:
    """Threshold crossings, [event] each."""

    chip: Tensor
    sample: Tensor
    neuron: Tensor
    time: Tensor


def crossings(times: Tensor, weights: Tensor, constants: StepConstants, *, end: float, step: float) -> Crossings:
    """Return when neurons of several chips cross their thresholds.

    Args:
        times: [chip, sample, source] of one spike per source, inf = silent.
        weights: [chip, neuron, source] steps of the current.
        constants: of the neurons.
        end: of a sample.
        step: of the computation; 0.05 us is a hundredth of a usual time constant.
    """
    chips, samples, _ = times.shape
    mem, syn = constants.tau_mem[:, None], constants.tau_syn[:, None]
    shape = chips, samples, weights.shape[1]
    current, membrane = torch.zeros(shape, dtype=weights.dtype), torch.zeros(shape, dtype=weights.dtype)
    current, membrane = current.to(weights.device), membrane.to(weights.device)
    ready = torch.full_like(membrane, -torch.inf)
    found: list[tuple[Tensor, Tensor]] = []
    for number in range(round(end / step)):
        start, stop = number * step, (number + 1) * step
        new = (times >= start) & (times < stop)
        lag = torch.where(new, stop - times, 0.0)
        decayed, risen = _arriving(lag, new, weights, constants)
        held = ready > start
        span = torch.where(held, (stop - ready).clamp(min=0.0), torch.full_like(ready, step))
        begun = current * torch.exp(-(step - span) / syn)
        base = torch.where(held, torch.full_like(membrane, constants.reset), membrane)
        after = base * torch.exp(-span / mem) + begun * response(span, mem, syn) + risen
        after = torch.where(ready >= stop, torch.full_like(after, constants.reset), after)
        current = current * torch.exp(-step / syn) + decayed
        goal = constants.threshold[:, None]
        spiked = (after > goal) & (ready < stop)
        part = torch.where(spiked, (goal - base) / (after - base), 0.0).clamp(0.0, 1.0)
        moment = stop - span + part * span
        if bool(spiked.any()):
            found.append((spiked.nonzero(), moment[spiked]))
        ready = torch.where(spiked, moment + constants.refractory, ready)
        since = (stop - ready).clamp(min=0.0)
        relapsed = constants.reset * torch.exp(-since / mem) + current * response(since, mem, syn)
        membrane = torch.where(spiked, relapsed, after)
    where = torch.cat([index for index, _ in found]) if found else torch.zeros((0, 3), dtype=torch.int64)
    time = torch.cat([time for _, time in found]) if found else torch.zeros(0, dtype=weights.dtype)
    return Crossings(chip=where[:, 0], sample=where[:, 1], neuron=where[:, 2], time=time)


def response(lag: Tensor, tau_mem: Tensor, tau_syn: Tensor) -> Tensor:
    """Return the membrane a time ``lag`` after the current jumped by 1, shapes broadcast."""
    apart = lag / tau_syn - lag / tau_mem
    small = apart.abs() < 1e-4
    growth = torch.where(small, 1 + apart / 2, torch.expm1(apart) / torch.where(small, 1.0, apart))
    return lag / tau_mem * torch.exp(-lag / tau_syn) * growth


def _arriving(lag: Tensor, new: Tensor, weights: Tensor, constants: StepConstants) -> tuple[Tensor, Tensor]:
    """Current and membrane at a step's end from the inputs within it, [chip, sample, neuron]."""
    sources = new.any(dim=(0, 1)).nonzero()[:, 0]
    if len(sources) == 0:
        return torch.zeros((), dtype=weights.dtype), torch.zeros((), dtype=weights.dtype)
    lag, new = lag[:, :, None, sources], new[:, :, None, sources]
    mem, syn = constants.tau_mem[:, None, :, None], constants.tau_syn[:, None, :, None]
    weight = torch.where(new, weights[:, None, :, sources], 0.0)
    return (weight * torch.exp(-lag / syn)).sum(3), (weight * response(lag, mem, syn)).sum(3)
