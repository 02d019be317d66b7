"""SpiNNaker's number formats: signed 16.15 and unsigned 0.32, with the divisions and exponentials of its cores.

Raw integers stand for ``raw / 2**15`` (state, parameters) and ``raw / 2**32`` (synaptic decay). The cores have no
floating point: constants such as exp(-dt/tau) are computed on the chip from parameters that the host rounded, and
every product is cut off, not rounded. All of it was read from the instructions of the binaries that sPyNNaker 7.4.1
ships (``IF_curr_exp.aplx``, ``IF_curr_delta.aplx``); its public C sources are older and round some products.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

ACCUM_BITS = 15
ACCUM_ONE = 1 << ACCUM_BITS
ACCUM_LOW, ACCUM_HIGH = -(1 << 31), (1 << 31) - 1
ACCUM_RESOLUTION = 2.0**-ACCUM_BITS
ACCUM_MAX = 65536.0
"""Magnitudes from here on do not fit signed 16.15."""
FRACTION_MAX = (1 << 32) - 1
"""Largest unsigned 0.32 number, which also stands for 1."""

# Arguments of exp beyond which the chip answers with the largest number and with 0.
_EXP_HIGH, _EXP_LOW = 363408, -340695
# 1 - exp(-x) for x below 1/16, as a polynomial in x/2**15: the chip's coefficients, in 0.32.
_SERIES = (5294, 4293434720, 2081624032)


def to_accum(values: ArrayLike) -> NDArray[np.int64]:
    """Round real numbers to signed 16.15, half to even, as the host does before it loads parameters.

    Args:
        values: any shape; magnitudes below ``ACCUM_MAX`` (the host refuses others).

    >>> to_accum([1.0, -0.5, 2**-16]).tolist()
    [32768, -16384, 0]
    """
    return np.rint(np.asarray(values, np.float64) * ACCUM_ONE).astype(np.int64)


def from_accum(raw: ArrayLike) -> NDArray[np.float64]:
    """Real numbers of signed 16.15."""
    return np.asarray(raw, np.float64) * ACCUM_RESOLUTION


def divide(a: int, b: int) -> int:
    """Quotient of two positive 16.15 numbers, cut off."""
    return (a << ACCUM_BITS) // b


def exp_fraction(raw: int) -> int:
    """exp of a 16.15 number that is not positive, in unsigned 0.32 (exp(0), which does not fit, becomes 0).

    >>> exp_fraction(-22713) / 2**32
    0.49999999976716936
    """
    return 0 if raw < _EXP_LOW else _exp_64(raw) & FRACTION_MAX


def exp_accum(raw: int) -> int:
    """exp of a 16.15 number, in 16.15, cut off.

    >>> exp_accum(0), exp_accum(-32768)
    (32768, 12054)
    """
    if raw > _EXP_HIGH:
        return ACCUM_HIGH
    return 0 if raw < _EXP_LOW else _exp_64(raw) >> (32 - ACCUM_BITS)


@functools.cache
def membrane_constants(tau_m_ms: float, cm_nf: float, dt_ms: float) -> tuple[int, int]:
    """Resistance and decay per step of a membrane as the chip computes them, both in 16.15.

    Args:
        tau_m_ms: membrane time constant in ms.
        cm_nf: capacitance in nF.
        dt_ms: step in ms.

    Returns:
        tau_m/cm in MOhm and exp(-dt/tau_m), raw.
    """
    tau, capacitance, step = (int(to_accum(value)) for value in (tau_m_ms, cm_nf, dt_ms))
    return divide(tau, capacitance), exp_accum(-divide(step, tau))


@functools.cache
def synapse_constants(tau_syn_ms: float, dt_ms: float) -> tuple[int, int]:
    """Decay per step of a synaptic current, and the factor that its input is multiplied by, both in unsigned 0.32.

    Args:
        tau_syn_ms: synaptic time constant in ms.
        dt_ms: step in ms.

    Returns:
        exp(-dt/tau) and (tau/dt) (1 - exp(-dt/tau)), raw.
    """
    tau, step = int(to_accum(tau_syn_ms)), int(to_accum(dt_ms))
    decay = exp_fraction(-divide(step, tau))
    gain = divide(tau, step) * (FRACTION_MAX - decay) >> ACCUM_BITS
    return decay, gain & FRACTION_MAX


def refractory_steps(tau_refrac_ms: float, dt_ms: float) -> int:
    """Whole steps of a refractory period, rounded up."""
    return -(-divide(int(to_accum(tau_refrac_ms)), int(to_accum(dt_ms))) // ACCUM_ONE)


# -- the chip's exponential --------------------------------------------------------------------------------------


def _exp_64(raw: int) -> int:
    """exp with 32 fraction bits: a table of whole powers, one of sixteenths, and a polynomial for the rest."""
    whole, rest = raw >> ACCUM_BITS, raw & (ACCUM_ONE - 1)
    if not rest:
        return _power(whole)
    below = ACCUM_ONE - rest
    value = _power(whole + 1)
    value -= _scaled(value, _sixteenth(below >> 11))
    return value - _scaled(value, _series((below & 0x7FF) << 17))


def _series(x: int) -> int:
    a, b, c = _SERIES
    return a + ((b - (c * x >> 32)) * x >> 32)


def _scaled(value: int, fraction: int) -> int:
    """Product of a 64-bit number and a fraction; the lower half of the number is rounded, almost half up."""
    low = (value & FRACTION_MAX) * fraction
    return (value >> 32) * fraction + (low >> 32) + ((low & FRACTION_MAX) >= 0x7FFFFFFF)


@functools.cache
def _power(exponent: int) -> int:
    return round(math.exp(exponent) * 2**32)


@functools.cache
def _sixteenth(k: int) -> int:
    return round(-math.expm1(-k / 16) * 2**32)
