"""Integrate-and-fire over all steps at once, and average pooling of spikes: plain torch, and compiled twins for a CPU.

Per neuron and step, with v = v_init before the first: ``v <- v + (drive + bias)``, spike where ``v > threshold``,
then ``v <- v - threshold`` (subtract) or ``v <- 0`` (zero) where it spiked. The twin keeps the order of every addition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numba import njit
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fired:
    """What a layer of neurons did.

    Args:
        spikes: 0 or 1, [sample, step, neuron].
        counts: spikes so far at each mark, [sample, mark, neuron].
    """

    spikes: Tensor
    counts: Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Neurons:
    """Constants of a layer of integrate-and-fire neurons, each [neuron].

    Args:
        bias: drive of every step.
        threshold: spike where the membrane is above.
        v_init: membrane before the first step.
        to_zero: a spike sets the membrane to zero instead of subtracting the threshold.
    """

    bias: Tensor
    threshold: Tensor
    v_init: Tensor
    to_zero: bool


def fire(drive: Tensor, neurons: Neurons, steps: int, marks: Sequence[int]) -> Fired:
    """Advance a layer over all steps.

    Args:
        drive: [sample, step, neuron], or [sample, 1, neuron] for one that is the same in every step.
        neurons: constants, of the drive's type.
        steps: number of steps.
        marks: numbers of steps, rising, after which spikes are counted.
    """
    compiled = drive.device.type == "cpu" and drive.dtype in (torch.float32, torch.float64)
    return (_fire_compiled if compiled else fire_plain)(drive, neurons, steps, tuple(marks))


def fire_plain(drive: Tensor, neurons: Neurons, steps: int, marks: Sequence[int]) -> Fired:
    """The torch version; any device and precision."""
    samples, given, size = drive.shape
    spikes = drive.new_empty(samples, steps, size)
    counts = drive.new_zeros(samples, len(marks), size)
    v, count = neurons.v_init.expand(samples, size).clone(), drive.new_zeros(samples, size)
    for t in range(steps):
        v += drive[:, min(t, given - 1)] + neurons.bias
        torch.gt(v, neurons.threshold, out=(fired := torch.empty_like(v, dtype=torch.bool)))
        spikes[:, t] = fired
        count += fired
        if neurons.to_zero:
            v.masked_fill_(fired, 0)
        else:
            v -= neurons.threshold * fired
        if t + 1 in marks:
            counts[:, marks.index(t + 1)] = count
    return Fired(spikes=spikes, counts=counts)


def _fire_compiled(drive: Tensor, neurons: Neurons, steps: int, marks: tuple[int, ...]) -> Fired:
    samples, _, size = drive.shape
    spikes = drive.new_empty(samples, steps, size)
    counts = drive.new_empty(samples, len(marks), size)
    constants = [x.contiguous().numpy() for x in (neurons.bias, neurons.threshold, neurons.v_init)]
    where = np.full(steps, -1, np.int64)
    where[[mark - 1 for mark in marks]] = np.arange(len(marks))
    bias, threshold, v_init = constants
    given, zero = drive.contiguous().numpy(), neurons.to_zero
    _fire(given, bias, threshold, v_init, zero, where, spikes.numpy(), counts.numpy())
    return Fired(spikes=spikes, counts=counts)


def average(x: Tensor, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
    """Average pooling [row, channel, height, width], as ``torch.nn.functional.avg_pool2d`` but faster on a CPU."""
    if x.device.type != "cpu" or any(padding) or x.dtype not in (torch.float32, torch.float64) or x.requires_grad:
        return F.avg_pool2d(x, kernel, stride, padding)
    height, width = ((n - k) // s + 1 for n, k, s in zip(x.shape[2:], kernel, stride, strict=True))
    images = x.detach().reshape(-1, *x.shape[2:]).contiguous()
    pooled = images.new_empty(len(images), height, width)
    _average(images.numpy(), *kernel, *stride, pooled.numpy())
    return pooled.reshape(*x.shape[:2], height, width)


@njit(cache=True, nogil=True)
def _average(x, rows, columns, down, right, out):  # pragma: no cover - compiled
    images, height, width = out.shape
    share = x.dtype.type(1) / x.dtype.type(rows * columns)
    for image in range(images):
        for i in range(height):
            for j in range(width):
                total = x.dtype.type(0)
                for a in range(rows):
                    for b in range(columns):
                        total += x[image, i * down + a, j * right + b]
                out[image, i, j] = total * share


@njit(cache=True, nogil=True)
def _fire(drive, bias, threshold, v_init, to_zero, where, spikes, counts):  # pragma: no cover - compiled
    samples, steps, size = spikes.shape
    given = drive.shape[1]
    v, count = np.empty(size, drive.dtype), np.empty(size, drive.dtype)
    one, zero = drive.dtype.type(1), drive.dtype.type(0)
    for r in range(samples):
        for n in range(size):  # `v[:] = v_init` would compile a sentence about shapes, for seconds
            v[n], count[n] = v_init[n], zero
        for t in range(steps):
            d, s = drive[r, t if given > 1 else 0], spikes[r, t]
            if to_zero:
                for n in range(size):
                    value = v[n] + (d[n] + bias[n])
                    fired = value > threshold[n]
                    s[n] = one if fired else zero
                    v[n] = zero if fired else value
            else:
                for n in range(size):
                    value = v[n] + (d[n] + bias[n])
                    spike = one if value > threshold[n] else zero
                    s[n] = spike
                    v[n] = value - spike * threshold[n]
            if counts.shape[1]:
                for n in range(size):
                    count[n] += s[n]
                if where[t] >= 0:
                    for n in range(size):
                        counts[r, where[t], n] = count[n]
