"""The first-spike classifier: learning, silent neurons, bias spikes, delays, noise, checkpoints, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from lightning_neuro.errors import ConfigError
from lightning_neuro.models.silent import LEAD, peak_membrane, peak_time, with_virtual_label
from lightning_neuro.models.spike_time import SpikeTimeClassifier, first_to_spike
from lightning_neuro.models.spike_time_loss import LOSSES, SILENT_LOSS

OPTIONS = {
    "layers": [4, 20, 3],
    "tau_syn": 1e-2,
    "tau_ratio": 1.0,
    "threshold": 1.0,
    "bias_times": [[0.9], []],
    "input_repetition": 1,
    "weight_mean": [1.5, 0.5],
    "weight_std": [0.8, 0.8],
    "weight_step": None,
    "weight_max": None,
    "max_dw_norm": 0.2,
    "delays": "none",
    "delay_positivity": "sigmoid",
    "delay_mean": 0.0,
    "delay_std": 0.25,
    "delay_scale": 1.0,
    "delay_shift": 0.0,
    "noise": {
        "threshold_mean": 0.0,
        "threshold_fixed": 0.0,
        "threshold_batch": 0.0,
        "threshold_sample": 0.0,
        "jitter": 0.0,
    },
    "loss": "cross_entropy",
    "softmin_width": 0.2,
    "early_weight": 0.005,
    "early_scale": 1.0,
    "time_correct": 0.9,
    "time_wrong": 1.1,
    "time_lead": 0.2,
    "silent_time": 3.0,
    "weight_bump": 5e-4,
    "bump_exponential": True,
    "bump_targeted": True,
    "max_silent": 1.0,
    "lr": 0.02,
    "lr_factors": 1.0,
    "delay_lr_factor": 1.0,
    "schedule": "constant",
}
INF = math.inf


def classifier(**changes) -> SpikeTimeClassifier:
    torch.manual_seed(0)
    return SpikeTimeClassifier(**(OPTIONS | changes))


def batch(samples: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    """Three classes: which of the first three inputs spikes early."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(samples) % 3
    times = 1.2 + 0.5 * torch.rand(samples, 4, generator=generator, dtype=torch.float64)
    times[torch.arange(samples), labels] -= 1.0
    return times, labels


def fit(model: SpikeTimeClassifier, folder, epochs: int, **options) -> pl.Trainer:
    loader = DataLoader([batch()], batch_size=None)  # type: ignore[arg-type]
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        num_sanity_val_steps=0,
        check_val_every_n_epoch=epochs,
        **{"enable_checkpointing": False, **options},
    )
    trainer.fit(model, loader, loader)
    return trainer


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("changes", [{}, {"tau_ratio": 2.0, "delays": "synaptic"}])
def test_every_loss_learns(loss, changes, tmp_path):
    trainer = fit(classifier(loss=loss, time_correct=1.2, time_wrong=1.8, **changes), tmp_path, epochs=60)
    assert trainer.callback_metrics["val/accuracy"] > 0.9


@pytest.mark.parametrize(
    "changes",
    [
        {"tau_ratio": 3.0},
        {"delays": "axonal", "delay_positivity": "clip", "delay_mean": 0.1},
        {"delays": ["dendritic", "none"]},
        {"input_repetition": 3, "weight_mean": [0.5, 0.5]},
        {"bias_times": [[0.2, 0.9], [1.5]]},
        {"weight_step": 1 / 8, "weight_max": 3.0},
        {"lr_factors": [1.0, 0.5], "delay_lr_factor": 2.0, "delays": "axonal"},
        {"layers": [4, 12, 12, 3], "bias_times": [[], [], []], "weight_mean": 1.0, "weight_std": 0.5},
        {"silent_time": None, "max_silent": [0.3, 0.0]},
    ],
)
def test_variants_lower_the_loss_with_finite_parameters(changes, tmp_path):
    model = classifier(**changes)
    times, labels = batch()
    before = model.loss(model(times), labels).item()
    fit(model, tmp_path, epochs=40)
    assert model.loss(model(times), labels).item() < 0.8 * before
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_gradients_are_finite_when_everything_is_silent():
    model = classifier(weight_mean=-1.0, weight_std=0.1)
    outputs, loss = model._step(batch(), "train")
    assert all(torch.isinf(layer).all() for layer in outputs)
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients and all(torch.isfinite(g).all() for g in gradients)


def test_without_a_virtual_time_silence_has_no_gradient():
    model = classifier(weight_mean=-1.0, weight_std=0.1, silent_time=None)
    _, loss = model._step(batch(), "train")
    assert loss.item() == SILENT_LOSS
    loss.backward()
    assert all(p.grad is None or (p.grad == 0).all() for p in model.parameters())


def test_silent_classes_learn_to_spike_by_their_virtual_time(tmp_path):
    options = {"weight_mean": [1.5, 0.05], "weight_std": [0.5, 0.05], "early_weight": 0.0}
    silent = {}
    for name, time in (("virtual", 3.0), ("constant", None)):
        model = classifier(silent_time=time, **options)
        assert torch.isinf(model(batch()[0])).all()
        fit(model, tmp_path, epochs=40)
        silent[name] = float(torch.isinf(model(batch()[0]).gather(1, batch()[1][:, None])).double().mean())
    assert silent["virtual"] < 0.1 and silent["constant"] == 1.0


def test_weight_bumping_wakes_a_silent_layer(tmp_path):
    model = classifier(weight_mean=[0.01, 0.5], weight_std=[0.01, 0.5], silent_time=None, max_silent=[0.3, 1.0])
    assert torch.isinf(model.layer_times(batch()[0])[0]).all()
    fit(model, tmp_path, epochs=30)
    assert torch.isinf(model.layer_times(batch()[0])[0]).double().mean() < 0.5


def test_a_bumped_batch_takes_no_gradient_step(tmp_path):
    model = classifier(weight_mean=[0.01, 0.5], weight_std=[0.01, 0.5], max_silent=[0.3, 1.0])
    last = model.network.weights()[1].clone()
    fit(model, tmp_path, epochs=1)
    assert torch.equal(model.network.weights()[1], last)


def membrane(at: torch.Tensor, times: torch.Tensor, weights: torch.Tensor, ratio: float) -> torch.Tensor:
    lag = (at[:, None] - times).clamp(min=0)
    if ratio == 1:
        return (weights * lag * torch.exp(-lag)).sum(1)
    return (weights * ratio / (ratio - 1) * (torch.exp(-lag / ratio) - torch.exp(-lag))).sum(1)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0, 3.7])
def test_the_peak_is_the_largest_membrane_of_a_fine_grid(ratio):
    generator = torch.Generator().manual_seed(2)
    times = 3 * torch.rand(50, 7, generator=generator, dtype=torch.float64)
    times[times > 2.6] = INF
    weights = torch.randn(50, 7, generator=generator, dtype=torch.float64)
    grid = torch.linspace(0, 12, 6001, dtype=torch.float64)
    finest = torch.stack([membrane(at.expand(50), times, weights, ratio) for at in grid]).amax(0)
    peak = peak_membrane(times, weights, ratio)
    driven = finest > 0
    assert 30 < driven.sum() < 50 and (peak[~driven] < 1e-6).all()
    assert (peak >= finest - 1e-9)[driven].all() and torch.allclose(peak[driven], finest[driven], atol=1e-3)


def test_a_pair_without_inputs_has_peak_zero_and_no_nan():
    times = torch.full((2, 3), INF, dtype=torch.float64)
    weights = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    peak = peak_membrane(times, weights, 1.0)
    assert peak.tolist() == [0, 0] and torch.isfinite(peak_time(times, weights, 2.0)).all()
    assert (torch.autograd.grad(peak.sum(), weights)[0] == 0).all()


def test_virtual_times_are_their_formula_and_leave_other_samples_alone():
    model = classifier(layers=[2, 2], bias_times=[[]], weight_mean=0.5, weight_std=0.0)
    layer = model.network.layers[0]
    inputs = torch.tensor([[0.0, 0.0], [0.0, INF], [0.0, INF]], dtype=torch.float64)
    times = torch.tensor([[0.7, INF], [INF, INF], [INF, 1.5]], dtype=torch.float64)
    filled = with_virtual_label(times, torch.tensor([0, 1, 0]), inputs, layer, 3.0)  # type: ignore[arg-type]
    virtual = 3.0 + (1 - 0.5 / math.e)  # one weight of 0.5: the peak is 0.5 / e
    assert filled[0].tolist() == [0.7, INF]
    assert filled[1].tolist() == pytest.approx([3.0 - LEAD, virtual])
    assert filled[2].tolist() == pytest.approx([virtual, 1.5])


def test_bias_and_repetition_become_input_lines():
    model = classifier(bias_times=[[0.9, 1.1], [2.0]], input_repetition=2)
    seen = model.network.layer_input(0, torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    assert seen[0].tolist() == pytest.approx([1, 2, 3, 4, 0.9, 1.1] * 2)
    assert [list(w.shape) for w in model.network.weights()] == [[12, 20], [21, 3]]


def test_a_sample_without_an_output_spike_is_wrong(tmp_path):
    assert first_to_spike(torch.tensor([[INF, INF], [2.0, 1.0]])).tolist() == [-1, 1]
    model = classifier(weight_mean=-1.0, weight_std=0.0, lr=1e-12)
    trainer = fit(model, tmp_path, epochs=1)
    assert trainer.callback_metrics["val/accuracy"] == 0
    assert trainer.callback_metrics["val/silent/layer2"] == 1
    assert trainer.callback_metrics["val/spikes_per_sample"] == 0


def test_hardware_noise_changes_spikes_and_repeats_with_the_seed():
    quiet = classifier()
    noise = OPTIONS["noise"] | {"threshold_fixed": 0.1, "jitter": 0.05}  # type: ignore[operator]
    noisy = [classifier(noise=noise) for _ in range(2)]
    times, _ = batch()
    results = []
    for model in noisy:
        model.on_test_start()
        results.append(model(times))
    assert torch.equal(*results) and not torch.equal(results[0], quiet(times))


def test_a_checkpoint_rebuilds_the_same_network(tmp_path):
    model = classifier(delays="synaptic", noise=OPTIONS["noise"] | {"threshold_fixed": 0.1})  # type: ignore[operator]
    trainer = fit(model, tmp_path, epochs=3)
    trainer.save_checkpoint(tmp_path / "some.ckpt")
    again = SpikeTimeClassifier.load_from_checkpoint(tmp_path / "some.ckpt", weights_only=True)
    assert torch.equal(again(batch()[0]), model(batch()[0]))
    moved = again._moved.arrays()
    assert {values.shape[0] for values in moved.values()} == {4} and len(moved) == 4
    assert np.ptp(next(iter(moved.values())), axis=0).max() > 0


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"tau_syn": 0.0}, "tau_syn"),
        ({"tau_ratio": -1.0}, "tau_ratio"),
        ({"threshold": 0.0}, "threshold"),
        ({"bias_times": [[0.9]]}, "bias_times"),
        ({"bias_times": [[-0.9], []]}, "bias_times"),
        ({"input_repetition": 0}, "input_repetition"),
        ({"weight_mean": [1.0, 1.0, 1.0]}, "weight_mean"),
        ({"weight_std": []}, "weight_std"),
        ({"weight_step": 0.0}, "weight_step"),
        ({"max_dw_norm": -0.2}, "max_dw_norm"),
        ({"delays": "neural"}, "neural"),
        ({"delays": ["axonal"]}, "delays"),
        ({"delays": "axonal", "delay_positivity": "square"}, "square"),
        ({"delays": "axonal", "delay_scale": 0.0}, "scale"),
        ({"noise": OPTIONS["noise"] | {"jitter": -1.0}}, "jitter"),  # type: ignore[operator]
        ({"noise": "delgrads"}, "delgrads"),
        ({"loss": "hinge"}, "hinge"),
        ({"silent_time": 1.0}, "silent_time"),
        ({"weight_bump": -1.0}, "weight_bump"),
        ({"max_silent": [0.1, 2.0]}, "max_silent"),
        ({"max_silent": [0.1]}, "max_silent"),
        ({"lr": 0.0}, "lr"),
        ({"lr_factors": [1.0]}, "lr_factors"),
        ({"delay_lr_factor": 0.0}, "delay_lr_factor"),
        ({"schedule": "sometimes"}, "sometimes"),
        ({"layers": [4]}, "layers"),
        ({"layers": [4, 0, 3]}, "layers"),
    ],
)
def test_a_wrong_option_is_named(change, word):
    with pytest.raises(ConfigError, match=word) as caught:
        classifier(**change)
    assert caught.value.where.startswith("model.") and caught.value.next_command


def test_a_profile_of_chips_is_noise_that_stays_out_of_what_is_exported():
    model = classifier(noise="delgrad", tau_syn=6e-3)
    chip = model.network.layers[0].chip
    assert chip is not None and chip.unit_us == pytest.approx(6.0)  # 6 ms, a thousand times faster
    times, _ = batch()
    assert not torch.equal(model(times), model(times))
    exact = classifier(noise="ideal", tau_syn=6e-3)
    for exported in (model, exact):
        assert torch.equal(exported.network.layers[0].thresholds(), torch.ones(20, dtype=torch.float64))
    assert torch.equal(exact(times), exact(times))
