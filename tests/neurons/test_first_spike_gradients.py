"""Analytic gradients against finite differences, the veto, and what silent neurons get."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from lightning_neuro.neurons import first_spike_numba, first_spike_times, first_spike_torch
from lightning_neuro.neurons.first_spike import spike_times

KERNELS = pytest.mark.parametrize("kernel", [first_spike_torch, first_spike_numba])
N_IN, N_OUT = 6, 5


def network() -> tuple[Tensor, Tensor]:
    """Times that are all different and far from their neighbours, so that a step of 1e-6 changes no causal set."""
    generator = torch.Generator().manual_seed(7)
    times = 2 * torch.rand(4, N_IN, generator=generator, dtype=torch.float64)
    weights = 1.5 * torch.randn(N_IN, N_OUT, generator=generator, dtype=torch.float64) + 0.8
    return times, weights


@KERNELS
@pytest.mark.parametrize("kind", [None, (N_IN, 1), (1, N_OUT), (N_IN, N_OUT)])
@pytest.mark.parametrize("ratio", [1.0, 2.0, 1.5, 0.7, 0.5, 1.001])
def test_gradients_of_weights_times_and_delays_are_those_of_finite_differences(
    ratio: float, kind: tuple[int, int] | None, kernel
) -> None:
    tau_syn = 0.3
    times, weights = network()
    delays = None if kind is None else torch.rand(kind, generator=torch.Generator().manual_seed(8)).double() * tau_syn
    spiking = None

    def finite_spikes(times: Tensor, weights: Tensor, delays: Tensor | None = None) -> Tensor:
        nonlocal spiking
        spikes = spike_times(
            times,
            weights,
            tau_syn=tau_syn,
            tau_mem=ratio * tau_syn,
            threshold=0.9,
            delays=delays,
            max_dw_norm=math.inf,
            kernel=kernel,
        )
        spiking = torch.isfinite(spikes) if spiking is None else spiking
        return spikes.where(spiking, 0)

    inputs = [t.requires_grad_() for t in (times * tau_syn, weights, delays) if t is not None]
    assert gradcheck(finite_spikes, inputs, eps=1e-7, atol=1e-5, rtol=1e-4)
    assert spiking is not None and spiking.any() and not spiking.all()


@KERNELS
@pytest.mark.parametrize("ratio", [1.0, 2.0, 1.5])
def test_gradients_use_the_thresholds_that_the_noise_left(ratio: float, kernel) -> None:
    times, weights = network()
    thresholds = 0.5 + torch.rand(4, N_OUT, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    arguments = {"tau_syn": 1.0, "tau_mem": ratio, "delays": None, "max_dw_norm": math.inf, "kernel": kernel}

    def finite_spikes(times: Tensor, weights: Tensor) -> Tensor:
        spikes = spike_times(times, weights, threshold=thresholds, **arguments)
        return spikes.where(torch.isfinite(spikes), 0)

    assert gradcheck(finite_spikes, (times.requires_grad_(), weights.requires_grad_()), eps=1e-7, atol=1e-5, rtol=1e-4)


@KERNELS
@pytest.mark.parametrize("synaptic", [False, True])
def test_the_veto_drops_weight_gradients_of_a_sample_and_neuron_and_keeps_those_of_times(
    synaptic: bool, kernel
) -> None:
    times, weights = network()
    delays = torch.zeros(N_IN, N_OUT).double() if synaptic else None

    def gradients(max_dw_norm: float) -> tuple[Tensor, Tensor]:
        """Weight gradients of each sample alone, [batch, n_in, n_out], and time gradients."""
        samples, inputs = [], times.clone().requires_grad_()
        for b in range(len(times)):
            w = weights.clone().requires_grad_()
            spikes = spike_times(
                inputs[b : b + 1],
                w,
                tau_syn=1.0,
                tau_mem=1.0,
                threshold=0.9,
                delays=delays,
                max_dw_norm=max_dw_norm,
                kernel=kernel,
            )
            spikes[torch.isfinite(spikes)].sum().backward()
            samples.append(w.grad)
        return torch.stack(samples), inputs.grad

    free, free_times = gradients(math.inf)
    largest = free.abs().amax(1)
    limit = largest[largest > 0].median().item()
    vetoed, vetoed_times = gradients(limit * (1 + 1e-9))
    keep = (largest <= limit * (1 + 1e-9))[:, None]
    assert keep.any() and not keep.all()
    torch.testing.assert_close(vetoed, free.where(keep, 0), rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(vetoed_times, free_times, rtol=1e-12, atol=1e-15)


def test_times_of_a_spiking_neuron_move_together_with_all_its_inputs() -> None:
    times, weights = network()
    times.requires_grad_()
    for tau_mem in (1.0, 2.0, 1.5, 0.7):
        spikes = first_spike_times(times, weights, tau_syn=1.0, tau_mem=tau_mem, threshold=0.9)
        spiking = torch.isfinite(spikes)
        (gradient,) = torch.autograd.grad(spikes[spiking].sum(), times)
        torch.testing.assert_close(gradient.sum(1), spiking.sum(1).double(), rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", [(N_IN, 1), (1, N_OUT), (N_IN, N_OUT)])
def test_silent_neurons_give_no_gradient_whatever_comes_from_the_loss(kind: tuple[int, int]) -> None:
    times, weights = network()
    weights[:, 2] = -1
    delays = torch.zeros(kind, dtype=torch.float64, requires_grad=True)
    inputs = times.requires_grad_(), weights.requires_grad_(), delays
    spikes = first_spike_times(times, weights, tau_syn=1.0, tau_mem=1.0, threshold=0.9, delays=delays)
    assert torch.isinf(spikes[:, 2]).all()
    upstream = torch.zeros_like(spikes)
    for poison in (1.0, math.inf, math.nan):
        upstream[:, 2] = poison
        for gradient in torch.autograd.grad(spikes, inputs, upstream, retain_graph=True):
            assert (gradient == 0).all()


def test_inputs_after_the_spike_have_no_gradient() -> None:
    times = torch.tensor([[0.0, 1e-9, 5.0]], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([[3.0], [3.0], [3.0]], dtype=torch.float64, requires_grad=True)
    spike = first_spike_times(times, weights, tau_syn=1.0, tau_mem=1.0, threshold=1.0)
    assert spike.item() < 5
    grad_times, grad_weights = torch.autograd.grad(spike.sum(), (times, weights))
    assert (grad_times[0, :2] != 0).all() and grad_times[0, 2] == 0
    assert (grad_weights[:2] < 0).all() and grad_weights[2] == 0
