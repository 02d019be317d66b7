"""The one equation that every spike solves, in both kernels, from grazing peaks to huge ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from lightning_neuro.neurons import first_spike_numba, first_spike_torch
from lightning_neuro.neurons.first_spike_root import time_before_peak

RATIOS = [1.0, 0.5, 2.0, 1 / 1.5, 1 / 0.7, 0.999, 1.001, 0.01, 100.0]
LOG_PEAKS = torch.cat([torch.zeros(1).double(), torch.logspace(-14, 2.5, 400, dtype=torch.float64)])


def log_shape(z: Tensor, g: float) -> Tensor:
    """ln phi(z), by its definition in terms of p."""
    p = g * torch.expm1((1 - g) * z) / (1 - g) if g != 1 else z
    return g * z + torch.log1p(-p)


@pytest.mark.parametrize("g", RATIOS)
def test_the_time_before_the_peak_solves_its_equation(g: float) -> None:
    z = time_before_peak(LOG_PEAKS, g)
    assert z[0] == 0 and (z.diff() >= -1e-15).all()
    fair = LOG_PEAKS < 5  # beyond, z has fewer digits than ln(1 - p) needs
    torch.testing.assert_close(log_shape(z[fair], g), -LOG_PEAKS[fair], rtol=1e-9, atol=1e-13)
    last = 1.0 if g == 1 else np.log1p((1 - g) / g) / (1 - g)
    assert z[-1].item() == pytest.approx(last, rel=1e-12)


def test_equal_time_constants_are_lambert_w() -> None:
    special = pytest.importorskip("scipy.special")
    y = LOG_PEAKS[LOG_PEAKS > 1e-3]
    expected = 1 + torch.from_numpy(special.lambertw(-np.exp(-1 - y.numpy())).real)
    torch.testing.assert_close(time_before_peak(y, 1.0), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("g", RATIOS)
def test_both_kernels_solve_it_alike(g: float) -> None:
    # one input at 0 with a weight that takes the peak a factor exp(y) above the threshold
    height = g ** (g / (1 - g)) if g != 1 else np.exp(-1)  # of K(h) = (exp(-g h) - exp(-h)) / (1 - g), at its peak
    log_peaks = LOG_PEAKS[LOG_PEAKS > 1e-10]
    weights = torch.exp(log_peaks)[None] / height
    arguments = torch.zeros(1, 1).double(), weights, torch.ones(()).double(), g
    plain, compiled = first_spike_torch.forward(*arguments), first_spike_numba.forward(*arguments)
    assert plain.times.isfinite().all()
    # rounding of y by eps moves the time by eps / z
    assert ((plain.times - compiled.times).abs() * log_peaks.sqrt() < 2e-14 * max(1, 1 / g)).all()
    fair = log_peaks > 1e-4
    torch.testing.assert_close(plain.slope[:, fair], compiled.slope[:, fair], rtol=1e-9, atol=0)
    rest = 1 - torch.exp(-compiled.times) * weights  # v' = i - g v at the crossing
    torch.testing.assert_close(-rest[:, fair] + 1 - g, compiled.slope[:, fair], rtol=1e-7, atol=1e-11)
