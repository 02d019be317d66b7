"""Compiled twin of ``first_spike_torch`` for a CPU: float64 inside, one thread, cached on disk.

Inputs are sorted once per sample (once per sample and neuron with synaptic delays). Neurons walk through them
together, a block of neurons that lie side by side in memory at a time, until each of the block has spiked. A step
is a few multiplications and a comparison: between inputs k and k + 1 a rising membrane stays below its tangent at k,
so only where v + (i - g v) gap reaches the threshold is there more to ask. Each neuron then solves one equation.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from lightning_neuro.neurons import first_spike_gradients as gradients
from lightning_neuro.neurons import first_spike_solve as solve
from lightning_neuro.neurons import first_spike_walk as walk
from lightning_neuro.neurons.first_spike_torch import Spikes

BLOCK = 32  # neurons that walk together, until the last of them spikes
GRADIENT_BLOCK = 64  # neurons whose gradients are summed together
CHUNK_ELEMENTS = 1 << 20  # of one [batch, n_out, n_in] array of delayed times

Found = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # start, gap, current, climb: see first_spike_walk


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to(torch.float64).contiguous().numpy()


def _by_neuron(delayed: Tensor) -> np.ndarray:
    """[batch, n_in, n_out] -> [batch, n_out, n_in]: the inputs of a neuron side by side."""
    return _array(delayed.transpose(1, 2))


def _chunks(times: Tensor) -> list[slice]:
    size = max(1, CHUNK_ELEMENTS // max(1, math.prod(times.shape[1:])))
    return [slice(k, k + size) for k in range(0, len(times), size)]


def forward(times: Tensor, weights: Tensor, threshold: Tensor, conductance: float) -> Spikes:
    """Return the first upward crossings; see ``first_spike_torch.forward``."""
    shape = times.shape[0], weights.shape[1]
    start, gap, current, climb = np.full(shape, math.inf), np.zeros(shape), np.ones(shape), np.zeros(shape)
    found = start, gap, current, climb
    thresholds = _array(threshold.expand(shape))
    if times.dim() == 2:
        _walk_samples(_array(times), _array(weights), thresholds, conductance, found)
    else:
        fan_in = _array(weights.T)
        for part in _chunks(times):
            time = _by_neuron(times[part])
            walk.walk_pairs(time, np.argsort(time, 2), fan_in, thresholds[part], conductance, *(f[part] for f in found))
    spikes, slope = _solve(found, thresholds, conductance)
    return Spikes(torch.from_numpy(spikes).to(times.dtype), torch.from_numpy(slope).to(times.dtype))


def _walk_samples(times: np.ndarray, weights: np.ndarray, thresholds: np.ndarray, g: float, found: Found) -> None:
    order, count = np.argsort(times, 1), np.empty(len(times), np.int64)
    gap, keep_current, keep_membrane, rise = np.empty((4, *times.shape))
    walk.intervals(times, order, g, count, gap, keep_current, keep_membrane, rise)
    for first in range(0, weights.shape[1], BLOCK):
        block = np.ascontiguousarray(weights[:, first : first + BLOCK])
        walk.walk_block(
            times, order, block, thresholds, g, count, gap, keep_current, keep_membrane, rise, first, *found
        )


def _solve(found: Found, thresholds: np.ndarray, g: float) -> tuple[np.ndarray, np.ndarray]:
    spikes, slope = np.empty(thresholds.shape), np.empty(thresholds.shape)
    start, gap, current, climb, goal = (array.reshape(-1) for array in (*found, thresholds))
    result = spikes.reshape(-1), slope.reshape(-1)
    if g == 1.0:
        with np.errstate(over="ignore"):
            solve.solve_equal(start, gap, current, climb, np.exp(climb), goal, *result)
    elif g == 0.5:
        solve.solve_half(start, gap, current, climb, goal, *result)
    else:
        solve.solve_any(start, gap, current, climb, goal, g, *result)
    return spikes, slope


def backward(
    grad: Tensor,
    times: Tensor,
    weights: Tensor,
    spikes: Spikes,
    conductance: float,
    max_dw_norm: float,
    needs: tuple[bool, bool],
) -> tuple[Tensor | None, Tensor | None]:
    """Return dL/dtimes and dL/dweights; see ``first_spike_torch.backward``."""
    results = _array(grad), _array(spikes.times), _array(spikes.slope)
    by_sample = _backward_samples if times.dim() == 2 else _backward_pairs
    grad_times, grad_weights = by_sample(*results, times, weights, conductance, max_dw_norm, needs)
    return (
        torch.from_numpy(grad_times).to(times.dtype) if needs[0] else None,
        torch.from_numpy(grad_weights).to(weights.dtype) if needs[1] else None,
    )


def _backward_samples(
    grad: np.ndarray,
    spikes: np.ndarray,
    slope: np.ndarray,
    times: Tensor,
    weights: Tensor,
    g: float,
    max_dw_norm: float,
    needs: tuple[bool, bool],
) -> tuple[np.ndarray, np.ndarray]:
    time, weight = _array(times), _array(weights)
    grad_times, grad_weights = np.zeros(time.shape), np.zeros(weight.shape)
    first_input, grown_current = np.empty(len(time)), np.empty(time.shape)
    grown_membrane = grown_current if g == 1.0 else np.empty(time.shape)
    gradients.growth(time, g, first_input, grown_current, grown_membrane)
    grown = first_input, grown_current, grown_membrane
    for first in range(0, weight.shape[1], GRADIENT_BLOCK):
        columns = slice(first, first + GRADIENT_BLOCK)
        block = np.ascontiguousarray(weight[:, columns])
        change = np.zeros(block.shape)
        gradients.gradients_block(
            grad, time, block, spikes, slope, g, max_dw_norm, *needs, *grown, first, grad_times, change
        )
        grad_weights[:, columns] = change
    return grad_times, grad_weights


def _backward_pairs(
    grad: np.ndarray,
    spikes: np.ndarray,
    slope: np.ndarray,
    times: Tensor,
    weights: Tensor,
    g: float,
    max_dw_norm: float,
    needs: tuple[bool, bool],
) -> tuple[np.ndarray, np.ndarray]:
    fan_in = _array(weights.T)
    grad_times, grad_weights = np.zeros((len(times), *fan_in.shape)), np.zeros(fan_in.shape)
    for part in _chunks(times):
        gradients.gradients_pairs(
            grad[part],
            _by_neuron(times[part]),
            fan_in,
            spikes[part],
            slope[part],
            g,
            max_dw_norm,
            grad_times[part],
            grad_weights,
        )
    return grad_times.swapaxes(1, 2), grad_weights.T
