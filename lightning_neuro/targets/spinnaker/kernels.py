"""Kernels of convolutions as a core holds them, and where the program on it sends a spike.

What is done with kernels was read from the instructions of ``IF_curr_exp_conv.aplx`` of sPyNNaker 7.4.1: sources in
public repositories differ from it and from each other. How they are written: ``local_only/local_only_convolution.py``
and ``connectors/convolution_connector.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.targets.spinnaker.board_image import BoardImage, PlacedCore, Words

NONE = np.zeros((5, 0), np.int64)  # no synapses
_SOURCE_WORDS, _CONNECTOR_WORDS = 10, 9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kernel:
    """One connector of a convolution as a core holds it; rows come before columns.

    Args:
        weight: signed 16-bit, flat, from the first weight of this kernel on: what lies behind belongs to others.
        shape, padding: geometry.
        stride, pool: constants that stand for divisors (``divide``).
        receptors: of positive and of negative weights.
        delay: steps.
        stage: of a prolonged delay.
    """

    weight: NDArray[np.int64]
    shape: tuple[int, int]
    padding: tuple[int, int]
    stride: tuple[int, int]
    pool: tuple[int, int]
    receptors: tuple[int, int]
    delay: int
    stage: int


def kernels_of(pre: PlacedCore, post: PlacedCore, image: BoardImage) -> NDArray[np.int64]:
    """Synapses from one core to a core of convolutions, as columns (pre, post, receptor, delay, weight)."""
    words = post.regions["LOCAL_ONLY_PARAMS"]
    sources, connectors = int(words[3]), int(words[4])
    behind = 6 + sources * _SOURCE_WORDS
    kernels = words[behind : behind + connectors * _CONNECTOR_WORDS].reshape(connectors, _CONNECTOR_WORDS)
    weights = words[behind + kernels.size :].view(np.int16).astype(np.int64)
    parts = [NONE]
    for key, mask, packed, *_ in words[6:behind].reshape(sources, _SOURCE_WORDS).tolist():
        if pre.key is not None and pre.key & mask == key:
            first, count = packed & 0x1FFF, packed >> 16
            slots = 1 << int(post.regions["LOCAL_ONLY"][2])
            chosen = (unpack(row, weights, slots) for row in kernels[first : first + count])
            parts.extend(_convolve(kernel, pre, post, image) for kernel in chosen)
    return np.concatenate(parts, axis=1)


def unpack(words: Words, weights: NDArray[np.int64], slots: int) -> Kernel:
    """Unpack one connector; in a ring of so many slots a delay of 0 is a whole turn."""
    height, width, pad_y, pad_x, positive, negative, stage, delay, first, _ = words[:5].view(np.uint16).tolist()
    stride_y, stride_x, pool_y, pool_x = words[5:].tolist()
    return Kernel(
        weight=weights[first:],
        shape=(height, width),
        padding=(pad_y, pad_x),
        stride=(stride_y, stride_x),
        pool=(pool_y, pool_x),
        receptors=(positive, negative),
        delay=delay or slots,
        stage=stage,
    )


def _convolve(kernel: Kernel, pre: PlacedCore, post: PlacedCore, image: BoardImage) -> NDArray[np.int64]:
    """Every synapse of a connector between two cores."""
    width = image.populations[pre.population].shape[0]
    copy = len(np.unique(pre.neurons))  # the one that this connector listens to
    stage = slice(kernel.stage * copy, (kernel.stage + 1) * copy)
    neurons = pre.neurons[stage]
    spike, row, column, weight = reached(kernel, neurons // width, neurons % width)
    post_width, post_height = image.populations[post.population].shape
    end = row * post_width + column
    there = (row >= 0) & (row < post_height) & (column >= 0) & (column < post_width) & np.isin(end, post.neurons)
    spike, end, weight = spike[there], end[there], weight[there]
    delay = np.full(len(end), kernel.delay + int(pre.late[stage][0]))
    return np.stack([neurons[spike], end, np.where(weight > 0, *kernel.receptors), delay, np.abs(weight)])


def reached(
    kernel: Kernel, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Where the program sends a spike: ``IF_curr_exp_conv.aplx`` of sPyNNaker 7.4.1, instruction by instruction.

    On each axis the place is divided by the pooling, moved back by half a kernel and forth by the padding, and
    divided by the stride. From there the program visits as many places to either side as half a kernel has, the
    kernel read forward: with an odd kernel and stride 1 that is a convolution, torch's with the kernel reversed.
    With an even kernel it reads one weight too many on each axis, and with a stride the wrong ones.

    Args:
        kernel: connector.
        rows, columns: place of each spike in its map.

    Returns:
        Index of the spike, row, column and weight of every synapse that has a weight; places may lie outside.
    """
    ends, taps = [], []
    for axis, places in enumerate((rows, columns)):
        half = kernel.shape[axis] // 2
        centre = divide(places, kernel.pool[axis]) - half + kernel.padding[axis]
        side = np.arange(-half, half + 1)
        ends.append(divide(centre, kernel.stride[axis])[:, None] + side)
        taps.append(side + half)
    shape = (len(rows), len(taps[0]), len(taps[1]))
    index = np.broadcast_to(taps[0][:, None] * kernel.shape[1] + taps[1], shape)
    weight = np.append(kernel.weight, np.zeros(index.max(initial=0) + 1, np.int64))[index]
    spike = np.broadcast_to(np.arange(len(rows))[:, None, None], shape)
    row, column = np.broadcast_to(ends[0][:, :, None], shape), np.broadcast_to(ends[1][:, None, :], shape)
    chosen = weight != 0
    return spike[chosen], row[chosen], column[chosen], weight[chosen]


def divide(numbers: NDArray[np.int64], constant: int) -> NDArray[np.int64]:
    """Signed 16-bit numbers divided as the program does: by a multiplication and two shifts of 32 bits.

    >>> divide(np.array([7, 8, 9]), 0x01015556).tolist(), divide(np.array([5, -5]), 1).tolist()
    ([2, 2, 3], [5, -5])
    """
    multiplier, first, second = constant & 0xFFFF, constant >> 16 & 0xFF, constant >> 24
    word = numbers & 0xFFFFFFFF
    high = (word * multiplier & 0xFFFFFFFF) >> 16
    quotient = (high + (((word - high) & 0xFFFFFFFF) >> first) & 0xFFFFFFFF) >> second
    return ((quotient & 0xFFFF) ^ 0x8000) - 0x8000
