"""The only rounding rule of the project: two roundings and one saturation, all in this file.

* compile time: weights, thresholds and constants are rounded once, half to even (as ``torch.round``);
* run time: a leak is ``(v * L) >> d`` with an arithmetic shift, that is floor;
* run time: a membrane saturates once per step, after the exact sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightning_neuro.errors import GraphError


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A two's complement number format: ``value = raw * lsb``.

    Args:
        bits: width including the sign, 1 or more.
        lsb: weight of the least significant bit in the units of the model; any positive number, since a
            population is unchanged when its weights, thresholds and constants are scaled together.

    Raises:
        GraphError: width or lsb is not positive.
    """

    bits: int
    lsb: float

    def __post_init__(self) -> None:
        if self.bits < 1 or self.bits > 62 or not (np.isfinite(self.lsb) and self.lsb > 0):
            raise GraphError(
                f"a number format needs 1..62 bits and a positive finite lsb, not {self}",
                where="Format",
                why="raw integers are kept in 64 bits and an lsb scales them to the model's units",
                next_command="choose quantize.weight_bits and quantize.state_bits between 2 and 32",
            )

    @property
    def low(self) -> int:
        """Smallest raw integer."""
        return -(1 << (self.bits - 1))

    @property
    def high(self) -> int:
        """Largest raw integer."""
        return (1 << (self.bits - 1)) - 1


def round_half_even(values: ArrayLike) -> NDArray[np.int64]:
    """Round to the nearest integer, ties to even (equals ``torch.round``).

    >>> round_half_even([0.5, 1.5, -2.5]).tolist()
    [0, 2, -2]
    """
    return np.rint(np.asarray(values, dtype=np.float64)).astype(np.int64)


def saturate(raw: NDArray[np.int64], format: Format) -> NDArray[np.int64]:
    """Clamp raw integers to the range of a format.

    >>> saturate(np.array([-200, 5, 200]), Format(bits=8, lsb=1.0)).tolist()
    [-128, 5, 127]
    """
    return np.clip(raw, format.low, format.high)


def to_raw(values: ArrayLike, format: Format) -> NDArray[np.int64]:
    """Round real values to a format and saturate them (compile time).

    >>> to_raw([0.26, -9.0], Format(bits=4, lsb=0.5)).tolist()
    [1, -8]
    """
    scaled = np.asarray(values, dtype=np.float64) / format.lsb
    return saturate(round_half_even(np.clip(scaled, format.low - 1, format.high + 1)), format)


def leak(raw: NDArray[np.int64], multiplier: ArrayLike, shift: int) -> NDArray[np.int64]:
    """What a state loses in one step: ``floor(raw * multiplier / 2**shift)``.

    >>> leak(np.array([17, -1]), 1, 4).tolist()
    [1, -1]
    """
    return (raw * np.asarray(multiplier, dtype=np.int64)) >> shift


def leak_constants(beta: ArrayLike, leak_bits: int) -> tuple[NDArray[np.int64], int]:
    """Round decay factors to integer leaks with the smallest common shift.

    A decay of exactly ``1 - 2**-k`` with ``k <= leak_bits`` gives multiplier 1 and shift k: a shift alone.

    Args:
        beta: decay factor of each neuron per step, in [0, 1], shape [n].
        leak_bits: the largest shift d allowed.

    Returns:
        multipliers L, shape [n], and shift d, with ``1 - beta`` approximated by ``L / 2**d``.

    >>> leak_constants([0.9375, 0.9375], 8)
    (array([1, 1]), 4)
    >>> leak_constants([0.9], 8)
    (array([13]), 7)
    """
    multiplier = round_half_even((1.0 - np.asarray(beta, dtype=np.float64)) * 2.0**leak_bits)
    shift = leak_bits
    while shift > 0 and not np.any(multiplier & 1):
        multiplier, shift = multiplier >> 1, shift - 1
    return multiplier, shift
