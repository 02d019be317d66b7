"""Adding weight columns equals the dense product, forward and backward."""

from __future__ import annotations

import pytest
import torch

from lightning_neuro.neurons import spike_matmul
from lightning_neuro.neurons.spike_matmul import SpikeLinear, spike_linear


@pytest.mark.parametrize("inputs", [64, 37])
@pytest.mark.parametrize("with_bias", [True, False])
@pytest.mark.parametrize("density", [0.0, 0.04, 0.5, 1.0])
def test_sparse_product_equals_dense_up_to_summation_order(density, with_bias, inputs):
    generator = torch.Generator().manual_seed(1)
    raster = (torch.rand(60, inputs, generator=generator) < density).to(torch.uint8)
    weight = torch.randn(20, inputs, generator=generator)
    bias = torch.randn(20, generator=generator) if with_bias else None
    results = []
    for product in (SpikeLinear.apply, lambda r, w, b: torch.nn.functional.linear(r.float(), w, b)):
        leaves = [leaf.clone().requires_grad_() for leaf in (weight, bias) if leaf is not None]
        out = product(raster, leaves[0], leaves[1] if with_bias else None)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        results.append([out.detach(), *(leaf.grad for leaf in leaves)])
    for sparse, dense in zip(*results, strict=True):
        torch.testing.assert_close(sparse, dense, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("density", "sparse"), [(0.02, True), (0.6, False)])
def test_density_chooses_the_way(density, sparse, monkeypatch):
    used = []
    monkeypatch.setattr(spike_matmul.SpikeLinear, "apply", lambda r, w, b: used.append(1) or r.float() @ w.t())
    raster = (torch.rand(5, 8, 64, generator=torch.Generator().manual_seed(0)) < density).to(torch.uint8)
    assert spike_linear(raster, torch.randn(3, 64), None).shape == (5, 8, 3)
    assert bool(used) == sparse


def test_float_currents_are_multiplied():
    raster, weight = torch.rand(5, 8, 6), torch.randn(3, 6)
    torch.testing.assert_close(spike_linear(raster, weight, None), raster @ weight.t())
