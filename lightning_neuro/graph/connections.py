"""What a connection computes: the drive ``x = W s`` of every neuron, exact in integers, float64 in reals.

A connection is prepared once (weights in the dtype that is fast and provably exact) and then applied to as many
rasters as there are. Convolutions are sums over the taps of their window, each tap one matrix product.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import Connection, Convolution, Dense, Input, Pooled, Values, Window

Apply = Callable[[NDArray[Any]], NDArray[Any]]
"""Drive [row, post] of input rows [row, pre]."""

_ROW_VALUES = 4_000_000  # values of one tap's operand at a time; bounds memory to some tens of MB


def prepare_fixed(connection: Connection, largest: int = 1) -> Apply:
    """The connection in exact integers.

    With inputs of at most ``largest`` every partial sum of a product is bounded by the row's sum of |w| times
    ``largest``; below 2**24 float32 represents all of them exactly, below 2**53 float64 does. Pooling counts
    spikes, so it multiplies the bound by the positions under its window.

    Args:
        connection: with raw integers.
        largest: largest input value (1 for spikes).
    """
    return _prepare(connection, largest)


def prepare_real(connection: Connection) -> Apply:
    """The connection in float64, with real weights."""
    return _prepare(connection, None)


_FEW = 0.25  # of the rows


def add_drive(total: NDArray[Any], connection: Connection, apply: Apply, rows: NDArray[Any]) -> None:
    """Add what rows cause; where few of them have a spike on a line with a weight, only those are multiplied.

    Args:
        total: [row, post], changes in place.
        connection: whose weights say which lines matter.
        apply: the connection, prepared.
        rows: [row, pre].
    """
    used = rows
    if isinstance(connection, Dense):
        lines = np.flatnonzero(connection.weight.real.any(axis=0))
        used = rows if len(lines) == rows.shape[1] else rows[:, lines]
    active = np.flatnonzero(used.any(axis=1))
    if len(active) < _FEW * len(rows):
        total[active] += apply(rows[active])
    else:
        total += apply(rows)


def add_constant_drive(drive: NDArray[Any], apply: Apply, raster: NDArray[Any]) -> None:
    """Add what currents cause, multiplying only in steps that differ from the one before.

    Args:
        drive: [sample, step, post], changes in place.
        apply: the connection, prepared.
        raster: currents, [sample, step, pre].
    """
    changed = np.ones(raster.shape[:2], bool)
    changed[:, 1:] = (raster[:, 1:] != raster[:, :-1]).any(axis=2)
    rows = np.cumsum(changed).reshape(changed.shape) - 1  # the row that acts in each step
    distinct = raster[changed]
    many = max(1, _ROW_VALUES // max(1, raster.shape[2]))
    parts = [apply(distinct[start : start + many]) for start in range(0, len(distinct), many)]
    if parts:
        drive += np.concatenate(parts)[rows]


def largest_value(source: Input) -> int:
    """Largest magnitude that a line of the input carries: 1 for spikes."""
    return 1 if source.format is None else -source.format.low


def drive_of(connection: Connection, weight: NDArray[Any], rows: NDArray[Any]) -> NDArray[np.float64]:
    """Drive [row, post] in float64 with other weights of the same shape: absolute, positive or negative parts."""
    return prepare_real(with_weight(connection, Values(real=weight)))(rows)


def input_size(connection: Connection) -> int:
    """Input lines the connection takes."""
    return _SIZES[type(connection)](connection)


def with_weight(connection: Connection, weight: Values) -> Connection:
    """The same connection with other weights."""
    if isinstance(connection, Pooled):
        return dataclasses.replace(connection, then=with_weight(connection.then, weight))
    return dataclasses.replace(connection, weight=weight)


def fan_in(connection: Connection) -> int:
    """Input lines that reach one neuron, at most."""
    if isinstance(connection, Pooled):
        return fan_in(connection.then) * connection.pool.taps
    return int(np.prod(connection.weight.real.shape[1:]))


# -- one function per kind ----------------------------------------------------------------------------------------


def _prepare(connection: Connection, largest: int | None) -> Apply:
    return _PREPARE[type(connection)](connection, largest)


def _chosen(connection: Dense | Convolution, largest: int | None) -> NDArray[Any]:
    """Weights in the fastest dtype that is exact."""
    if largest is None:
        return connection.weight.real
    raw = connection.weight.integers()
    rows = np.abs(raw).reshape(len(raw), -1).sum(axis=1)
    bound = int(rows.max(initial=0)) * max(1, largest)
    return raw.astype(np.float32 if bound < 2**24 else np.float64 if bound < 2**53 else np.int64)


def _result(product: NDArray[Any], largest: int | None) -> NDArray[Any]:
    return product if largest is None else product.astype(np.int64)


def _dense(connection: Dense, largest: int | None) -> Apply:
    transposed = np.ascontiguousarray(_chosen(connection, largest).T)
    return lambda rows: _result(rows.astype(transposed.dtype, copy=False) @ transposed, largest)


def _convolution(connection: Convolution, largest: int | None) -> Apply:
    weight, window, groups = _chosen(connection, largest), connection.window, connection.groups
    out, group_in = weight.shape[:2]
    # [tap, group, channels in, channels out]
    taps = np.moveaxis(weight.reshape(groups, out // groups, group_in, window.taps), 3, 0).swapaxes(2, 3).copy()
    places = int(np.prod(window.positions))

    def part(rows: NDArray[Any]) -> NDArray[Any]:
        frames = padded(rows, window).astype(weight.dtype, copy=False)
        total = np.zeros((groups, len(rows) * places, out // groups), weight.dtype)
        for tap, view in zip(taps, tap_views(frames, window), strict=True):
            operand = np.moveaxis(view.reshape(len(rows), groups, group_in, places), 0, 2)
            total += operand.reshape(groups, group_in, -1).swapaxes(1, 2) @ tap
        by_row = total.reshape(groups, len(rows), places, out // groups).transpose(1, 0, 3, 2)
        return _result(by_row.reshape(len(rows), out * places), largest)

    return _in_parts(part, max(out, groups * group_in) * places, out * places)


def _pooled(connection: Pooled, largest: int | None) -> Apply:
    window = connection.pool
    bound = None if largest is None else largest * window.taps
    then = _prepare(connection.then, bound)

    def part(rows: NDArray[Any]) -> NDArray[Any]:
        exact = np.float64 if largest is None else np.int64
        frames = padded(rows, window)
        sums = np.zeros((len(rows), window.input_shape[0], *window.positions), exact)
        for view in tap_views(frames, window):
            sums += view
        return sums.reshape(len(rows), int(np.prod(sums.shape[1:])))

    pooled = _in_parts(part, int(np.prod(window.input_shape)), window.input_shape[0] * int(np.prod(window.positions)))
    return lambda rows: then(pooled(rows))


def _in_parts(part: Apply, width: int, out: int) -> Apply:
    """Apply to as many rows at a time as fit in memory."""
    many = max(1, _ROW_VALUES // max(1, width))

    def apply(rows: NDArray[Any]) -> NDArray[Any]:
        if len(rows) <= many:
            return part(rows)
        return np.concatenate([part(rows[start : start + many]) for start in range(0, len(rows), many)])

    return apply


def padded(rows: NDArray[Any], window: Window) -> NDArray[Any]:
    """Rows [row, n] as frames [row, channel, axis...] with the window's zeros around them."""
    frames = rows.reshape(len(rows), *window.input_shape)
    return np.pad(frames, ((0, 0), (0, 0), *window.padding)) if any(map(any, window.padding)) else frames


def tap_views(frames: NDArray[Any], window: Window) -> list[NDArray[Any]]:
    """For every tap of the window, in kernel order, what lies under it at every position: [row, channel, place...]."""
    views = []
    for tap in np.ndindex(*window.kernel):
        axes = zip(tap, window.positions, window.stride, window.dilation, strict=True)
        cut = tuple(slice(k * d, k * d + (places - 1) * step + 1, step) for k, places, step, d in axes)
        views.append(frames[(slice(None), slice(None), *cut)])
    return views


_PREPARE: dict[type, Callable[[Any, int | None], Apply]] = {
    Dense: _dense,
    Convolution: _convolution,
    Pooled: _pooled,
}

_SIZES: dict[type, Callable[[Any], int]] = {
    Dense: lambda c: int(c.weight.real.shape[1]),
    Convolution: lambda c: int(np.prod(c.window.input_shape)),
    Pooled: lambda c: int(np.prod(c.pool.input_shape)),
}
