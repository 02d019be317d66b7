"""Time constants for the machine: what it makes of them is what was wanted, as closely as 15 digits allow."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_neuro.targets.spinnaker.accum import ACCUM_ONE, membrane_constants, synapse_constants
from lightning_neuro.targets.spinnaker.machine_constants import machine_capacitance, machine_exp, machine_tau

DECAYS = np.concatenate([np.linspace(0.01, 0.999, 400), 1 - 2.0 ** -np.arange(1, 15)])


def test_exp_is_close_to_the_true_one() -> None:
    x = np.arange(0, 200_000, 7)
    np.testing.assert_allclose(machine_exp(x) / 2.0**32, np.exp(-x / ACCUM_ONE), rtol=2e-6)


@pytest.mark.parametrize("step_ms", [1.0, 0.1, 0.5, 5.0])
def test_what_is_promised_is_what_the_machine_computes(step_ms: float) -> None:
    tau_m, decay_mem = machine_tau(DECAYS, step_ms, membrane=True)
    tau_syn, decay_syn = machine_tau(DECAYS, step_ms, membrane=False)
    cm = machine_capacitance(tau_m, decay_mem, tau_syn, decay_syn, step_ms)
    resistance, decay = membrane_constants(tau_m, cm, step_ms)
    syn_decay, gain = synapse_constants(tau_syn, step_ms)
    np.testing.assert_array_equal(decay / ACCUM_ONE, decay_mem)
    np.testing.assert_array_equal(syn_decay / 2.0**32, decay_syn)
    push = (1 - decay_mem) * (resistance / ACCUM_ONE) * (gain / 2.0**32)
    usual = (DECAYS > 0.1) & (DECAYS < 0.99) if step_ms >= 0.5 else (DECAYS > 0.6) & (DECAYS < 0.99)
    np.testing.assert_allclose(push[usual], 1.0, atol=3e-4)


def test_decays_are_closer_than_with_the_textbook_tau() -> None:
    wanted = DECAYS[DECAYS > 0.5]
    _, theirs = membrane_constants(-1 / np.log(wanted), np.ones_like(wanted), 1.0)
    _, ours = machine_tau(wanted, 1.0, membrane=True)
    off, best = np.abs(theirs / ACCUM_ONE - wanted), np.abs(ours - wanted)
    assert (best <= off + 1e-12).all() and best.mean() < off.mean() / 1.3
    assert best.max() <= 1.0 / ACCUM_ONE


def test_neurons_without_leak_keep_almost_everything_and_still_integrate() -> None:
    tau, decay = machine_tau(np.array([1.0]), 1.0, membrane=True)
    cm = machine_capacitance(tau, decay, None, None, 1.0)
    resistance, raw = membrane_constants(tau, cm, 1.0)
    assert ACCUM_ONE - 3 <= raw[0] < ACCUM_ONE
    assert (1 - raw[0] / ACCUM_ONE) * resistance[0] / ACCUM_ONE == pytest.approx(1.0, abs=1e-4)
    # with tau so long that dt/tau is 0 in 15 digits, nothing would ever be integrated
    assert membrane_constants(np.array([6e4]), np.array([1.0]), 1.0)[1][0] == ACCUM_ONE


def test_a_decay_of_zero_keeps_nothing() -> None:
    for membrane in (True, False):
        tau, decay = machine_tau(np.array([0.0]), 1.0, membrane)
        assert decay[0] == 0.0 and tau[0] == 1 / 16
    assert synapse_constants(np.array([1 / 16]), 1.0)[0][0] == 0
