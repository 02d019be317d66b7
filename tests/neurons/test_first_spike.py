"""first_spike_times: what it means, what it refuses, and that nothing in it is ever NaN."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons import first_spike_times

RATIOS = [1.0, 2.0, 1.5, 0.7]


def network(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    times = 2 * torch.rand(20, 6, generator=generator, dtype=torch.float64)
    weights = torch.randn(6, 5, generator=generator, dtype=torch.float64) + 0.6
    return times.to(dtype), weights.to(dtype)


def test_one_input_with_equal_time_constants_is_lambert_w() -> None:
    scipy_special = pytest.importorskip("scipy.special")
    weights = torch.linspace(2.72, 50, 20, dtype=torch.float64)[None]
    spikes = first_spike_times(torch.zeros(1, 1).double(), weights, tau_syn=1.0, tau_mem=1.0, threshold=1.0)
    expected = -torch.from_numpy(scipy_special.lambertw(-1 / weights.numpy()).real)
    torch.testing.assert_close(spikes, expected, rtol=0, atol=1e-12)


def test_one_input_with_a_membrane_twice_as_slow_is_a_quadratic() -> None:
    weight = 2.5  # threshold 1 = 2 w (x - x^2), x = exp(-t / 2)
    x = 0.5 + math.sqrt(0.25 - 1 / (2 * weight))
    spikes = first_spike_times(
        torch.zeros(1, 1).double(), torch.tensor([[weight]]).double(), tau_syn=1.0, tau_mem=2.0, threshold=1.0
    )
    assert spikes.item() == pytest.approx(-2 * math.log(x), abs=1e-14)


@pytest.mark.parametrize("tau_mem", [1.0, 2.0])
def test_time_constants_next_to_a_closed_form_give_nearly_its_times(tau_mem: float) -> None:
    times, weights = network()
    closed = first_spike_times(times, weights, tau_syn=1.0, tau_mem=tau_mem, threshold=0.5)
    numeric = first_spike_times(times, weights, tau_syn=1.0, tau_mem=tau_mem * (1 + 1e-8), threshold=0.5)
    torch.testing.assert_close(numeric, closed, rtol=0, atol=1e-5)


def test_exchanged_time_constants_only_scale_the_membrane() -> None:
    times, weights = network()
    one = first_spike_times(times, weights, tau_syn=1.0, tau_mem=3.0, threshold=0.5)
    other = first_spike_times(times, weights, tau_syn=3.0, tau_mem=1.0, threshold=0.5 / 3)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


@pytest.mark.parametrize("tau_mem", RATIOS)
def test_the_unit_of_time_does_not_matter(tau_mem: float) -> None:
    times, weights = network()
    in_tau = first_spike_times(times, weights, tau_syn=1.0, tau_mem=tau_mem, threshold=0.5)
    in_us = first_spike_times(6 * times, weights, tau_syn=6.0, tau_mem=6 * tau_mem, threshold=0.5)
    torch.testing.assert_close(in_us, 6 * in_tau, rtol=1e-7, atol=0)


@pytest.mark.parametrize("shift", [-1e6, 1e6])
def test_a_later_start_shifts_every_spike(shift: float) -> None:
    times, weights = network()
    here = first_spike_times(times, weights, tau_syn=1.0, tau_mem=1.0, threshold=0.5)
    there = first_spike_times(times + shift, weights, tau_syn=1.0, tau_mem=1.0, threshold=0.5)
    torch.testing.assert_close(there - shift, here, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", [(6, 1), (1, 5), (6, 5)])
@pytest.mark.parametrize("tau_mem", RATIOS)
def test_delays_of_every_kind_are_later_inputs(tau_mem: float, kind: tuple[int, int]) -> None:
    times, weights = network()
    delays = torch.rand(kind, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    constants = {"tau_syn": 1.0, "tau_mem": tau_mem, "threshold": 0.5}
    together = first_spike_times(times, weights, delays=delays, **constants)
    each = [first_spike_times(times + delays.expand(6, 5)[:, m], weights[:, m : m + 1], **constants) for m in range(5)]
    torch.testing.assert_close(together, torch.cat(each, 1), rtol=0, atol=1e-7)


def test_a_threshold_per_sample_and_neuron_is_what_each_neuron_has() -> None:
    times, weights = network()
    thresholds = 0.3 + torch.rand(20, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    together = first_spike_times(times, weights, tau_syn=1.0, tau_mem=2.0, threshold=thresholds)
    for b, m in ((0, 0), (7, 3), (19, 4)):
        one = first_spike_times(
            times[b : b + 1], weights[:, m : m + 1], tau_syn=1.0, tau_mem=2.0, threshold=thresholds[b, m].item()
        )
        assert one.item() == pytest.approx(together[b, m].item(), abs=1e-12)


@pytest.mark.parametrize("tau_mem", RATIOS)
def test_single_precision_is_as_good_as_its_digits(tau_mem: float) -> None:
    times, weights = network(torch.float32)
    single = first_spike_times(times, weights, tau_syn=1.0, tau_mem=tau_mem, threshold=0.5)
    double = first_spike_times(times.double(), weights.double(), tau_syn=1.0, tau_mem=tau_mem, threshold=0.5)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-3)


EXTREMES = {
    "all inputs silent": (torch.full((2, 3), math.inf), torch.ones(3, 2)),
    "all weights zero": (torch.rand(2, 3), torch.zeros(3, 2)),
    "all weights negative": (torch.rand(2, 3), -torch.ones(3, 2)),
    "all inputs at once": (torch.ones(2, 3), torch.ones(3, 2)),
    "huge weights": (torch.rand(2, 3), torch.full((3, 2), 1e30)),
    "tiny weights": (torch.rand(2, 3), torch.full((3, 2), 1e-30)),
    "weights that cancel": (torch.ones(2, 2), torch.tensor([[1.0, 1e20], [-1.0, -1e20]])),
    "huge times": (torch.tensor([[1e15, 0.0, math.inf], [-1e15, 2e15, 3.0]]), torch.full((3, 2), 5.0)),
    "times far apart": (torch.tensor([[0.0, 1e4, 2e4]]), torch.tensor([[1.0], [1.0], [5.0]])),
    "a strongly inhibited neuron": (torch.tensor([[0.0, 0.1]]), torch.tensor([[-1e8], [1e4]])),
    "no inputs": (torch.zeros(2, 0), torch.zeros(0, 2)),
    "no samples": (torch.zeros(0, 3), torch.ones(3, 2)),
    "a peak that touches the threshold": (torch.zeros(1, 1), torch.tensor([[math.e, math.nextafter(math.e, 3)]])),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tau_mem", [*RATIOS, 50.0, 0.02])
@pytest.mark.parametrize("case", EXTREMES)
def test_nothing_is_nan(case: str, tau_mem: float, dtype: torch.dtype) -> None:
    times, weights = (tensor.to(dtype).requires_grad_() for tensor in EXTREMES[case])
    delays = torch.zeros(weights.shape, dtype=dtype, requires_grad=True)
    for delay in (None, delays):
        spikes = first_spike_times(times, weights, tau_syn=1.0, tau_mem=tau_mem, threshold=1.0, delays=delay)
        assert not spikes.isnan().any() and (spikes > -math.inf).all()
        inputs = (times, weights) if delay is None else (times, weights, delay)
        # a loss that multiplies silent times by 0 sends NaN to silent neurons
        for gradient in torch.autograd.grad((spikes * torch.isfinite(spikes)).sum(), inputs):
            assert gradient.isfinite().all()


def test_a_peak_that_touches_the_threshold_from_below_is_no_spike() -> None:
    below, above = math.e * (1 - 1e-12), math.e * (1 + 1e-12)
    spikes = first_spike_times(
        torch.zeros(1, 1).double(),
        torch.tensor([[below, above]], dtype=torch.float64),
        tau_syn=1.0,
        tau_mem=1.0,
        threshold=1.0,
    )
    assert spikes[0, 0] == math.inf and spikes[0, 1].item() == pytest.approx(1, abs=1e-5)


def refused(**changes: object) -> str:
    times, weights = network()
    arguments = {"input_times": times, "weights": weights, "tau_syn": 1.0, "tau_mem": 1.0, "threshold": 1.0}
    with pytest.raises(ConfigError) as info:
        first_spike_times(**(arguments | changes))
    return str(info.value)


def test_thresholds_that_a_neuron_at_rest_has_reached_are_refused() -> None:
    assert "threshold 0 is not positive" in refused(threshold=0.0)
    assert "not positive" in refused(threshold=torch.tensor([1.0, 1.0, -1.0, 1.0, 1.0]))
    assert "not positive" in refused(threshold=math.nan)


def test_time_constants_that_are_not_positive_are_refused() -> None:
    assert "tau_syn 0" in refused(tau_syn=0.0)
    assert "tau_mem -1" in refused(tau_mem=-1.0)
    assert "tau_mem inf" in refused(tau_mem=math.inf)


def test_shapes_and_types_that_do_not_fit_are_refused() -> None:
    assert "do not fit" in refused(weights=torch.ones(5, 6).double())
    assert "float32, torch.float64" in refused(weights=torch.ones(6, 5))
    assert "delays [5, 6]" in refused(delays=torch.ones(5, 6).double())


def test_times_that_are_no_times_are_refused() -> None:
    assert "NaN or -inf" in refused(input_times=torch.full((1, 6), math.nan).double())
    assert "NaN or -inf" in refused(input_times=torch.full((1, 6), -math.inf).double())
