"""The layer around first_spike_times: delays, hardware weights, noise, and what its state holds."""

from __future__ import annotations

import io

import pytest
import torch
from torch import Tensor

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons import Delays, SpikeNoise, SpikeTimeLayer, first_spike_times
from lightning_neuro.neurons.delays import DELAY_KINDS
from lightning_neuro.neurons.spike_noise import IDEAL

N_IN, N_OUT = 5, 7


def weights() -> Tensor:
    return torch.randn(N_IN, N_OUT, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 1


def times(batch: int = 40) -> Tensor:
    return 2 * torch.rand(batch, N_IN, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def layer(**changes) -> SpikeTimeLayer:
    arguments = {
        "tau_syn": 1.0,
        "tau_mem": 2.0,
        "threshold": 1.0,
        "delays": None,
        "max_dw_norm": 0.2,
        "weight_step": None,
        "weight_max": None,
        "noise": IDEAL,
        "chip": None,
    }
    return SpikeTimeLayer(weights(), **(arguments | changes))


def delays(kind, **changes) -> Delays:
    arguments = {"positivity": "sigmoid", "mean": 0.0, "std": 0.25, "scale": 1.5, "shift": 0.5, "dtype": torch.float64}
    return Delays(kind, N_IN, N_OUT, **(arguments | changes))


def noise(**changes: float) -> SpikeNoise:
    zero = dict.fromkeys(("threshold_mean", "threshold_fixed", "threshold_batch", "threshold_sample", "jitter"), 0.0)
    return SpikeNoise(**(zero | changes))


@pytest.mark.parametrize("kind", [None, *DELAY_KINDS])
def test_the_ideal_layer_is_first_spike_times(kind) -> None:
    late = None if kind is None else delays(kind)
    found = layer(delays=late)(times())
    expected = first_spike_times(
        times(), weights(), tau_syn=1.0, tau_mem=2.0, threshold=1.0, delays=None if late is None else late()
    )
    assert torch.equal(found, expected)


def test_its_state_holds_every_constant_and_restores_the_same_spikes() -> None:
    torch.manual_seed(0)
    one = layer(delays=delays("synaptic"), noise=noise(threshold_fixed=0.1), tau_mem=1.5)
    other = layer(delays=delays("synaptic"), noise=noise(threshold_fixed=0.1), tau_mem=2.0, threshold=3.0)
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(one(times()), other(times()))
    assert set(one.state_dict()) == {
        "weights", "tau_syn", "tau_mem", "threshold", "threshold_offset", "delays.raw", "delays.scale", "delays.shift"
    }  # fmt: skip


def test_hardware_weights_are_rounded_half_to_even_and_limited() -> None:
    hardware = layer(weight_step=0.5, weight_max=1.0)
    with torch.no_grad():
        hardware.weights[:, 0] = torch.tensor([0.25, 0.75, -0.25, 3.0, -1.4])
    assert hardware.effective_weights()[:, 0].tolist() == [0.0, 1.0, 0.0, 1.0, -1.0]
    spikes = first_spike_times(times(), hardware.effective_weights(), tau_syn=1.0, tau_mem=2.0, threshold=1.0)
    assert torch.equal(hardware(times()), spikes)


def test_the_gradient_of_rounded_weights_goes_straight_to_the_float_ones() -> None:
    hardware = layer(weight_step=1 / 30, weight_max=2.1, max_dw_norm=None)
    spikes = hardware(times())
    spikes[torch.isfinite(spikes)].sum().backward()
    rounded = hardware.effective_weights().detach().requires_grad_()
    spikes = first_spike_times(times(), rounded, tau_syn=1.0, tau_mem=2.0, threshold=1.0)
    (expected,) = torch.autograd.grad(spikes[torch.isfinite(spikes)].sum(), rounded)
    assert torch.equal(hardware.weights.grad, expected)


def test_rectify_brings_weights_and_clipped_delays_back() -> None:
    late = delays("axonal", positivity="clip", shift=0.0)
    hardware = layer(weight_max=0.5, delays=late)
    with torch.no_grad():
        late.raw.fill_(-1)
    hardware.rectify()
    assert hardware.weights.abs().max() == 0.5
    assert (late() == 0).all()


def test_the_veto_is_the_layers() -> None:
    def gradient(max_dw_norm: float | None) -> Tensor:
        one = layer(max_dw_norm=max_dw_norm)
        spikes = one(times())
        spikes[torch.isfinite(spikes)].sum().backward()
        return one.weights.grad

    assert torch.equal(gradient(1e9), gradient(None))
    assert (gradient(1e-9) == 0).all()
    assert not torch.equal(gradient(0.5), gradient(None))


def test_single_precision_inputs_are_computed_in_the_type_of_the_weights() -> None:
    assert layer()(times().float()).dtype == torch.float64


@pytest.mark.parametrize(
    ("kind", "shape"), [("axonal", (N_IN, 1)), ("dendritic", (1, N_OUT)), ("synaptic", (N_IN, N_OUT))]
)
def test_delays_have_the_shape_of_their_kind_and_stay_in_their_range(kind, shape: tuple[int, int]) -> None:
    late = delays(kind, std=100.0)
    assert late().shape == shape
    assert (late() >= 0.5).all() and (late() <= 2.0).all()
    late = delays(kind, std=1.0, positivity="clip", shift=0.25)
    assert (late() >= 0.25).all() and (late() == 0.25).any() and (late() > 0.25).any()


@pytest.mark.parametrize("kind", DELAY_KINDS)
@pytest.mark.parametrize("positivity", ["sigmoid", "clip"])
def test_delays_learn(kind, positivity: str) -> None:
    torch.manual_seed(1)
    one = layer(delays=delays(kind, positivity=positivity, mean=1.0))
    optimizer = torch.optim.SGD([one.delays.raw], lr=1e-3)
    losses = []
    for _ in range(20):
        spikes = one(times())
        loss = spikes[torch.isfinite(spikes)].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        one.rectify()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_the_fixed_pattern_is_drawn_once_and_the_batch_noise_every_time() -> None:
    torch.manual_seed(2)
    fixed = layer(noise=noise(threshold_mean=0.1, threshold_fixed=0.2))
    assert torch.equal(fixed(times()), fixed(times()))
    assert torch.equal(fixed.thresholds(), 1 + fixed.threshold_offset)
    assert len(fixed.threshold_offset.unique()) == N_OUT
    by_batch = layer(noise=noise(threshold_batch=0.2))
    same = by_batch(times()[:1].expand(3, -1))
    assert torch.equal(same[0], same[1]) and not torch.equal(by_batch(times()), by_batch(times()))


def test_sample_noise_and_jitter_differ_between_samples_and_wake_nobody() -> None:
    torch.manual_seed(3)
    same = times()[:1].expand(50, -1)
    ideal = layer()(same)
    by_sample = layer(noise=noise(threshold_sample=0.05))(same)
    assert not torch.equal(by_sample[0], by_sample[1])
    jittered = layer(noise=noise(jitter=0.01))(same)
    assert torch.equal(torch.isinf(jittered), torch.isinf(ideal))
    difference = (jittered - ideal)[torch.isfinite(ideal)]
    assert difference.std().item() == pytest.approx(0.01, rel=0.2)


def test_noise_never_takes_a_threshold_to_zero() -> None:
    wild = layer(noise=noise(threshold_mean=-5.0, threshold_sample=10.0))
    assert (wild.thresholds() > 0).all()
    assert not wild(times()).isnan().any()


def test_constants_out_of_range_are_refused() -> None:
    for name in ("tau_syn", "tau_mem", "threshold", "max_dw_norm", "weight_step", "weight_max"):
        with pytest.raises(ConfigError, match=name):
            layer(**{name: -1.0})
    with pytest.raises(ConfigError, match="delay_kind"):
        delays("somatic")
    with pytest.raises(ConfigError, match="delay_positivity"):
        delays("axonal", positivity="hope")
    with pytest.raises(ConfigError, match="shift -1"):
        delays("axonal", shift=-1.0)
    with pytest.raises(ConfigError, match="jitter"):
        noise(jitter=-0.1)
