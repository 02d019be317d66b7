"""A linear layer on binary spikes by adding weight rows: no multiplication, no dense matrix product.

Forward adds, for every spike, one column of the weight matrix; backward adds the output gradient to that
column. Equal to the dense product up to the order of summation. Break-even with a dense product on one
thread is near a density of 0.2 (784 inputs, 128 outputs; ``benchmarks/neurons.py`` measures it).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

SPARSE_BELOW = 0.2


@njit(cache=True, nogil=True)
def _events(raster, offsets, inputs):  # pragma: no cover - compiled
    """Write the input numbers of all spikes row by row."""
    rows, size = raster.shape
    words = raster.view(np.uint64) if size % 8 == 0 else np.empty((0, 0), np.uint64)
    count = 0
    for r in range(rows):
        offsets[r] = count
        if words.shape[0] > 0:
            for w in range(size // 8):
                if words[r, w] != 0:
                    for n in range(8 * w, 8 * w + 8):
                        inputs[count] = n
                        count += raster[r, n]
        else:
            for n in range(size):
                inputs[count] = n
                count += raster[r, n]
    offsets[rows] = count


@njit(cache=True, nogil=True)
def _gather(offsets, inputs, columns, out):  # pragma: no cover - compiled
    """Four columns at a time: a quarter of the traffic to the sum."""
    rows, size = out.shape
    for r in range(rows):
        total = out[r]
        start, stop = offsets[r], offsets[r + 1]
        fours = start + (stop - start) // 4 * 4
        for e in range(start, fours, 4):
            c0, c1 = columns[inputs[e]], columns[inputs[e + 1]]
            c2, c3 = columns[inputs[e + 2]], columns[inputs[e + 3]]
            for n in range(size):
                total[n] += (c0[n] + c1[n]) + (c2[n] + c3[n])
        for e in range(fours, stop):
            column = columns[inputs[e]]
            for n in range(size):
                total[n] += column[n]


@njit(cache=True, nogil=True)
def _scatter(offsets, inputs, gradient, columns):  # pragma: no cover - compiled
    rows, size = gradient.shape
    for r in range(rows):
        source = gradient[r]
        for e in range(offsets[r], offsets[r + 1]):
            column = columns[inputs[e]]
            for n in range(size):
                column[n] += source[n]


class SpikeLinear(torch.autograd.Function):
    """Drive = raster weight^T + bias; uint8 raster [rows, n_in], float32 weight [n_out, n_in], on a CPU."""

    @staticmethod
    def forward(ctx, raster: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """List the spikes, then add their columns."""
        rows, size = raster.shape
        array = raster.contiguous().numpy()
        # one spare place: the compaction writes every candidate and keeps the spikes
        offsets, inputs = np.empty(rows + 1, np.int64), np.empty(spike_count(raster) + 1, np.int32)
        _events(array, offsets, inputs)
        ctx.offsets, ctx.inputs, ctx.size = offsets, inputs, size
        out = torch.zeros(rows, len(weight)) if bias is None else bias.detach().expand(rows, -1).contiguous()
        _gather(offsets, ctx.inputs, weight.detach().t().contiguous().numpy(), out.numpy())
        return out

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]  # once_differentiable hides the signature
        ctx, *grad_outputs: Any
    ) -> tuple[None, Tensor | None, Tensor | None]:
        """Add the output gradient to the column of every spike."""
        gradient = grad_outputs[0].contiguous()
        columns = torch.zeros(ctx.size, gradient.shape[1])
        if ctx.needs_input_grad[1]:
            _scatter(ctx.offsets, ctx.inputs, gradient.numpy(), columns.numpy())
        return None, columns.t(), gradient.sum(0) if ctx.needs_input_grad[2] else None


def spike_count(raster: Tensor) -> int:
    """Return the number of spikes of a uint8 raster."""
    return int(np.count_nonzero(raster.numpy().view(np.bool_)))


def spike_linear(raster: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return ``raster weight^T + bias``, by adding columns where spikes are few, else by a dense product.

    Args:
        raster: [time, batch, n_in], uint8 spikes (0 or 1) or any float.
        weight: [n_out, n_in].
        bias: [n_out] or None.

    Returns:
        [time, batch, n_out] in the precision of the weights.
    """
    binary = raster.dtype == torch.uint8
    fits = binary and raster.device.type == "cpu" and weight.dtype == torch.float32
    if fits and not torch.is_autocast_enabled("cpu") and spike_count(raster) < SPARSE_BELOW * raster.numel():
        flat = SpikeLinear.apply(raster.reshape(-1, raster.shape[-1]), weight, bias)
        return flat.view(*raster.shape[:-1], len(weight))
    return torch.nn.functional.linear(raster.to(weight.dtype), weight, bias)


class EventLinear(nn.Linear):
    """``nn.Linear`` that skips silent inputs; a submodule, so exporters and hooks see it run."""

    def forward(self, input: Tensor) -> Tensor:
        """Return ``input @ weight.T + bias`` for spikes or currents [..., n_in]."""
        return spike_linear(input, self.weight, self.bias)
