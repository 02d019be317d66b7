"""Connections as lists of synapses. Numpy only: ``network.py`` carries everything below the line verbatim.

Convolutions are cross-correlations, as torch computes them; pooling counts the spikes under its window.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# -- Synapses ----------------------------------------------------------------------------------------------------

Synapses = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]  # pre, post, weight


def dense(weight: NDArray[Any]) -> Synapses:
    """Return the synapses of a fully connected layer, weight [post, pre]; a weight of 0 needs none."""
    post, pre = np.nonzero(weight)
    return pre, post, weight[post, pre].astype(np.float64)


def convolution(
    weight: NDArray[Any],
    *,
    input_shape: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Synapses:
    """Return the synapses of a convolution, weight [channels out, channels in / groups, kernel...]."""
    out, per_group, *kernel = weight.shape
    lookup = under_window(input_shape[1:], tuple(kernel), stride, padding, dilation)
    taps, places = lookup.shape
    size = int(np.prod(input_shape[1:]))
    channel = np.arange(out)[:, None, None, None]
    part = np.arange(per_group)[None, :, None, None]
    line = lookup[None, None]
    group_of = channel // (out // groups)
    pre = (group_of * per_group + part) * size + line
    post = np.broadcast_to(channel * places + np.arange(places), pre.shape)
    value = np.broadcast_to(weight.reshape(out, per_group, taps, 1), pre.shape)
    there = np.broadcast_to(line >= 0, pre.shape) & (value != 0)
    return pre[there], post[there], value[there].astype(np.float64)


def pooled(
    synapses: Synapses,
    *,
    input_shape: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
) -> Synapses:
    """Return the synapses behind a sum pooling, by the lines under each of its windows."""
    lookup = under_window(input_shape[1:], kernel, stride, padding, dilation)
    places, size = lookup.shape[1], int(np.prod(input_shape[1:]))
    channel, place = np.divmod(synapses[0], places)
    line = lookup[:, place]  # [tap, synapse]
    there = line >= 0
    pre = (channel * size + line)[there]
    return pre, np.broadcast_to(synapses[1], line.shape)[there], np.broadcast_to(synapses[2], line.shape)[there]


def under_window(
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[tuple[int, int], ...],
    dilation: tuple[int, ...],
) -> NDArray[np.int64]:
    """Return which position lies under each tap of a window, [tap, place]; -1 in the padding."""
    axes = []
    for n, k, step, (before, after), d in zip(size, kernel, stride, padding, dilation, strict=True):
        places = (n + before + after - d * (k - 1) - 1) // step + 1
        position = np.arange(k)[:, None] * d + np.arange(places)[None, :] * step - before
        axes.append(np.where((position >= 0) & (position < n), position, -1))
    found = np.zeros((1, 1), np.int64)
    for n, positions in zip(size, axes, strict=True):
        line = found[:, None, :, None] * n + positions[None, :, None, :]
        inside = (found >= 0)[:, None, :, None] & (positions >= 0)[None, :, None, :]
        line = np.where(inside, line, -1)
        found = line.reshape(found.shape[0] * positions.shape[0], -1)
    return found
