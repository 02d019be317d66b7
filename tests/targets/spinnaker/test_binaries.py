"""Our arithmetic against what the programs that sPyNNaker ships compute, bit by bit (``record_binaries.py``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_neuro.targets.spinnaker.emulator_kernels import advance_cells
from lightning_neuro.targets.spinnaker.machine_constants import machine_exp

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("binaries.json").read_text())


def run_case(case: dict[str, Any], **changes: Any) -> np.ndarray:
    """Spike, membrane and both synaptic inputs of every step, [step, 4], as recorded."""
    case = {**case, **changes}
    state = [np.zeros((1, 1), np.int64) for _ in range(4)]
    rows = []
    for counts in zip(case["exc"], case["inh"], strict=True):
        exc, inh = (np.full((1, 1, 1), c, np.uint16) for c in counts)
        spikes, membrane = np.zeros((1, 1, 1), np.uint8), np.zeros((1, 1, 1), np.int64)
        names = ("syn_decay", "syn_gain", "resistance", "mem_decay", "offset", "threshold", "v_reset")
        constants = (np.array([case[name]], np.int64) for name in names)
        delta, scale = case["delta"], case["input_scale"]
        advance_cells(exc, inh, *case["shifts"], delta, scale, *constants, case["refractory"], *state, spikes, membrane)
        rows.append([int(spikes[0, 0, 0]), int(membrane[0, 0, 0]), int(state[1][0, 0]), int(state[2][0, 0])])
    return np.array(rows)


def test_exp_is_the_machines_to_the_last_bit() -> None:
    x, accum, fraction = np.array(RECORDED["exp"], np.int64).T
    found = machine_exp(x)
    np.testing.assert_array_equal(found >> np.uint64(17), accum)
    np.testing.assert_array_equal(found & np.uint64(0xFFFFFFFF), fraction)


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda c: f"{'delta' if c['delta'] else 'exp'}")
def test_every_step_of_a_neuron_is_the_machines(case: dict[str, Any]) -> None:
    np.testing.assert_array_equal(run_case(case), case["steps"])


def test_the_recorded_cases_cover_spikes_refractory_periods_and_overflow() -> None:
    cases = RECORDED["cases"]
    assert sum(step[0] for case in cases for step in case["steps"]) > 100
    assert any(case["refractory"] and any(step[0] for step in case["steps"]) for case in cases)
    assert any(case["delta"] for case in cases) and any(not case["delta"] for case in cases)


@pytest.mark.parametrize("name", ["resistance", "mem_decay", "syn_decay", "syn_gain", "threshold", "v_reset"])
def test_a_slightly_other_constant_would_be_seen(name: str) -> None:
    changes = ((case, {name: case[name] + max(1, abs(case[name]) >> 4)}) for case in RECORDED["cases"])
    assert any((run_case(case, **change) != np.array(case["steps"])).any() for case, change in changes)
