"""A chip in the loop: its spikes, the model's gradients; what mismatch costs is learnt back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from lightning_neuro.data.yin_yang import yin_yang_samples
from lightning_neuro.errors import ConfigError
from lightning_neuro.models.in_the_loop import in_the_loop, lsb_weights
from lightning_neuro.models.spike_time_loss import LossOptions, make_time_loss
from lightning_neuro.models.spike_time_network import NetworkOptions, SpikeTimeNetwork
from lightning_neuro.neurons.chip_profiles import PROFILES
from lightning_neuro.neurons.spike_noise import IDEAL
from lightning_neuro.targets.brainscales.emulated_chip import EmulatedChip, loop_network
from lightning_neuro.targets.brainscales.virtual_chip import draw_chips

UNIT_US = 6.0
OPTIONS = NetworkOptions(
    tau_ratio=1.0,
    threshold=1.0,
    bias_times=[[0.9], [0.5]],
    input_repetition=5,
    weight_mean=[0.3, 0.25],
    weight_std=[0.3, 0.3],
    weight_step=1 / 78,
    weight_max=63 / 78,
    max_dw_norm=None,
    delays="none",
    delay_positivity="sigmoid",
    delay_mean=0.0,
    delay_std=0.0,
    delay_scale=1.0,
    delay_shift=0.0,
    noise=IDEAL,
    chip=None,
)
LOSS = make_time_loss(
    "cross_entropy",
    LossOptions(
        softmin_width=0.1, early_weight=0.005, early_scale=1.0, time_correct=0.9, time_wrong=1.1, time_lead=0.2
    ),
)


def network_of(*sizes: int, seed: int = 0, tau_ratio: float = 1.0) -> SpikeTimeNetwork:
    torch.manual_seed(seed)
    return SpikeTimeNetwork(sizes, dataclasses.replace(OPTIONS, tau_ratio=tau_ratio))


def chip_for(network: SpikeTimeNetwork, profile: str, seed: int = 0) -> EmulatedChip:
    own = loop_network(network, unit_us=UNIT_US, sample_us=120.0)
    return EmulatedChip(own, draw_chips(own, PROFILES[profile], chips=1, seed=seed)[0])


def yin_yang(samples: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    values, labels = yin_yang_samples(samples, seed)
    return torch.from_numpy(0.15 + 1.85 * values), torch.from_numpy(labels)


@pytest.mark.parametrize("tau_ratio", [1.0, 2.0])
def test_on_the_ideal_chip_spikes_and_gradients_are_those_of_the_model(tau_ratio: float) -> None:
    network, (times, labels) = network_of(4, 20, 3, tau_ratio=tau_ratio), yin_yang(40, 1)
    gradients, spikes = [], []
    for chip in (None, chip_for(network, "ideal")):
        in_the_loop(network, chip, unit_us=UNIT_US)
        network.zero_grad()
        spikes.append(network(times))
        LOSS(spikes[-1][-1], labels).backward()
        gradients.append([layer.weights.grad.clone() for layer in network.layers])
    for own, observed in zip(*spikes, strict=True):
        assert torch.isfinite(own).any()
        torch.testing.assert_close(own, observed, rtol=0, atol=1e-9)
    for own, observed in zip(*gradients, strict=True):
        assert own.abs().max() > 0
        close = torch.isclose(own, observed, rtol=1e-3, atol=1e-6)
        assert close.double().mean() > 0.9  # all but those of spikes at a membrane's peak, whose slope is bounded


def test_weights_go_to_the_chip_as_the_integers_that_the_model_sees() -> None:
    layer = network_of(4, 20, 3).layers[0]
    lsb = lsb_weights(layer)
    assert np.abs(lsb).max() <= 63
    np.testing.assert_allclose(lsb.T / 78, layer.effective_weights().detach().numpy(), atol=1e-12)


def accuracy(network: SpikeTimeNetwork, times: torch.Tensor, labels: torch.Tensor) -> float:
    with torch.no_grad():
        return float((network(times)[-1].argmin(1) == labels).double().mean())


def train(network: SpikeTimeNetwork, times: torch.Tensor, labels: torch.Tensor, epochs: int, lr: float) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    random = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for batch in torch.randperm(len(times), generator=random).split(100):
            optimizer.zero_grad()
            LOSS(network(times[batch])[-1], labels[batch]).backward()
            optimizer.step()
            network.rectify()


def test_fine_tuning_on_a_virtual_chip_recovers_what_its_mismatch_costs() -> None:
    network, (times, labels), test = network_of(4, 40, 3), yin_yang(1000, 2), yin_yang(500, 3)
    train(network, times, labels, epochs=30, lr=0.01)
    without = accuracy(network, *test)
    in_the_loop(network, chip_for(network, "measured-w66f3", seed=1), unit_us=UNIT_US)
    before = accuracy(network, *test)
    train(network, times, labels, epochs=6, lr=0.005)
    after = accuracy(network, *test)
    assert without > 0.8 and before < without - 0.1 and after > before + 0.6 * (without - before)


def test_weights_on_no_grid_are_refused() -> None:
    network = SpikeTimeNetwork([4, 6, 3], dataclasses.replace(OPTIONS, weight_step=None))
    with pytest.raises(ConfigError, match="on no grid"):
        in_the_loop(network, lambda weights, lines: [], unit_us=UNIT_US)
