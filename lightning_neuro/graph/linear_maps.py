"""Chains of linear maps between two neurons, reduced to one connection with the fewest weights that is still exact.

Matrices and scalings multiply into their neighbours, average pooling is a sum whose divisor goes into the weights,
a convolution followed by pooling is a wider convolution. What has no shared form becomes one dense matrix.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import NirError
from lightning_neuro.graph.connections import padded, prepare_real, tap_views
from lightning_neuro.graph.hardware_graph import Connection, Convolution, Dense, Pooled, Values, Window

MAX_WEIGHTS = 1 << 26  # entries of one dense matrix, 512 MB in float64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scaling:
    """Multiply every value; factor [n] and the shape of the signal."""

    factor: NDArray[np.float64]
    shape: tuple[int, ...]

    def by_channel(self) -> NDArray[np.float64] | None:
        """One factor per channel, or None where they differ within one."""
        rows = self.factor.reshape(self.shape[0], -1)
        return rows[:, 0] if (rows == rows[:, :1]).all() else None


Stage = Dense | Convolution | Window | Scaling
"""One linear map; a bare Window is sum pooling."""


def dense(weight: NDArray[Any]) -> Dense:
    """A matrix as a stage."""
    return Dense(weight=Values(real=weight))


def apply_stage(stage: Stage, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map rows [row, in] to [row, out]."""
    if isinstance(stage, Scaling):
        return rows * stage.factor
    if isinstance(stage, Window):
        return np.sum(tap_views(padded(rows, stage), stage), axis=0).reshape(len(rows), -1)
    return prepare_real(stage)(rows)


def connect(name: str, stages: tuple[Stage, ...], source: tuple[int, ...]) -> Connection:
    """One connection that computes all stages.

    Args:
        name: of the neuron node, for messages.
        stages: in order of application.
        source: shape of the signal that enters.

    Raises:
        NirError: the only exact form is a dense matrix that is too large.
    """
    reduced = _reduce(stages)
    pools = [s for s in reduced if isinstance(s, Window)]
    *_, last = reduced or [None]
    if reduced[:-1] == pools or reduced == pools or not reduced:
        final = _final(pools, None if isinstance(last, Window) else last, source)
        if final is not None:
            connection, left = final
            for pool in reversed(left):
                connection = Pooled(pool=pool, then=connection)
            return connection
    return dense(_matrix(name, tuple(reduced), int(np.prod(source))))


def _final(
    pools: list[Window], last: Dense | Convolution | Scaling | None, source: tuple[int, ...]
) -> tuple[Dense | Convolution, list[Window]] | None:
    """The connection behind the pools that remain; the last pool joins a scaling as a depthwise convolution."""
    if isinstance(last, Dense | Convolution):
        return last, pools
    shape = (pools[-1].input_shape[0], *pools[-1].positions) if pools else source
    scaling = last or Scaling(factor=np.ones(int(np.prod(shape))), shape=shape)
    channels = scaling.by_channel() if len(scaling.shape) > 1 else None
    if channels is None:
        return None
    ones = (1,) * (len(shape) - 1)
    window = (
        pools[-1]
        if pools
        else Window(input_shape=shape, kernel=ones, stride=ones, padding=((0, 0),) * len(ones), dilation=ones)
    )
    weight = np.broadcast_to(channels.reshape(-1, 1, *ones), (len(channels), 1, *window.kernel))
    return Convolution(weight=Values(real=weight), window=window, groups=len(channels)), pools[:-1]


def _matrix(name: str, stages: tuple[Stage, ...], source: int) -> NDArray[np.float64]:
    sizes = [source, *(_outputs(stage) for stage in stages)]
    if source * max(sizes) > MAX_WEIGHTS:
        raise too_large(name, source, max(sizes))
    if len(stages) == 1 and isinstance(stages[0], Scaling):
        return np.diag(stages[0].factor)
    rows = np.eye(source)
    for stage in stages:
        rows = apply_stage(stage, rows)
    return rows.T


def too_large(name: str, source: int, post: int) -> NirError:
    """A dense matrix that nobody could hold."""
    return NirError(
        f"{post} x {source} weights in one dense matrix, at most {MAX_WEIGHTS} are taken",
        where=f"node {name!r}",
        why="the linear maps before this neuron have no form with shared weights, or the sizes in the file are wrong",
        next_command="put neurons between the convolutions, or make r and tau the same in every channel",
    )


def _outputs(stage: Stage) -> int:
    if isinstance(stage, Scaling):
        return stage.factor.size
    if isinstance(stage, Dense):
        return stage.weight.real.shape[0]
    window = stage if isinstance(stage, Window) else stage.window
    channels = window.input_shape[0] if isinstance(stage, Window) else stage.weight.real.shape[0]
    return channels * int(np.prod(window.positions))


# -- joining neighbours ------------------------------------------------------------------------------------------


def _reduce(stages: tuple[Stage, ...]) -> list[Stage]:
    done: list[Stage] = []
    for stage in stages:
        done.append(stage)
        while len(done) > 1 and (joined := _join(done[-2], done[-1])) is not None:
            done[-2:] = joined
            if len(joined) > 1:
                break
    return done


def _join(first: Stage, then: Stage) -> list[Stage] | None:
    rule = _JOINS.get((type(first), type(then)))
    return None if rule is None else rule(first, then)


def _dense_dense(first: Dense, then: Dense) -> list[Stage] | None:
    outer = then.weight.real.shape[0] * first.weight.real.shape[1]
    return None if outer > MAX_WEIGHTS else [dense(then.weight.real @ first.weight.real)]


def _scaling_pool(first: Scaling, then: Window) -> list[Stage] | None:
    """A factor per channel may as well be applied after the sum."""
    channels = first.by_channel()
    if channels is None:
        return None
    shape = (len(channels), *then.positions)
    factor = np.broadcast_to(channels.reshape(-1, *(1,) * len(then.positions)), shape).ravel()
    return [then, Scaling(factor=factor, shape=shape)]


def _conv_scaling(first: Convolution, then: Scaling) -> list[Stage] | None:
    channels = then.by_channel()
    if channels is None or then.shape[0] != first.weight.real.shape[0]:
        return None
    weight = channels.reshape(-1, *(1,) * (first.weight.real.ndim - 1)) * first.weight.real
    return [Convolution(weight=Values(real=weight), window=first.window, groups=first.groups)]


def _scaling_conv(first: Scaling, then: Convolution) -> list[Stage] | None:
    channels = first.by_channel()
    if channels is None or first.shape[0] != then.window.input_shape[0]:
        return None
    weight = then.weight.real
    out, group_in = weight.shape[:2]
    factors = np.repeat(channels.reshape(then.groups, group_in), out // then.groups, axis=0)
    scaled = weight * factors.reshape(out, group_in, *(1,) * (weight.ndim - 2))
    return [Convolution(weight=Values(real=scaled), window=then.window, groups=then.groups)]


def _conv_pool(first: Convolution, then: Window) -> list[Stage] | None:
    """Sums of neighbouring outputs of a convolution are one convolution with a wider kernel."""
    if any(map(any, then.padding)):
        return None
    window = first.window
    kernel = tuple(
        (p - 1) * step + (k - 1) * d + 1
        for p, step, k, d in zip(then.kernel, window.stride, window.kernel, window.dilation, strict=True)
    )
    weight = np.zeros((*first.weight.real.shape[:2], *kernel))
    for pooled in np.ndindex(*then.kernel):
        for tap in np.ndindex(*window.kernel):
            axes = zip(pooled, window.stride, tap, window.dilation, strict=True)
            weight[(..., *(p * step + k * d for p, step, k, d in axes))] += first.weight.real[(..., *tap)]
    stride = tuple(a * b for a, b in zip(window.stride, then.stride, strict=True))
    wider = Window(
        input_shape=window.input_shape,
        kernel=kernel,
        stride=stride,
        padding=window.padding,
        dilation=(1,) * len(kernel),
    )
    return [Convolution(weight=Values(real=weight), window=wider, groups=first.groups)]


_JOINS: dict[tuple[type, type], Callable[[Any, Any], list[Stage] | None]] = {
    (Dense, Dense): _dense_dense,
    (Dense, Scaling): lambda a, b: [dense(b.factor[:, None] * a.weight.real)],
    (Scaling, Dense): lambda a, b: [dense(b.weight.real * a.factor)],
    (Scaling, Scaling): lambda a, b: [Scaling(factor=a.factor * b.factor, shape=b.shape)],
    (Scaling, Window): _scaling_pool,
    (Convolution, Scaling): _conv_scaling,
    (Scaling, Convolution): _scaling_conv,
    (Convolution, Window): _conv_pool,
}
