"""Time constants that SpiNNaker's arithmetic turns into the wanted decays. Numpy only, as ``network.py`` needs it.

The machine is given tau and computes exp(-dt/tau) itself: dt/tau is cut off after 15 binary digits, and the decay of
a membrane once more. tau = -dt/ln A is therefore not the best tau, and what the machine makes of it, not A, belongs
into the capacitance. Read from the instructions of ``IF_curr_exp.aplx`` of sPyNNaker 7.4.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# -- What SpiNNaker makes of a time constant ---------------------------------------------------------------------

DIGITS = 15  # binary digits of the machine's numbers; decays of synapses have 32
ONE = 1 << DIGITS


def machine_exp(x: NDArray[Any]) -> NDArray[np.uint64]:
    """Return exp(-x / 2**15) * 2**32 as the machine computes it, x not negative: powers, sixteenths, a polynomial."""
    whole, rest = np.divmod(np.asarray(x, np.int64), ONE)
    power, below = -whole, np.asarray(rest, np.uint64)
    value = np.rint(np.exp(power) * 2.0**32).astype(np.uint64)
    sixteenth = np.rint(-np.expm1(-(below >> np.uint64(11)).astype(float) / 16) * 2.0**32).astype(np.uint64)
    y = (below & np.uint64(0x7FF)) << np.uint64(17)
    high = np.uint64(32)
    series = np.uint64(5294) + ((np.uint64(4293434720) - (np.uint64(2081624032) * y >> high)) * y >> high)
    for fraction in (sixteenth, series):  # a product's lower half is rounded, almost half up
        low = (value & np.uint64(0xFFFFFFFF)) * fraction
        carry = (low & np.uint64(0xFFFFFFFF)) >= np.uint64(0x7FFFFFFF)
        product = (value >> high) * fraction + (low >> high) + carry
        value = value - np.where(below > 0, product, np.uint64(0))
    return np.where(np.asarray(x) > 340695, np.uint64(0), value)


def machine_tau(decay: NDArray[Any], step_ms: float, membrane: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return tau in ms, and the decay that the machine computes from it, as close to the wanted decay as it gets.

    Args:
        decay: wanted, from 0 to 1, [n].
        step_ms: step in ms.
        membrane: cut the decay off after 15 digits.
    """
    step = np.rint(step_ms * ONE)
    wanted = np.rint(-np.log(np.clip(decay, 1e-9, 1.0)) * ONE)  # dt/tau
    tried = np.maximum(wanted[:, None] + np.arange(-2, 3), 1)
    tau = np.minimum(np.rint(step * ONE / (tried + 0.5)), 2.0**31 - 1)
    tau = np.where(decay[:, None] <= 0, np.rint(step / 16), tau)  # exp(-16) is 0 on the machine
    found = machine_exp(np.floor(step * ONE / tau)) >> np.uint64(32 - DIGITS if membrane else 0)
    made = found / 2.0 ** (DIGITS if membrane else 32)
    best = np.argmin(np.abs(made - decay[:, None]), axis=1)[:, None]
    return np.take_along_axis(tau, best, axis=1)[:, 0] / ONE, np.take_along_axis(made, best, axis=1)[:, 0]


def machine_capacitance(
    tau_m: NDArray[Any],
    decay_mem: NDArray[Any],
    tau_syn: NDArray[Any] | None,
    decay_syn: NDArray[Any] | None,
    step_ms: float,
) -> NDArray[Any]:
    """Return cm in nF with which a spike of weight 1 moves the membrane by 1: ``v <- A v + (1 - A) (tau_m / cm) i``.

    A spike of weight w adds ``w tau_syn (1 - B) / step`` to i, ``w / step`` in a delta cell.
    """
    step = np.rint(step_ms * ONE) / ONE
    if tau_syn is None or decay_syn is None:
        return tau_m * (1 - decay_mem) / step
    return tau_m * (1 - decay_mem) * tau_syn * (1 - decay_syn) / step
