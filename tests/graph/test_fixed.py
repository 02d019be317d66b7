from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_neuro.errors import GraphError
from lightning_neuro.graph.fixed import Format, leak, leak_constants, round_half_even, saturate, to_raw


def test_rounding_equals_torch_round() -> None:
    values = np.arange(-50, 50) / 4
    assert (round_half_even(values) == torch.round(torch.from_numpy(values)).long().numpy()).all()


def test_saturation_keeps_the_twos_complement_range() -> None:
    assert saturate(np.array([-9, -8, 7, 8]), Format(bits=4, lsb=1.0)).tolist() == [-8, -8, 7, 7]


def test_to_raw_saturates_values_far_outside() -> None:
    assert to_raw([1e300, -1e300], Format(bits=8, lsb=1e-3)).tolist() == [127, -128]


def test_leak_is_floor_also_below_zero() -> None:
    raw = np.arange(-40, 40)
    assert (leak(raw, 3, 4) == np.floor(raw * 3 / 16)).all()


@pytest.mark.parametrize("k", range(9))
def test_a_power_of_two_leak_is_a_shift_alone(k: int) -> None:
    multiplier, shift = leak_constants([1 - 2.0**-k] * 3, 8)
    assert multiplier.tolist() == [1, 1, 1] and shift == k


def test_beta_one_has_no_leak() -> None:
    multiplier, _ = leak_constants([1.0], 8)
    assert multiplier.tolist() == [0]


def test_neurons_share_the_smallest_shift_that_holds_all() -> None:
    multiplier, shift = leak_constants([0.5, 0.875], 8)
    assert (multiplier.tolist(), shift) == ([4, 1], 3)


@pytest.mark.parametrize(("bits", "lsb"), [(0, 1.0), (63, 1.0), (8, 0.0), (8, float("nan"))])
def test_impossible_formats_are_refused(bits: int, lsb: float) -> None:
    with pytest.raises(GraphError, match="number format"):
        Format(bits=bits, lsb=lsb)
