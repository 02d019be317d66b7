"""The compiled kernel and the torch one are the same function, for whatever comes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lightning_neuro.neurons import first_spike_numba, first_spike_torch
from lightning_neuro.neurons.first_spike import kernel_for

RATIOS = [1.0, 0.5, 2.0, 1 / 1.5, 1 / 0.7, 0.999, 0.01, 20.0]


@st.composite
def problems(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor, float]:
    """Networks with ties, silent inputs, zero weights, spans beyond the range of exp, with and without delays."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    batch, n_in, n_out = draw(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 40)))
    span = draw(st.sampled_from([0.0, 1e-9, 3.0, 60.0, 5000.0]))
    times = span * torch.rand(batch, n_in, generator=generator, dtype=torch.float64)
    if draw(st.booleans()):
        times = (4 * times).round() / 4
    times[torch.rand(times.shape, generator=generator) < draw(st.sampled_from([0.0, 0.3, 1.0]))] = math.inf
    scale = draw(st.sampled_from([0.0, 0.3, 3.0, 1e6]))
    weights = scale * (torch.randn(n_in, n_out, generator=generator, dtype=torch.float64) + 0.5)
    weights[torch.rand(weights.shape, generator=generator) < 0.2] = 0
    if draw(st.booleans()):
        times = times[:, :, None] + torch.rand(n_in, n_out, generator=generator, dtype=torch.float64)
    threshold = 0.5 + torch.rand(batch, n_out, generator=generator, dtype=torch.float64)
    return times, weights, threshold, draw(st.sampled_from(RATIOS))


@settings(max_examples=300, deadline=None)
@given(problems())
def test_both_kernels_return_the_same_spikes_and_slopes(problem: tuple[Tensor, Tensor, Tensor, float]) -> None:
    times, weights, threshold, g = problem
    plain = first_spike_torch.forward(times, weights, threshold, g)
    compiled = first_spike_numba.forward(times, weights, threshold, g)
    spiking = torch.isfinite(plain.times)
    assert torch.equal(spiking, torch.isfinite(compiled.times))
    assert not plain.times.isnan().any() and not compiled.times.isnan().any()
    # where the peak is near the threshold, rounding of ln(peak / threshold) moves the time by sqrt(eps)
    torch.testing.assert_close(plain.times, compiled.times, rtol=1e-12, atol=1e-7)
    steep = spiking & (plain.slope > 1e-3)
    torch.testing.assert_close(plain.slope[steep], compiled.slope[steep], rtol=1e-6, atol=0)


@settings(max_examples=200, deadline=None)
@given(problems(), st.sampled_from([math.inf, 0.3]), st.integers(0, 2**31))
def test_both_kernels_return_the_same_gradients(
    problem: tuple[Tensor, Tensor, Tensor, float], max_dw_norm: float, seed: int
) -> None:
    times, weights, threshold, g = problem
    spikes = first_spike_torch.forward(times, weights, threshold, g)
    grad = torch.randn(spikes.times.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    grad[torch.isinf(spikes.times)] = torch.nan  # what a loss on silent neurons may send
    arguments = grad, times, weights, spikes, g, max_dw_norm, (True, True)
    pairs = zip(first_spike_torch.backward(*arguments), first_spike_numba.backward(*arguments), strict=True)
    for plain, compiled in pairs:
        assert plain.isfinite().all()
        torch.testing.assert_close(
            plain, compiled, rtol=1e-8, atol=1e-10 * max(1.0, plain.abs().max().item() if plain.numel() else 0)
        )


@pytest.mark.parametrize("kernel", [first_spike_torch, first_spike_numba])
@pytest.mark.parametrize("synaptic", [False, True])
def test_chunks_of_the_batch_change_nothing(kernel, synaptic: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    times = torch.rand(7, 5, generator=generator, dtype=torch.float64)
    if synaptic:
        times = times[:, :, None] + torch.rand(5, 3, generator=generator, dtype=torch.float64)
    weights = torch.randn(5, 3, generator=generator, dtype=torch.float64) + 1
    threshold = torch.tensor(0.5, dtype=torch.float64)

    def everything():
        spikes = kernel.forward(times, weights, threshold, 0.5)
        grads = kernel.backward(torch.ones(7, 3).double(), times, weights, spikes, 0.5, 0.5, (True, True))
        return spikes.times, *grads

    whole = everything()
    monkeypatch.setattr(kernel, "CHUNK_ELEMENTS", 31)
    for one, other in zip(whole, everything(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-14, atol=1e-14)


def test_the_cpu_gets_the_compiled_kernel_and_other_devices_the_torch_one() -> None:
    assert kernel_for(torch.zeros(1, 1)) is first_spike_numba
    assert kernel_for(torch.zeros(1, 1, device="meta")) is first_spike_torch
