"""Which layer is bumped, by how much, and that silent neurons wake."""

from __future__ import annotations

import math

import pytest
import torch

from lightning_neuro.errors import ConfigError
from lightning_neuro.models.weight_bumping import NONE, BumpOptions, bump, layer_to_bump
from lightning_neuro.neurons.first_spike import first_spike_times

INF = math.inf


def options(**changes) -> BumpOptions:
    values = {"value": 0.1, "exponential": True, "targeted": True, "limits": (0.4, 0.0)}
    return BumpOptions(**(values | changes))


def state() -> torch.Tensor:
    return torch.tensor([NONE, 0.0], dtype=torch.float64)


def layers(first_silent: int, second_silent: int) -> list[torch.Tensor]:
    """Times of two layers of four neurons, two samples; so many silent pairs in each, from neuron 0 on."""
    times = []
    for silent in (first_silent, second_silent):
        flat = torch.ones(8)
        flat[:silent] = INF
        times.append(flat.reshape(4, 2).T)  # pairs of neuron 0 first
    return times


@pytest.mark.parametrize(
    ("first", "second", "expected"), [(0, 0, None), (3, 0, None), (4, 0, 0), (4, 4, 0), (3, 1, 1), (8, 8, 0)]
)
def test_the_first_layer_above_its_limit_is_bumped(first, second, expected):
    assert layer_to_bump(layers(first, second), (0.4, 0.0)) == expected


def test_a_limit_of_one_never_bumps():
    assert layer_to_bump(layers(8, 8), (1.0, 1.0)) is None


def test_only_weights_of_silent_neurons_grow():
    weights = [torch.zeros(3, 4), torch.zeros(4, 4)]
    assert bump(weights, layers(0, 3), state(), options())
    assert weights[0].abs().sum() == 0
    assert weights[1].tolist() == [pytest.approx([0.1, 0.1, 0.0, 0.0])] * 4


def test_untargeted_bumps_reach_the_whole_layer():
    weights = [torch.zeros(3, 4), torch.zeros(4, 4)]
    bump(weights, layers(0, 1), state(), options(targeted=False))
    assert weights[1].tolist() == [pytest.approx([0.1] * 4)] * 4


def test_the_bump_doubles_while_one_layer_stays_silent_and_starts_again_after():
    weights, memory = [torch.zeros(3, 4), torch.zeros(4, 4)], state()
    sizes = []
    for silent in ((0, 1), (0, 1), (0, 1), (0, 0), (0, 1), (8, 0), (0, 1)):
        before = [w.clone() for w in weights]
        bump(weights, layers(*silent), memory, options())
        sizes.append(max(float((w - b).max()) for w, b in zip(weights, before, strict=True)))
    assert sizes == pytest.approx([0.1, 0.2, 0.4, 0.0, 0.1, 0.1, 0.1])


def test_without_exponential_the_bump_stays():
    weights, memory = [torch.zeros(3, 4), torch.zeros(4, 4)], state()
    for _ in range(3):
        bump(weights, layers(0, 1), memory, options(exponential=False))
    assert float(weights[1].max()) == pytest.approx(0.3)


def test_value_zero_switches_bumping_off():
    weights = [torch.zeros(3, 4), torch.zeros(4, 4)]
    assert not bump(weights, layers(8, 8), state(), options(value=0.0))
    assert weights[0].abs().sum() == 0


def test_bumping_wakes_silent_neurons():
    weights, memory = [torch.full((3, 4), 0.01)], state()
    inputs = torch.rand(20, 3, generator=torch.Generator().manual_seed(0))
    settings = options(value=5e-4, limits=(0.0,))
    bumps = 0
    times = first_spike_times(inputs, weights[0], tau_syn=1.0, tau_mem=1.0, threshold=1.0)
    while bump(weights, [times], memory, settings) and bumps < 40:
        bumps += 1
        times = first_spike_times(inputs, weights[0], tau_syn=1.0, tau_mem=1.0, threshold=1.0)
    assert 5 < bumps < 40 and torch.isfinite(times).all()


@pytest.mark.parametrize(("change", "word"), [({"value": -1.0}, "weight_bump"), ({"limits": (1.5,)}, "max_silent")])
def test_a_value_out_of_range_is_named(change, word):
    with pytest.raises(ConfigError, match=word):
        options(**change)
