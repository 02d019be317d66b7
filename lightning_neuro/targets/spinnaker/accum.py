"""SpiNNaker's number formats: signed 16.15 and unsigned 0.32, with the divisions and exponentials of its cores.

Raw integers stand for ``raw / 2**15`` (state, parameters) and ``raw / 2**32`` (synaptic decay). The cores have no
floating point: constants such as exp(-dt/tau) are computed on the chip from parameters that the host rounded, and
every product is cut off, not rounded. All of it was read from the instructions of the binaries that sPyNNaker 7.4.1
ships (``IF_curr_exp.aplx``, ``IF_curr_delta.aplx``); its public C sources are older and round some products.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightning_neuro.targets.spinnaker.machine_constants import machine_exp

ACCUM_BITS = 15
ACCUM_ONE = 1 << ACCUM_BITS
ACCUM_LOW, ACCUM_HIGH = -(1 << 31), (1 << 31) - 1
ACCUM_RESOLUTION = 2.0**-ACCUM_BITS
ACCUM_MAX = 65536.0
"""Magnitudes from here on do not fit signed 16.15."""
FRACTION_MAX = (1 << 32) - 1
"""Largest unsigned 0.32 number, which also stands for 1."""


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


def divide(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """Quotient of two positive 16.15 numbers, cut off."""
    return (a << ACCUM_BITS) // b


def membrane_constants(
    tau_m_ms: NDArray[np.float64], cm_nf: NDArray[np.float64], dt_ms: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Resistance and decay per step of membranes as the chip computes them, both in 16.15.

    Args:
        tau_m_ms: membrane time constants in ms.
        cm_nf: capacitances in nF.
        dt_ms: step in ms.

    Returns:
        tau_m/cm in MOhm and exp(-dt/tau_m), raw.
    """
    tau = to_accum(tau_m_ms)
    decay = machine_exp(divide(to_accum(dt_ms), tau)) >> np.uint64(32 - ACCUM_BITS)
    return divide(tau, to_accum(cm_nf)), decay.astype(np.int64)


def synapse_constants(tau_syn_ms: NDArray[np.float64], dt_ms: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Decay per step of synaptic currents, and the factor that their input is multiplied by, in unsigned 0.32.

    Args:
        tau_syn_ms: synaptic time constants in ms.
        dt_ms: step in ms.

    Returns:
        exp(-dt/tau), whose 1 does not fit and becomes 0, and (tau/dt) (1 - exp(-dt/tau)), raw.
    """
    tau, step = to_accum(tau_syn_ms), to_accum(dt_ms)
    decay = (machine_exp(divide(step, tau)) & np.uint64(FRACTION_MAX)).astype(np.int64)
    gain = divide(tau, step).astype(np.uint64) * (FRACTION_MAX - decay).astype(np.uint64) >> np.uint64(ACCUM_BITS)
    return decay, (gain & np.uint64(FRACTION_MAX)).astype(np.int64)


def refractory_steps(tau_refrac_ms: float, dt_ms: float) -> int:
    """Whole steps of a refractory period, rounded up."""
    return int(-(-divide(to_accum(tau_refrac_ms), to_accum(dt_ms)) // ACCUM_ONE))
