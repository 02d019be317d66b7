"""The LIF classifier: read-outs, losses, constraints, checkpoints."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from lightning_neuro.errors import ConfigError
from lightning_neuro.models.activity import Activity
from lightning_neuro.models.lif import LIFClassifier
from lightning_neuro.models.readout import READOUTS, decide, make_loss
from lightning_neuro.models.schedule import SCHEDULES, one_cycle
from lightning_neuro.neurons import LIF
from tests.depth import graded

OPTIONS = {
    "layers": [20, 16, 4],
    "neuron": "native",
    "beta": 0.875,
    "learn_beta": False,
    "beta_constraint": "none",
    "tau_syn": None,
    "learn_alpha": False,
    "dt": 1e-3,
    "threshold": 1.0,
    "learn_threshold": False,
    "reset": "zero",
    "reset_delay": 0,
    "bias": False,
    "surrogate": "fast_sigmoid",
    "surrogate_slope": 2.0,
    "readout": "spike_count",
    "loss": "cross_entropy",
    "loss_gain": 1.0,
    "label_smoothing": 0.0,
    "dropout": 0.0,
    "lr": 0.01,
    "weight_decay": 0.0,
    "weight_clip": None,
    "schedule": "one_cycle",
    "quantize": None,
    "quantize_scale": "searched",
    "noise": "ideal",
    "weight_step": None,
}


def classifier(**changes) -> LIFClassifier:
    torch.manual_seed(0)
    model = LIFClassifier(**(OPTIONS | changes))
    with torch.no_grad():
        for parameter in model.network.parameters():
            if parameter.ndim == 2:
                parameter.mul_(3)
    return model


def batch(samples: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Spikes of which a class-dependent quarter is dense."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(samples) % 4
    rate = torch.full((samples, 20), 0.1)
    for sample, label in enumerate(labels.tolist()):
        rate[sample, 5 * label : 5 * label + 5] = 0.8
    return (torch.rand(samples, 10, 20, generator=generator) < rate[:, None]).to(torch.uint8), labels


@torch.no_grad()
def loss_of(model: LIFClassifier) -> float:
    raster, labels = batch()
    return float(model.eval().loss(model(raster), labels))


def fit(model: LIFClassifier, folder, epochs: int = 15, **options) -> pl.Trainer:
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


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("loss", graded(["cross_entropy", "mean_square"], 1))
def test_every_readout_learns_with_every_loss(readout, loss, tmp_path):
    gain = {"first_spike": 0.1, "spike_count": 0.1}.get(readout, 0.5) if loss == "mean_square" else 1.0
    model = classifier(readout=readout, loss=loss, loss_gain=gain, lr=0.03)
    trainer = fit(model, tmp_path, epochs=40)
    assert trainer.callback_metrics["val/accuracy"] > 0.9


@pytest.mark.parametrize(
    "changes",
    [
        {"neuron": "snntorch"},
        {"neuron": "norse"},
        {"tau_syn": 4e-3},
        {"tau_syn": 4e-3, "neuron": "snntorch", "learn_alpha": True},
        {"learn_beta": True, "beta_constraint": "shift"},
        {"reset": "subtract", "reset_delay": 1, "learn_threshold": True},
        {"bias": True, "beta": [0.5, 0.9], "dropout": 0.1},
    ],
)
def test_variants_train_and_lower_the_loss(changes, tmp_path):
    model = classifier(**changes)
    before = loss_of(model)
    fit(model.train(), tmp_path, epochs=20)
    after = loss_of(model)
    assert after < 0.8 * before


def test_neuron_libraries_give_the_same_scores_with_the_same_weights():
    scores = {}
    for neuron in ("native", "snntorch", "norse"):
        model = classifier(neuron=neuron).eval()
        scores[neuron] = model(batch()[0])
    assert scores["native"].sum() > 10
    assert torch.equal(scores["native"], scores["snntorch"])
    assert torch.equal(scores["native"], scores["norse"])


def test_membrane_readouts_have_no_reset_in_the_last_layer():
    layers = [m for m in classifier(readout="membrane_max", reset="subtract").network if isinstance(m, LIF)]
    assert [layer.reset for layer in layers] == ["subtract", "none"]


def test_first_spike_score_is_the_steps_left_from_it_on():
    spikes = torch.zeros(5, 1, 3)
    spikes[2, 0, 0] = spikes[4, 0, 0] = spikes[0, 0, 1] = 1
    assert READOUTS["first_spike"](spikes, spikes).tolist() == [[3, 5, 0]]


def test_ties_go_to_the_lowest_class():
    assert decide(torch.tensor([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]])).tolist() == [1, 0]


def test_losses_are_their_formula():
    scores, labels = torch.tensor([[2.0, 0.0]]), torch.tensor([0])
    assert float(make_loss("cross_entropy", 0.5, 0.0)(scores, labels)) == pytest.approx(
        math.log(1 + math.exp(-1))
    )
    assert float(make_loss("mean_square", 0.25, 0.0)(scores, labels)) == pytest.approx(0.125)


def test_checkpoint_loads_without_unpickling_code_and_rebuilds_the_model(tmp_path):
    model = classifier(tau_syn=5e-3, learn_beta=True, beta=[0.5, 0.75])
    trainer = fit(model, tmp_path, epochs=2)
    trainer.save_checkpoint(tmp_path / "x.ckpt")
    checkpoint = torch.load(tmp_path / "x.ckpt", weights_only=True)
    assert checkpoint["hyper_parameters"]["beta"] == [0.5, 0.75]
    again = LIFClassifier.load_from_checkpoint(tmp_path / "x.ckpt", weights_only=True).eval()
    assert torch.equal(again(batch()[0]), model.eval()(batch()[0]))


def test_model_is_picklable_and_deep_copyable_after_training(tmp_path):
    model = classifier()
    fit(model, tmp_path, epochs=1)
    model.trainer = None  # type: ignore[assignment]
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin.eval()(batch()[0]), model.eval()(batch()[0]))


def test_weights_stay_within_the_clip(tmp_path):
    model = classifier(weight_clip=0.25)
    fit(model, tmp_path, epochs=3)
    assert max(float(p.abs().max()) for p in model.network.parameters() if p.ndim == 2) <= 0.25


def test_mixed_precision_keeps_neurons_in_float32(tmp_path):
    trainer = fit(classifier(), tmp_path, epochs=2, precision="bf16-mixed")
    assert trainer.state.finished
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = classifier().layer_outputs(batch()[0])
    assert all(value.dtype == torch.float32 for pair in outputs for value in pair)


def test_activity_counts_dead_and_saturated_neurons_over_all_batches():
    activity = Activity()
    for first in (0, 1):
        spikes = torch.zeros(20, 2, 4)  # [time, batch, neuron]
        spikes[:, :, 3] = 1
        spikes[:, :, first] = 0.5 if first else 1  # neurons 0 and 1 each fire in one batch alone
        activity.update(torch.ones(2, 20, 3), [spikes > 0])
    numbers = activity.numbers()
    assert numbers["dead/layer1"] == 0.25
    assert numbers["saturated/layer1"] == 0.25
    assert numbers["spike_rate/layer1"] == pytest.approx((0.5 + 0.5 + 0 + 1) / 4)
    assert numbers["spikes_per_sample"] == 20 * 3 + 20 * 2


def test_schedules_are_functions_of_progress():
    assert one_cycle(0.2) == 1.0
    assert all(0 <= schedule(k / 50) <= 1 for schedule in SCHEDULES.values() for k in range(51))


@pytest.mark.parametrize(
    "wrong",
    [
        {"layers": [20]},
        {"layers": [20, None, 4]},
        {"beta": [0.5]},
        {"neuron": "nengo"},
        {"readout": "vote"},
        {"loss": "hinge"},
        {"surrogate": "step"},
        {"surrogate_slope": 0.0},
        {"tau_syn": 1e-4},
        {"lr": -1.0},
        {"dropout": 1.0},
        {"weight_clip": 0.0},
        {"quantize": "w4", "weight_step": 0.1},
        {"quantize": "four bits"},
    ],
)
def test_impossible_options_are_refused_by_name(wrong):
    with pytest.raises(ConfigError) as caught:
        classifier(**wrong)
    assert next(iter(wrong)) in str(caught.value)
