"""Losses on spike times against numbers computed by hand, and what they do with silence."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lightning_neuro.errors import ConfigError
from lightning_neuro.models.spike_time_loss import LOSSES, SILENT_LOSS, LossOptions, make_time_loss

OPTIONS = {
    "softmin_width": 0.2,
    "early_weight": 0.005,
    "early_scale": 1.0,
    "time_correct": 0.9,
    "time_wrong": 1.1,
    "time_lead": 0.2,
}
INF = math.inf


def loss(name: str, times, labels, **changes) -> torch.Tensor:
    function = make_time_loss(name, LossOptions(**(OPTIONS | changes)))
    return function(torch.as_tensor(times, dtype=torch.float64), torch.as_tensor(labels))


def test_cross_entropy_is_its_formula():
    expected = math.log(1 + math.exp(-0.4 / 0.2) + math.exp(0.2 / 0.2)) + 0.005 * math.exp(1.0)
    assert float(loss("cross_entropy", [[1.0, 1.4, 0.8]], [0])) == pytest.approx(expected, rel=1e-12)
    wider = math.log(1 + math.exp(-0.4 / 0.5)) + 0.1 * math.exp(1.0 / 2)
    got = loss("cross_entropy", [[1.0, 1.4]], [0], softmin_width=0.5, early_weight=0.1, early_scale=2.0)
    assert float(got) == pytest.approx(wider, rel=1e-12)


def test_mean_square_is_its_formula():
    assert float(loss("mean_square", [[1.0, 1.4]], [0])) == pytest.approx((0.1**2 + 0.3**2) / 2)


def test_shift_invariant_is_its_formula_and_ignores_a_common_shift():
    expected = ((0.4 - 0.2) ** 2 + (-0.1 - 0.2) ** 2) / 2
    assert float(loss("shift_invariant", [[1.0, 1.4, 0.9]], [0])) == pytest.approx(expected)
    assert float(loss("shift_invariant", [[3.0, 3.4, 2.9]], [0])) == pytest.approx(expected)


def test_the_mean_is_over_the_batch():
    single = [float(loss("cross_entropy", [row], [label])) for row, label in (([1.0, 1.4], 0), ([1.0, 0.5], 0))]
    assert float(loss("cross_entropy", [[1.0, 1.4], [1.0, 0.5]], [0, 0])) == pytest.approx(sum(single) / 2)


@pytest.mark.parametrize("name", LOSSES)
def test_a_silent_label_neuron_is_a_constant_without_gradient(name):
    times = torch.tensor([[INF, 1.4], [INF, INF], [1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    value = loss(name, times, [0, 0, 0])
    alone = float(loss(name, [[1.0, 2.0]], [0]))
    assert value.item() == pytest.approx((2 * SILENT_LOSS + alone) / 3)
    (gradient,) = torch.autograd.grad(value, times)
    assert torch.isfinite(gradient).all()
    assert (gradient[:2] == 0).all() and (gradient[2] != 0).any()


@pytest.mark.parametrize("name", LOSSES)
def test_another_silent_neuron_adds_nothing(name):
    times = torch.tensor([[1.0, 1.4, INF]], dtype=torch.float64, requires_grad=True)
    value = loss(name, times, [0])
    assert value.item() == pytest.approx(float(loss(name, [[1.0, 1.4]], [0])))
    (gradient,) = torch.autograd.grad(value, times)
    assert gradient[0, 2] == 0 and torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_equal_finite_differences(name):
    times = torch.rand(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.5
    labels = torch.tensor([0, 1, 2, 0, 1])
    function = make_time_loss(name, LossOptions(**OPTIONS))
    assert torch.autograd.gradcheck(lambda t: function(t, labels), times.requires_grad_())


@pytest.mark.parametrize(
    ("name", "file"),
    [("cross_entropy", "yinyang_tau_equal_5_120_3"), ("shift_invariant", "yinyang_tau_double_4_30_3")],
)
def test_losses_of_recorded_spike_times_are_those_recorded(shared_data, name, file):
    recorded = np.load(shared_data / "spike_time" / f"{file}.npz")
    first = slice(int(recorded["grad_batch"]))
    value = loss(name, recorded["test_label_times"][first], recorded["test_labels"][first])
    assert float(value) == pytest.approx(float(recorded["grad_loss"]), rel=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        {"softmin_width": 0.0},
        {"early_weight": -1.0},
        {"early_scale": 0.0},
        {"time_correct": 0.0},
        {"time_wrong": 0.9},
        {"time_lead": -0.1},
    ],
)
def test_a_constant_out_of_range_is_named(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        LossOptions(**(OPTIONS | change))


def test_an_unknown_loss_is_named_with_the_choices():
    with pytest.raises(ConfigError, match="hinge") as caught:
        make_time_loss("hinge", LossOptions(**OPTIONS))
    assert "cross_entropy" in str(caught.value)
