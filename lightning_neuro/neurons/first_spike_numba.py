"""Compiled twin of ``first_spike_torch`` for a CPU: float64 inside, one thread, cached on disk.

Inputs are sorted once per sample (once per sample and neuron with synaptic delays). Neurons walk through them
together, a block of neurons that lie side by side in memory at a time, until each of the block has spiked. A step
is three multiplications and a comparison: between inputs k and k + 1 a rising membrane stays below its tangent at k,
so only where v + (i - g v) gap reaches the threshold is there a logarithm to take.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from lightning_neuro.neurons import first_spike_walk as walk
from lightning_neuro.neurons.first_spike_torch import Spikes

CHUNK_ELEMENTS = 1 << 20  # of one [batch, n_out, n_in] array of sorted delayed times


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to(torch.float64).contiguous().numpy()


def forward(times: Tensor, weights: Tensor, threshold: Tensor, conductance: float) -> Spikes:
    """Return the first upward crossings; see ``first_spike_torch.forward``."""
    batch, n_out = times.shape[0], weights.shape[1]
    threshold = threshold.expand(batch, n_out)
    spikes = np.full((batch, n_out), math.inf)
    slope = np.ones((batch, n_out))
    if times.dim() == 2:
        time = _array(times)
        walk.spikes_of_samples(
            time, np.argsort(time, 1), _array(weights), _array(threshold), conductance, spikes, slope
        )
    else:
        fan_in = np.ascontiguousarray(_array(weights).T)
        for part in _chunks(times):
            time = np.ascontiguousarray(np.swapaxes(_array(times[part]), 1, 2))
            walk.spikes_of_pairs(
                time,
                np.argsort(time, 2),
                fan_in,
                _array(threshold[part]),
                conductance,
                spikes[part],
                slope[part],
            )
    return Spikes(torch.from_numpy(spikes).to(times.dtype), torch.from_numpy(slope).to(times.dtype))


def _chunks(times: Tensor) -> list[slice]:
    size = max(1, CHUNK_ELEMENTS // max(1, times[0].numel() if len(times) else 1))
    return [slice(k, k + size) for k in range(0, len(times), size)]


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
    grad_times = np.zeros(times.shape)
    grad_weights = np.zeros(weights.shape)
    time = _array(times)
    if times.dim() == 2:
        walk.gradients_of_samples(
            _array(grad),
            time,
            np.argsort(time, 1),
            _array(weights),
            _array(spikes.times),
            _array(spikes.slope),
            conductance,
            max_dw_norm,
            needs[0],
            needs[1],
            grad_times,
            grad_weights,
        )
    else:
        walk.gradients_of_pairs(
            _array(grad),
            time,
            _array(weights),
            _array(spikes.times),
            _array(spikes.slope),
            conductance,
            max_dw_norm,
            grad_times,
            grad_weights,
        )
    return (
        torch.from_numpy(grad_times).to(times.dtype) if needs[0] else None,
        torch.from_numpy(grad_weights).to(weights.dtype) if needs[1] else None,
    )
