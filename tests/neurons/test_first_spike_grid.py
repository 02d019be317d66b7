"""The first crossing, found again by looking at the membrane on a fine grid of times."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lightning_neuro.neurons import first_spike_times

GRID = 4001
RATIOS = [1.0, 2.0, 1.5, 0.7, 0.5, 1.0001, 30.0]


def membrane(at: Tensor, times: Tensor, weights: Tensor, tau_mem: float) -> Tensor:
    """v [batch, n_out, time] by the definition, tau_syn = 1; ``at`` [time] or [batch, n_out, time]."""
    lag = at.unsqueeze(-2) - times[:, None, :, None]  # [batch, n_out | 1, n_in, time]
    lag = lag.where(lag > 0, 0)
    if tau_mem == 1.0:
        response = lag * torch.exp(-lag)
    else:
        response = tau_mem / (tau_mem - 1) * (torch.exp(-lag / tau_mem) - torch.exp(-lag))
    return (weights.T[None, :, :, None] * response).sum(2)


def random_network(seed: int, n_in: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    times = 3 * torch.rand(8, n_in, generator=generator, dtype=torch.float64)
    times[:, 1] = times[:, 0]  # ties
    times[torch.rand(8, n_in, generator=generator) < 0.2] = torch.inf
    weights = 3 * torch.randn(n_in, 6, generator=generator, dtype=torch.float64) / n_in**0.5 + 1 / n_in
    weights[2] = 0
    return times, weights


@pytest.mark.parametrize("n_in", [3, 12, 40])
@pytest.mark.parametrize("tau_mem", RATIOS)
def test_membrane_is_at_threshold_at_the_spike_and_below_before(tau_mem: float, n_in: int) -> None:
    threshold = 0.4 if tau_mem < 10 else 0.6
    times, weights = random_network(int(100 * tau_mem) + n_in, n_in)
    spikes = first_spike_times(times, weights, tau_syn=1.0, tau_mem=tau_mem, threshold=threshold)
    grid = torch.linspace(0, 12, GRID, dtype=torch.float64)
    spiking = torch.isfinite(spikes)
    assert spiking.any() and not spiking.all()

    at_spike = membrane(spikes.where(spiking, 0)[..., None], times, weights, tau_mem)[..., 0]
    torch.testing.assert_close(at_spike[spiking], torch.full_like(at_spike[spiking], threshold), rtol=0, atol=1e-9)
    on_grid = membrane(grid, times, weights, tau_mem)
    before = grid < spikes[..., None]
    assert (on_grid[before] < threshold + 1e-9).all()

    above = on_grid >= threshold + 1e-9
    first_above = grid[above.to(torch.uint8).argmax(2)].where(above.any(2), torch.inf)
    assert (spikes <= first_above).all()
    after = membrane((spikes.where(spiking, 0) + 1e-6)[..., None], times, weights, tau_mem)[..., 0]
    assert (after[spiking] > threshold - 1e-12).all()  # upwards


def test_a_neuron_that_inhibition_pulls_down_spikes_at_the_first_of_two_crossings() -> None:
    times = torch.tensor([[0.0, 1.0, 3.0]], dtype=torch.float64)
    weights = torch.tensor([[4.0], [-8.0], [20.0]], dtype=torch.float64)
    spike = first_spike_times(times, weights, tau_syn=1.0, tau_mem=1.0, threshold=1.0)
    grid = torch.linspace(0, 6, 60001, dtype=torch.float64)
    above = membrane(grid, times, weights, 1.0)[0, 0] >= 1
    assert above.diff().sum() == 4 - 1  # up, down, up again (and down)
    assert spike.item() == pytest.approx(grid[above.to(torch.uint8).argmax()].item(), abs=1e-4)


def test_a_peak_between_two_inputs_that_the_second_would_have_prevented() -> None:
    times = torch.tensor([[0.0, 1.2]], dtype=torch.float64)
    weights = torch.tensor([[2.8], [-50.0]], dtype=torch.float64)
    spike = first_spike_times(times, weights, tau_syn=1.0, tau_mem=1.0, threshold=1.0)
    assert 0 < spike.item() < 1.0
    alone = first_spike_times(times[:, :1], weights[:1], tau_syn=1.0, tau_mem=1.0, threshold=1.0)
    assert torch.equal(spike, alone)
