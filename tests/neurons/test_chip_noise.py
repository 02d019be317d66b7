"""First-spike neurons on virtual chips: against exact potentials with each neuron's own constants."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_neuro.neurons import chip_noise
from lightning_neuro.neurons.chip_noise import CHIPS_PER_BATCH, ChipNoise
from lightning_neuro.neurons.chip_profiles import PROFILES, ChipProfile, NeuronFactors, Spread
from lightning_neuro.neurons.first_spike import spike_times

IDEAL = PROFILES["ideal"]
UNIT_US = 6.0


def solve(times: Tensor, weights: Tensor, thresholds: Tensor, stretch: Tensor | None) -> Tensor:
    return spike_times(
        times,
        weights,
        tau_syn=1.0,
        tau_mem=1.0,
        threshold=thresholds,
        delays=None,
        max_dw_norm=math.inf,
        stretch=stretch,
    )


def inputs(samples: int = 40) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    times = 2 * torch.rand(samples, 8, generator=generator, dtype=torch.float64)
    return times, torch.rand(8, 6, generator=generator, dtype=torch.float64) - 0.1


def spikes(profile: ChipProfile, samples: int = 40) -> Tensor:
    times, weights = inputs(samples)
    torch.manual_seed(0)
    noise = ChipNoise(profile=profile, unit_us=UNIT_US)
    return noise.spikes(times, weights, torch.ones(6, dtype=torch.float64), solve)


@pytest.fixture
def exact_scale(monkeypatch) -> None:
    monkeypatch.setattr(chip_noise, "SCALE_ERROR", 0.0)


@pytest.mark.usefixtures("exact_scale")
def test_an_ideal_chip_changes_nothing() -> None:
    times, weights = inputs()
    assert torch.equal(spikes(IDEAL), solve(times, weights, torch.ones(6, dtype=torch.float64), None))


@pytest.mark.usefixtures("exact_scale")
def test_latency_is_in_microseconds_of_the_chip() -> None:
    late = spikes(dataclasses.replace(IDEAL, latency_us=0.3)) - spikes(IDEAL)
    assert torch.allclose(late[torch.isfinite(late)], torch.tensor(0.05, dtype=torch.float64))


@pytest.mark.usefixtures("exact_scale")
def test_jitter_is_in_microseconds_of_the_chip_and_wakes_nobody() -> None:
    moved = spikes(dataclasses.replace(IDEAL, jitter_us=0.6), samples=2000)
    still = spikes(IDEAL, samples=2000)
    assert torch.equal(torch.isinf(moved), torch.isinf(still))
    assert float((moved - still)[torch.isfinite(still)].std()) == pytest.approx(0.1, rel=0.05)


@pytest.mark.usefixtures("exact_scale")
def test_each_part_of_a_batch_is_on_a_chip_of_its_own_and_the_layer_sees_one_threshold_per_neuron() -> None:
    times, weights = inputs(1)
    profile = dataclasses.replace(IDEAL, threshold=Spread(mean=1.0, std=0.05))
    noise = ChipNoise(profile=profile, unit_us=UNIT_US)
    found = noise.spikes(times.expand(50, -1), weights, torch.ones(6, dtype=torch.float64), solve)
    found = found[:, torch.isfinite(found).all(0)]
    assert found.shape[1] >= 3
    assert all(len(found[:, neuron].unique()) == CHIPS_PER_BATCH for neuron in range(found.shape[1]))


def test_thresholds_of_a_chip_have_an_error_in_common() -> None:
    times, weights = inputs(1)
    noise = ChipNoise(profile=IDEAL, unit_us=UNIT_US)
    found = noise.spikes(times.expand(50, -1), weights[:, :1].expand(-1, 2), torch.ones(2, dtype=torch.float64), solve)
    assert torch.equal(found[:, 0], found[:, 1]) and len(found[:, 0].unique()) == CHIPS_PER_BATCH


def exact_first_spike(
    times: np.ndarray, weights: np.ndarray, tau_mem: float, tau_syn: float, threshold: float
) -> float:
    """On a grid of 1e-4: tau_mem v' = -v + i, tau_syn i' = -i, i jumps by w."""
    grid = np.arange(0.0, 8.0, 1e-4)
    lag = np.maximum(grid[:, None] - times, 0.0)
    shape = tau_syn / (tau_mem - tau_syn) * (np.exp(-lag / tau_mem) - np.exp(-lag / tau_syn))
    above = np.flatnonzero(shape @ weights >= threshold)
    return float(grid[above[0]]) if len(above) else math.inf


@pytest.mark.usefixtures("exact_scale")
def test_time_constants_act_as_those_of_the_chips_neuron(monkeypatch) -> None:
    """Stretch and gain are right to first order: 10 % off, spikes come where they belong to 2 % of a time constant."""
    factors = NeuronFactors(
        **{name: torch.tensor(values, dtype=torch.float64) for name, values in {
            "threshold": [1.0, 1.05, 0.97, 1.0],
            "excitatory_gain": [1.0, 1.1, 0.9, 1.05],
            "inhibitory_gain": [1.0, 0.9, 1.1, 1.0],
            "tau_mem": [1.1, 0.9, 1.08, 0.95],
            "tau_syn": [0.9, 1.05, 1.1, 0.92],
        }.items()}
    )  # fmt: skip
    monkeypatch.setattr(ChipProfile, "draw", lambda self, shape, generator: factors)
    times, weights = inputs(20)
    weights = weights[:, :4].clone()
    weights[0] = -0.3
    noise = ChipNoise(profile=dataclasses.replace(IDEAL, tau_mem=Spread(mean=1.0, std=0.1)), unit_us=UNIT_US)
    found = noise.spikes(times, weights, torch.ones(4, dtype=torch.float64), solve)
    gains = torch.where(weights > 0, factors.excitatory_gain, factors.inhibitory_gain)
    for sample in range(20):
        for neuron in range(4):
            expected = exact_first_spike(
                times[sample].numpy(),
                (weights * gains)[:, neuron].numpy(),
                float(factors.tau_mem[neuron]),
                float(factors.tau_syn[neuron]),
                float(factors.threshold[neuron]),
            )
            assert float(found[sample, neuron]) == pytest.approx(expected, abs=0.02)


def test_weights_learn_through_gains_and_stretched_time() -> None:
    times, weights = inputs()
    weights.requires_grad_()
    noise = ChipNoise(profile=PROFILES["measured-w66f3"], unit_us=UNIT_US)
    found = noise.spikes(times, weights, torch.ones(6, dtype=torch.float64), solve)
    found[torch.isfinite(found)].sum().backward()
    assert weights.grad is not None and bool((weights.grad < 0).any(0).all())
