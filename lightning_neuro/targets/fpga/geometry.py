"""What an event of a convolution or a pooling reaches: taps per axis, weights as rows, neurons place by place.

Hardware numbers neurons with channels place by place, all channels of a place together, because lanes work on channels;
an order holds the index in the graph, where channels come first, of every neuron by its hardware number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import Connection, Convolution, Dense, Pooled, Window

Tap = tuple[int, int]
"""Output coordinate and kernel coordinate, along one axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One table of the address generator: for every coordinate, what it adds to the addresses, tap by tap.

    Args:
        counts: taps of every coordinate.
        groups, weights: parts of the addresses, [coordinate * 2**b + tap]; b is 1 or more, so that all taps fit.
    """

    counts: tuple[int, ...]
    groups: tuple[int, ...]
    weights: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """How an address generator spreads events.

    Args:
        shape: (rows, columns, channels) of the input.
        turns: words of weights that an event takes at every place it reaches.
        rows, columns, channels: tables.
        weights: raw weights [row, column of lanes]; word = row * turns + turn.
        mean_taps: words of weights that an event takes on average, turns not counted.
    """

    shape: tuple[int, int, int]
    turns: int
    rows: Axis
    columns: Axis
    channels: Axis
    weights: NDArray[np.int64]
    mean_taps: float


def is_spread(connection: Connection) -> bool:
    """Whether an event reaches only some neurons of a connection, found by an address generator."""
    return not isinstance(connection, Dense)


def windows(connection: Connection) -> tuple[Window, ...]:
    """Windows in the order in which an event meets them; that of a convolution comes last."""
    if isinstance(connection, Pooled):
        return (connection.pool, *windows(connection.then))
    return (connection.window,) if isinstance(connection, Convolution) else ()


def last_of(connection: Connection) -> Dense | Convolution:
    """The connection behind all poolings."""
    return last_of(connection.then) if isinstance(connection, Pooled) else connection


def lane_channels(connection: Connection) -> int:
    """Neurons that lanes may share an event for: the output channels of a group, or all neurons."""
    last = last_of(connection)
    return len(last.weight.real) // (last.groups if isinstance(last, Convolution) else 1)


def image_shape(channels_first: Sequence[int]) -> tuple[int, int, int]:
    """(rows, columns, channels) of (channels, columns) or (channels, rows, columns).

    >>> image_shape((3, 5))
    (1, 5, 3)
    """
    channels, *axes = channels_first
    rows, columns = (1, *axes)[-2:]
    return rows, columns, channels


def input_order(connection: Connection) -> NDArray[np.int64] | None:
    """Graph index of the input line with each hardware address; None where the order is free."""
    return place_by_place(windows(connection)[0].input_shape) if is_spread(connection) else None


def output_order(connection: Connection) -> NDArray[np.int64] | None:
    """Graph index of the neuron with each hardware number; None where the order is free."""
    shape = output_shape(connection)
    return None if shape is None else place_by_place(shape)


def output_shape(connection: Connection) -> tuple[int, ...] | None:
    """Channels and positions of what a convolution makes; None for a dense connection."""
    last = last_of(connection)
    return (len(last.weight.real), *last.window.positions) if isinstance(last, Convolution) else None


def place_by_place(channels_first: Sequence[int]) -> NDArray[np.int64]:
    """Indices of an array with its channels first, in the order with its channels last.

    >>> place_by_place((2, 3)).tolist()
    [0, 3, 1, 4, 2, 5]
    """
    return np.arange(int(np.prod(channels_first))).reshape(channels_first[0], -1).T.ravel()


def spread(connection: Connection, lanes: int) -> Spread:
    """Tables and weights of an address generator.

    Args:
        connection: quantised, not a plain dense one.
        lanes: a divisor of ``lane_channels``, or any number behind poolings of a dense connection.
    """
    last, chain = last_of(connection), windows(connection)
    shape = image_shape(chain[0].input_shape)
    turns = -(-lane_channels(connection) // lanes)
    lists = [axis_taps(chain, axis, isinstance(last, Dense)) for axis in range(len(chain[0].kernel))]
    row_taps, column_taps = lists if len(lists) == 2 else ([[(0, 0)]], lists[0])
    if isinstance(last, Convolution):
        kernel, out_columns = (1, *last.window.kernel)[-2:], last.window.positions[-1]
        parts, weights = last.groups, _convolution_rows(last)
    else:
        kernel, out_columns = image_shape(chain[-1].input_shape[:1] + chain[-1].positions)[:2], 1
        parts, weights = 1, _pooled_rows(last, chain[-1])
    channel_words, place_groups = shape[2] * turns, parts * turns
    share = shape[2] // parts
    return Spread(
        shape=shape,
        turns=turns,
        rows=table(row_taps, out_columns * place_groups, kernel[1] * channel_words),
        columns=table(column_taps, place_groups, channel_words),
        channels=Axis(
            counts=(1,) * shape[2],
            groups=tuple(c // share * turns for c in range(shape[2])),
            weights=tuple(c * turns for c in range(shape[2])),
        ),
        weights=weights,
        mean_taps=float(np.mean([len(r) for r in row_taps]) * np.mean([len(c) for c in column_taps])),
    )


def axis_taps(chain: Sequence[Window], axis: int, dense: bool) -> list[list[Tap]]:
    """Taps along one axis, for every input coordinate.

    Args:
        chain: windows in order; all but a convolution's sum up what they cover.
        axis: 0 or 1.
        dense: the last window is a pooling too; every sum has weights of its own, its place is the kernel coordinate.

    >>> box = Window(input_shape=(1, 4), kernel=(2,), stride=(2,), padding=((0, 0),), dilation=(1,))
    >>> axis_taps([box], 0, True)
    [[(0, 0)], [(0, 0)], [(0, 1)], [(0, 1)]]
    >>> axis_taps([box], 0, False)
    [[(0, 0)], [(0, 1)], [(1, 0)], [(1, 1)]]
    """
    size = chain[0].input_shape[1 + axis]
    reached = [[i] for i in range(size)]
    for window in chain if dense else chain[:-1]:
        covers = _covering(window, axis)
        reached = [[place for i in places for place, _ in covers[i]] for places in reached]
    if dense:
        return [[(0, place) for place in places] for places in reached]
    taps = _covering(chain[-1], axis)
    return [[tap for i in places for tap in taps[i]] for places in reached]


def _covering(window: Window, axis: int) -> list[list[Tap]]:
    """For every coordinate of a window's input: places of the window that cover it, and where in the window."""
    found: list[list[Tap]] = [[] for _ in range(window.input_shape[1 + axis])]
    step, before, dilation = window.stride[axis], window.padding[axis][0], window.dilation[axis]
    for place in range(window.positions[axis]):
        for k in range(window.kernel[axis]):
            i = place * step - before + k * dilation
            if 0 <= i < len(found):
                found[i].append((place, k))
    return found


def table(taps: Sequence[Sequence[Tap]], group_stride: int, weight_stride: int) -> Axis:
    """Lists of taps as the table of an axis.

    Args:
        taps: of every coordinate.
        group_stride, weight_stride: what one output, respectively kernel, coordinate adds to the addresses.

    >>> table([[(0, 1)], [(1, 0), (0, 2)]], 10, 100).weights
    (100, 0, 0, 200)
    """
    room = max(2, 1 << (max(len(one) for one in taps) - 1).bit_length())
    padded = [[*one, *[(0, 0)] * (room - len(one))] for one in taps]
    return Axis(
        counts=tuple(len(one) for one in taps),
        groups=tuple(output * group_stride for one in padded for output, _ in one),
        weights=tuple(k * weight_stride for one in padded for _, k in one),
    )


def _convolution_rows(connection: Convolution) -> NDArray[np.int64]:
    """Weights [(kernel place, channel in), channel out within its group]."""
    raw = connection.weight.integers()
    out, share = raw.shape[:2]
    by_group = raw.reshape(connection.groups, out // connection.groups, share, -1)
    return by_group.transpose(3, 0, 2, 1).reshape(-1, out // connection.groups)


def _pooled_rows(connection: Dense, pool: Window) -> NDArray[np.int64]:
    """Weights [(pooled place, channel), neuron]."""
    return connection.weight.integers().T[place_by_place((pool.input_shape[0], *pool.positions))]
