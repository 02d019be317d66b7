"""The layer, its two kernels and a plain per-step loop under autograd agree: spikes, membranes, gradients."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons import LIF, SURROGATES, make_surrogate, recurrence, recurrence_numba
from lightning_neuro.neurons.sequence import LIFSequence

STEPS, BATCH, SIZE = 9, 5, 7
MODES = [("zero", 0), ("zero", 1), ("subtract", 0), ("subtract", 1), ("none", 0), ("none", 1)]
ALPHAS = [False, True]


def constants(dtype: torch.dtype, current_based: bool) -> tuple[Tensor, Tensor | None, Tensor]:
    beta = torch.linspace(0.4, 0.95, SIZE, dtype=dtype)
    alpha = torch.linspace(0.9, 0.2, SIZE, dtype=dtype) if current_based else None
    return beta, alpha, torch.linspace(0.5, 1.2, SIZE, dtype=dtype)


def random_drive(dtype: torch.dtype) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(STEPS, BATCH, SIZE, generator=generator, dtype=dtype) + 0.2


def step_loop(drive, beta, alpha, threshold, surrogate, reset, delay):
    """The five lines, one step at a time, differentiated by autograd; the reset detached."""
    current = membrane = spike = torch.zeros_like(drive[0])
    spikes, visible = [], []
    for x in drive:
        if delay == 1 and reset == "zero":
            membrane = membrane * (1 - spike.detach())
        current = x if alpha is None else alpha * current + x
        membrane = beta * membrane + current
        if delay == 1 and reset == "subtract":
            membrane = membrane - threshold * spike.detach()
        spike = surrogate(membrane - threshold)
        if delay == 0 and reset == "zero":
            membrane = membrane * (1 - spike.detach())
        if delay == 0 and reset == "subtract":
            membrane = membrane - threshold * spike.detach()
        spikes.append(spike)
        visible.append(membrane)
    return torch.stack(spikes), torch.stack(visible)


def gradients(run, dtype: torch.dtype, current_based: bool) -> list[Any]:
    leaves = [random_drive(dtype), *(c for c in constants(dtype, current_based) if c is not None)]
    leaves = [leaf.requires_grad_() for leaf in leaves]
    drive, beta, *alpha, threshold = leaves
    spikes, visible = run(drive, beta, alpha[0] if alpha else None, threshold)
    weight = torch.linspace(-1, 1, spikes.numel(), dtype=dtype).view_as(spikes)
    ((spikes * weight).sum() + (visible * weight.cos()).sum()).backward()
    return [spikes.detach(), visible.detach(), *(leaf.grad for leaf in leaves)]


@pytest.mark.parametrize("current_based", ALPHAS)
@pytest.mark.parametrize(("reset", "delay"), MODES)
def test_gradients_equal_autograd_through_a_step_loop(reset, delay, current_based):
    surrogate = make_surrogate("fast_sigmoid", 2.0)

    def whole(*leaves):
        return LIFSequence.apply(*leaves, surrogate, reset, delay, recurrence)

    def loop(drive, beta, alpha, threshold):
        return step_loop(drive, beta, alpha, threshold, surrogate, reset, delay)

    got = gradients(whole, torch.float64, current_based)
    want = gradients(loop, torch.float64, current_based)
    assert got[0].sum() > 20
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g, w, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("current_based", ALPHAS)
@pytest.mark.parametrize(("reset", "delay"), MODES)
def test_compiled_twin_is_bitwise_equal_forward_and_close_backward(reset, delay, current_based):
    surrogate = make_surrogate("atan", 2.0)
    results = []
    for kernel in (recurrence, recurrence_numba):

        def whole(*leaves, kernel=kernel):
            return LIFSequence.apply(*leaves, surrogate, reset, delay, kernel)

        results.append(gradients(whole, torch.float32, current_based))
    for index, (plain, compiled) in enumerate(zip(*results, strict=True)):
        if index < 2:
            assert torch.equal(plain, compiled)
        torch.testing.assert_close(plain, compiled, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SURROGATES)
def test_surrogate_fires_strictly_above_and_backpropagates_its_derivative(name):
    surrogate = make_surrogate(name, 3.0)
    distance = torch.tensor([-0.1, 0.0, 0.1], requires_grad=True)
    spikes = surrogate(distance)
    spikes.sum().backward()
    assert spikes.tolist() == [0, 0, 1]
    assert distance.grad is not None and torch.equal(distance.grad, surrogate.derivative(distance.detach()))
    assert pickle.loads(pickle.dumps(surrogate)).slope == 3.0


@pytest.mark.parametrize("name", ["atan", "sigmoid", "triangle", "boxcar", "gaussian"])
def test_normalised_surrogates_have_area_one(name):
    x = torch.linspace(-200, 200, 400_001, dtype=torch.float64)
    area = torch.trapezoid(make_surrogate(name, 4.0).derivative(x), x)
    assert abs(float(area) - 1) < 2e-3


def layer(**changes) -> LIF:
    options = {
        "beta": 0.875,
        "alpha": None,
        "threshold": 1.0,
        "reset": "zero",
        "reset_delay": 0,
        "learn_beta": False,
        "learn_alpha": False,
        "learn_threshold": False,
        "beta_constraint": "none",
        "surrogate": make_surrogate("fast_sigmoid", 5.0),
    }
    return LIF(SIZE, **(options | changes))


def test_state_is_created_per_call_and_ragged_batches_are_fine():
    lif, drive = layer(), random_drive(torch.float32)
    whole, _ = lif(drive)
    again, _ = lif(drive)
    ragged, _ = lif(drive[:, :2])
    assert torch.equal(whole, again)
    assert torch.equal(whole[:, :2], ragged)


def test_layer_is_picklable_and_deep_copyable_after_a_training_forward():
    lif, drive = layer(learn_beta=True, alpha=0.5, learn_alpha=True), random_drive(torch.float32)
    lif(drive)[0].sum().backward()
    for twin in (copy.deepcopy(lif), pickle.loads(pickle.dumps(lif))):
        assert torch.equal(twin(drive)[0], lif(drive)[0])


def test_half_precision_and_autocast_are_computed_in_float32():
    lif, drive = layer(), random_drive(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        spikes, membrane = lif(drive)
    assert spikes.dtype == membrane.dtype == torch.float32
    assert torch.equal(spikes, lif(drive)[0])
    assert torch.equal(lif(drive.bfloat16())[0], lif(drive.bfloat16().float())[0])


def test_constants_are_per_neuron_in_the_state_dict_even_when_given_as_numbers():
    state = layer(alpha=0.5).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == {
        "beta": (SIZE,),
        "threshold": (SIZE,),
        "alpha": (SIZE,),
    }
    assert set(layer().state_dict()) == {"beta", "threshold"}


def test_shift_constraint_rounds_beta_and_passes_its_gradient():
    lif = layer(beta=0.9, learn_beta=True, beta_constraint="shift")
    assert torch.equal(lif.constants().beta, torch.full((SIZE,), 0.875))
    spikes, membrane = lif(random_drive(torch.float32))
    membrane.sum().backward()
    assert lif.beta.grad is not None and lif.beta.grad.abs().min() > 0
    assert torch.equal(spikes, layer(beta=0.875)(random_drive(torch.float32))[0])


def test_learned_constants_stay_in_range():
    lif = layer(learn_beta=True, learn_threshold=True)
    with torch.no_grad():
        lif.beta.fill_(1.5)
        lif.threshold.fill_(-1)
    assert lif.constants().beta.max() == 1
    assert lif.constants().threshold.min() > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"beta": 1.5},
        {"alpha": -0.1},
        {"threshold": 0.0},
        {"beta": torch.ones(3)},
        {"reset": "soft"},
        {"reset_delay": 2},
        {"beta_constraint": "cubic"},
        {"beta": float("nan")},
    ],
)
def test_constants_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError) as caught:
        layer(**wrong)
    assert next(iter(wrong)) in str(caught.value)


@pytest.mark.parametrize("kernel", [recurrence, recurrence_numba])
def test_a_membrane_at_the_threshold_does_not_fire(kernel):
    drive = torch.tensor([0.5, 1.0, 1.0 + 2.0**-23]).view(1, 1, 3)
    constants_of_three = (torch.full((3,), 0.5), None, torch.ones(3))
    trace = kernel.integrate(drive, *constants_of_three, "zero", 0)
    assert trace.spikes.flatten().tolist() == [0, 0, 1]
    assert trace.visible.flatten().tolist() == [0.5, 1.0, 0.0]


@pytest.mark.parametrize("kernel", [recurrence, recurrence_numba])
@pytest.mark.parametrize(
    ("reset", "delay", "spikes", "visible"),
    [
        ("zero", 0, [0, 1, 0, 1], [0.75, 0.0, 0.75, 0.0]),
        ("zero", 1, [0, 1, 0, 1], [0.75, 1.125, 0.75, 1.125]),
        ("subtract", 0, [0, 1, 0, 1], [0.75, 0.125, 0.8125, 0.15625]),
        ("subtract", 1, [0, 1, 0, 0], [0.75, 1.125, 0.3125, 0.90625]),
        ("none", 0, [0, 1, 1, 1], [0.75, 1.125, 1.3125, 1.40625]),
    ],
)
def test_four_steps_by_hand(kernel, reset, delay, spikes, visible):
    drive = torch.full((4, 1, 1), 0.75)
    trace = kernel.integrate(drive, torch.tensor([0.5]), None, torch.tensor([1.0]), reset, delay)
    assert trace.spikes.flatten().tolist() == spikes
    assert trace.visible.flatten().tolist() == visible
