"""What every NIR node does to a signal on its way from one neuron to the next: stages, bias, shape, delay."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import NirError
from lightning_neuro.graph.hardware_graph import Convolution, Values, Window
from lightning_neuro.graph.linear_maps import Scaling, Stage, apply_stage, dense

MAX_PATHS = 256  # parallel ways into one node; more come from files made to explode
MAX_DELAY = 100_000  # steps
_WHOLE = 1e-6  # steps; how far from a whole number a delay may be


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Path:
    """One way from a spike source to here.

    Args:
        source: neuron node or the input.
        source_shape: shape of its spikes.
        stages: linear maps in order.
        delay: whole steps.
    """

    source: str
    source_shape: tuple[int, ...]
    stages: tuple[Stage, ...]
    delay: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signal:
    """What flows along an edge: a sum of paths and of biases.

    Args:
        shape: channels first.
        paths: weighted spikes.
        biases: (first step, values [n]).
    """

    shape: tuple[int, ...]
    paths: tuple[Path, ...]
    biases: tuple[tuple[int, NDArray[np.float64]], ...]

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape))

    def later(self, steps: int) -> Signal:
        """The same signal some steps later, silent before: its biases too."""
        return dataclasses.replace(
            self,
            paths=tuple(dataclasses.replace(p, delay=p.delay + steps) for p in self.paths),
            biases=tuple((onset + steps, values) for onset, values in self.biases),
        )

    def through(self, name: str, stages: tuple[Stage, ...], shape: tuple[int, ...]) -> Signal:
        """The signal after linear maps."""
        if int(np.prod(shape, dtype=object)) > MAX_VALUES:
            raise refused(name, f"{int(np.prod(shape, dtype=object))} values", f"at most {MAX_VALUES} are taken")
        biases = []
        for onset, values in self.biases:
            row = values[None]
            for stage in stages:
                row = apply_stage(stage, row)
            biases.append((onset, row[0]))
        paths = tuple(dataclasses.replace(p, stages=(*p.stages, *stages)) for p in self.paths)
        return Signal(shape=shape, paths=paths, biases=tuple(biases))

    def plus(self, bias: NDArray[np.float64] | None) -> Signal:
        """The signal with a constant added from the first step on."""
        return self if bias is None else dataclasses.replace(self, biases=(*self.biases, (0, bias)))


MAX_VALUES = 1_000_000  # neurons of a layer or values of a signal: a sanity bound, far above any target


def refused(name: str, what: str, next_command: str, why: str = "the sizes of connected nodes must agree") -> NirError:
    """A node that cannot be what the file says."""
    return NirError(what, where=f"node {name!r}", why=why, next_command=next_command)


def shape_error(name: str, got: int, wanted: int) -> NirError:
    """Sizes of neighbours disagree."""
    return refused(name, f"{got} values arrive where {wanted} are taken", "mend the shapes in the file")


def merged(name: str, signals: list[Signal]) -> Signal:
    """Sum of the signals that meet at a node."""
    first = signals[0]
    for other in signals[1:]:
        if other.size != first.size:
            raise shape_error(name, other.size, first.size)
    paths = tuple(path for signal in signals for path in signal.paths)
    if len(paths) > MAX_PATHS:
        raise refused(name, f"{len(paths)} parallel paths meet here", f"at most {MAX_PATHS} are followed")
    return Signal(shape=first.shape, paths=paths, biases=tuple(b for signal in signals for b in signal.biases))


# -- one function per node type ----------------------------------------------------------------------------------


def _matrix(name: str, node: nir.Affine | nir.Linear, signal: Signal, dt_s: float) -> Signal:
    weight = np.asarray(node.weight, np.float64)
    if weight.ndim != 2:
        raise refused(name, f"weights of shape {weight.shape}", "use a matrix [out, in]", "a matrix has two axes")
    if signal.size != weight.shape[1]:
        raise shape_error(name, signal.size, weight.shape[1])
    bias = np.asarray(node.bias, np.float64) if isinstance(node, nir.Affine) else None
    if bias is not None and bias.shape != (len(weight),):
        raise refused(name, f"bias of shape {bias.shape} for {len(weight)} outputs", f"give it shape ({len(weight)},)")
    return signal.through(name, (dense(weight),), (len(weight),)).plus(bias)


def _scale(name: str, node: nir.Scale, signal: Signal, dt_s: float) -> Signal:
    scale = np.asarray(node.scale, np.float64)
    try:
        same = scale.size == signal.size and scale.ndim != len(signal.shape)
        factor = scale.ravel() if same else np.broadcast_to(scale, signal.shape).ravel()
    except ValueError as error:
        raise shape_error(name, signal.size, scale.size) from error
    return signal.through(name, (Scaling(factor=factor, shape=signal.shape),), signal.shape)


def _convolution(name: str, node: nir.Conv1d | nir.Conv2d, signal: Signal, dt_s: float) -> Signal:
    weight, axes = np.asarray(node.weight, np.float64), 1 if isinstance(node, nir.Conv1d) else 2
    if weight.ndim != axes + 2 or min(weight.shape) < 1:
        raise refused(name, f"weights of shape {weight.shape}", f"a kernel has {axes + 2} axes, none of them empty")
    groups = _whole(name, "groups", node.groups, 1, 1)[0]
    if weight.shape[0] % groups:
        raise refused(name, f"{weight.shape[0]} output channels in {groups} groups", "mend groups")
    stride, dilation = _whole(name, "stride", node.stride, axes, 1), _whole(name, "dilation", node.dilation, axes, 1)
    shape = _frame(name, signal, axes, weight.shape[1] * groups)
    claimed = getattr(node, "input_shape", None)
    if claimed is not None and _whole(name, "input_shape", claimed, axes, 1) != shape[1:]:
        raise refused(
            name, f"input_shape {np.ravel(claimed).tolist()} but {list(shape[1:])} arrive", "mend input_shape"
        )
    window = Window(
        input_shape=shape,
        kernel=weight.shape[2:],
        stride=stride,
        padding=_padding(name, node.padding, weight.shape[2:], stride, dilation),
        dilation=dilation,
    )
    bias = np.asarray(node.bias, np.float64)
    if bias.shape != (len(weight),):
        raise refused(name, f"bias of shape {bias.shape} for {len(weight)} channels", f"give it shape ({len(weight)},)")
    out = (len(weight), *_positions(name, window))
    stage = Convolution(weight=Values(real=weight), window=window, groups=groups)
    spread = np.repeat(bias, int(np.prod(out[1:])))
    return signal.through(name, (stage,), out).plus(spread if spread.any() else None)


def _pool(name: str, node: nir.SumPool2d | nir.AvgPool2d, signal: Signal, dt_s: float) -> Signal:
    shape = _frame(name, signal, 2, None)
    kernel, stride = _whole(name, "kernel_size", node.kernel_size, 2, 1), _whole(name, "stride", node.stride, 2, 1)
    pad = _whole(name, "padding", node.padding, 2, 0)
    if any(2 * p > k for p, k in zip(pad, kernel, strict=True)):
        raise refused(name, f"padding {pad} is more than half the kernel {kernel}", "mend padding")
    window = Window(
        input_shape=shape, kernel=kernel, stride=stride, padding=tuple((p, p) for p in pad), dilation=(1, 1)
    )
    out = (shape[0], *_positions(name, window))
    if isinstance(node, nir.SumPool2d):
        return signal.through(name, (window,), out)
    average = Scaling(factor=np.full(int(np.prod(out)), 1.0 / window.taps), shape=out)
    return signal.through(name, (window, average), out)


def _flatten(name: str, node: nir.Flatten, signal: Signal, dt_s: float) -> Signal:
    rank = len(signal.shape)
    first, last = (_axis(name, getattr(node, key), rank) for key in ("start_dim", "end_dim"))
    if last < first:
        raise refused(name, f"start_dim {first} lies behind end_dim {last}", "mend start_dim and end_dim")
    claimed = (node.input_type or {}).get("input")
    if claimed is not None and int(np.prod(np.asarray(claimed, dtype=object))) != signal.size:
        raise shape_error(name, signal.size, int(np.prod(np.asarray(claimed, dtype=object))))
    middle = int(np.prod(signal.shape[first : last + 1]))
    return dataclasses.replace(signal, shape=(*signal.shape[:first], middle, *signal.shape[last + 1 :]))


def _delay(name: str, node: nir.Delay, signal: Signal, dt_s: float) -> Signal:
    """One path for each distinct delay, with the other lines masked out."""
    steps = delay_steps(name, node, dt_s)
    if steps.size not in (1, signal.size):
        raise shape_error(name, signal.size, steps.size)
    distinct = np.unique(steps)
    if len(distinct) == 1:
        return signal.later(int(distinct[0]))
    masks = [(int(d), Scaling(factor=(steps.ravel() == d).astype(np.float64), shape=signal.shape)) for d in distinct]
    return merged(name, [signal.through(name, (mask,), signal.shape).later(d) for d, mask in masks])


def delay_steps(name: str, node: nir.Delay, dt_s: float) -> NDArray[np.int64]:
    """Delays in whole steps.

    Raises:
        NirError: negative, enormous, or not a multiple of dt.
    """
    steps = np.asarray(node.delay, np.float64) / dt_s
    whole = np.rint(steps)
    if (steps < -_WHOLE).any() or (whole > MAX_DELAY).any():
        raise refused(name, f"delays of {np.min(steps):g} to {np.max(steps):g} steps", f"dt={dt_s:g} or larger",
                      f"a delay is 0 to {MAX_DELAY} steps of dt")  # fmt: skip
    off = np.abs(steps - whole) > _WHOLE * np.maximum(1.0, whole)
    if off.any():
        delay = float(np.asarray(node.delay)[off].ravel()[0])
        raise refused(
            name,
            f"a delay of {delay:g} s is {delay / dt_s:g} steps of dt = {dt_s:g} s",
            f"dt={delay:g}, or a whole fraction of it",
            "hardware advances in whole steps; rounding a delay would move spikes",
        )
    return whole.astype(np.int64)


def _port(name: str, node: nir.Input | nir.Output, signal: Signal, dt_s: float) -> Signal:
    """The border of an inner graph: values pass, their number is checked."""
    shape = port_shape(name, node.input_type)
    if int(np.prod(shape, dtype=object)) != signal.size:
        raise shape_error(name, signal.size, int(np.prod(shape, dtype=object)))
    return signal


def port_shape(name: str, types: Mapping[str, object] | None) -> tuple[int, ...]:
    """Shape that an Input or Output node declares."""
    values = np.asarray(next(iter(types.values()), None) if types else None)
    fine = values.ndim == 1 and values.size > 0 and values.dtype.kind in "iu" and bool((values > 0).all())
    if not fine:
        why = "the number of lines must be known"
        raise refused(name, f"shape {values.tolist()!r}"[:80], "write positive whole numbers, for example [784]", why)
    return tuple(int(n) for n in values)


# -- checks ------------------------------------------------------------------------------------------------------


def _whole(name: str, key: str, value: Any, axes: int, least: int) -> tuple[int, ...]:
    """One positive integer per axis from a number or an array."""
    numbers = np.ravel(np.asarray(value))
    if numbers.size == 1:
        numbers = np.repeat(numbers, axes)
    fine = numbers.size == axes and numbers.dtype.kind in "iuf" and bool(np.isfinite(numbers).all())
    if not fine or (numbers != np.rint(numbers)).any() or (numbers < least).any() or (numbers > MAX_VALUES).any():
        raise refused(name, f"{key} = {np.ravel(np.asarray(value)).tolist()[:4]}",
                      f"{key} takes {axes} whole number(s) from {least} to {MAX_VALUES}",
                      "the window must slide over whole positions")  # fmt: skip
    return tuple(int(n) for n in numbers)


def _padding(
    name: str, padding: Any, kernel: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[tuple[int, int], ...]:
    word = padding.decode() if isinstance(padding, bytes) else padding
    if isinstance(word, str):
        if word == "valid":
            return ((0, 0),) * len(kernel)
        if word != "same" or any(step != 1 for step in stride):
            next_command, why = 'write numbers, "valid", or "same" with stride 1', "other words have no agreed meaning"
            raise refused(name, f"padding {word!r} with stride {stride}", next_command, why)
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    return tuple((p, p) for p in _whole(name, "padding", padding, len(kernel), 0))


def _frame(name: str, signal: Signal, axes: int, channels: int | None) -> tuple[int, ...]:
    if len(signal.shape) != axes + 1:
        raise refused(name, f"a signal of shape {signal.shape} arrives, a window over {axes} axes needs {axes + 1}",
                      "give Input the shape (channels, height, width)")  # fmt: skip
    if channels is not None and signal.shape[0] != channels:
        raise refused(
            name, f"{signal.shape[0]} channels arrive where {channels} are taken", "mend the weights or groups"
        )
    return signal.shape


def _positions(name: str, window: Window) -> tuple[int, ...]:
    sizes = [n + sum(pad) for n, pad in zip(window.input_shape[1:], window.padding, strict=True)]
    if min(window.positions) < 1 or max(sizes) > MAX_VALUES:
        raise refused(
            name, f"a window {window.kernel} does not fit into {window.input_shape[1:]}", "mend kernel or padding"
        )
    return window.positions


def _axis(name: str, value: Any, rank: int) -> int:
    numbers = np.ravel(np.asarray(value))
    if numbers.size != 1 or numbers.dtype.kind not in "iu" or not -rank <= int(numbers[0]) < rank:
        raise refused(name, f"axis {numbers.tolist()[:4]} of a signal with {rank} axes", "mend start_dim and end_dim",
                      "axes are counted without the batch")  # fmt: skip
    return int(numbers[0]) % rank


NODES: dict[type[nir.NIRNode], Callable[[str, Any, Signal, float], Signal]] = {
    nir.Affine: _matrix,
    nir.Linear: _matrix,
    nir.Scale: _scale,
    nir.Conv1d: _convolution,
    nir.Conv2d: _convolution,
    nir.SumPool2d: _pool,
    nir.AvgPool2d: _pool,
    nir.Flatten: _flatten,
    nir.Delay: _delay,
    nir.Input: _port,
    nir.Output: _port,
}
