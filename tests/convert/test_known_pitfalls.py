"""Mistakes of earlier converters, each with a test that would catch it here: see also ``test_thresholds``."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import nn

from lightning_neuro.convert import DEFAULT, convert, evaluate, simulate
from lightning_neuro.convert.simulate import input_spikes
from lightning_neuro.data.digits import Digits
from lightning_neuro.errors import ConfigError
from tests.convert.networks import cnn, images, mlp, residual, vectors

STEPS = (2, 8)


def batches(x: torch.Tensor, size: int):
    return list(zip(x.split(size), (torch.arange(len(x)) % 3).split(size), strict=True))


def digits(shift: float) -> Digits:
    coding = {"kind": "direct", "steps": 1, "seed": 0, "gain": 1.0, "offset": 0.0, "scale": 16.0}
    options = {"batch_size": 64, "eval_batch_size": 100, "val_share": 0.1, "shift": shift, "seed": 0, "split_seed": 0}
    return Digits(coding=coding, **options)


@pytest.mark.parametrize("percentile", [99.0, 99.9])
def test_percentiles_hold_no_zeros_that_no_neuron_produced(percentile: float) -> None:
    """A buffer longer than the data moved the 99.9th percentile to the 86th."""
    ann = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    with torch.no_grad():
        for parameter in ann[0].parameters():
            parameter.fill_(1)
    x = torch.linspace(0, 1, 360)[:, None]
    options = DEFAULT.replace(norm="percentile", percentile=percentile, bias_samples=0)
    threshold = convert(ann, x.split(100), options).network.layers[0].worth
    assert float(threshold[0]) == pytest.approx(1 + np.percentile(x.numpy(), percentile), rel=1e-5)


def test_thresholds_come_from_the_calibration_data_alone() -> None:
    """Thresholds used to come from the test set; here the test set is not there when they are found."""
    bright = convert(mlp(), [vectors(40)], DEFAULT)
    dim = convert(mlp(), [0.5 * vectors(40)], DEFAULT)
    before = [layer.worth.clone() for layer in bright.network.layers]
    evaluate(bright, batches(3 * vectors(20), 7), STEPS, split_layer=None, analyse=True)
    assert all(torch.equal(a, b.worth) for a, b in zip(before, bright.network.layers, strict=True))
    assert not torch.equal(bright.network.layers[0].worth, dim.network.layers[0].worth)


def test_training_samples_are_never_test_samples() -> None:
    data = digits(0)
    ids = {split: set(data.samples(split).ids.tolist()) for split in ("train", "val", "test")}
    assert all(ids.values()) and not (ids["train"] & ids["test"]) and not (ids["val"] & ids["test"])


@pytest.mark.parametrize("text", ["False", "0", "true", "poisson"])
def test_an_option_that_is_misread_is_refused_instead_of_counting_as_true(text: str) -> None:
    with pytest.raises(ConfigError, match=r"conversion option input"):
        DEFAULT.replace(input=text)


def test_every_kind_of_input_is_reachable_and_different() -> None:
    x = vectors(6)
    networks = {k: convert(mlp(), [vectors(30)], DEFAULT.replace(input=k)).network for k in
                ("analog", "deterministic", "bernoulli")}  # fmt: skip
    rasters = {k: input_spikes(n, x, 16, 0) for k, n in networks.items()}
    assert torch.equal(rasters["analog"][:, 0], x)
    assert set(rasters["bernoulli"].unique().tolist()) == set(rasters["deterministic"].unique().tolist()) == {0, 1}
    assert not torch.equal(rasters["bernoulli"], rasters["deterministic"])


def test_every_layer_is_correlated_the_last_one_too() -> None:
    converted = convert(cnn(), [images(40)], DEFAULT)
    found = evaluate(converted, batches(images(20, seed=4), 20), STEPS, split_layer=None, analyse=True)
    assert list(found.layers) == [layer.name for layer in converted.network.layers]
    assert all(np.nanmin(record.correlation[:, 1]) > 0.5 for record in found.layers.values())


def test_records_hold_all_images_not_the_last_batch() -> None:
    converted = convert(cnn(), [images(40)], DEFAULT)
    x = images(20, seed=4)
    parts, whole = (
        evaluate(converted, batches(x, size), STEPS, split_layer=None, analyse=True).layers for size in (6, 20)
    )
    for name, record in whole.items():
        np.testing.assert_allclose(parts[name].correlation, record.correlation, atol=1e-6)
        np.testing.assert_allclose(parts[name].activity_mean, record.activity_mean, rtol=1e-6)
        np.testing.assert_allclose(parts[name].histogram, record.histogram, atol=1e-9)


@pytest.mark.parametrize("size", [1, 7, 20, 64])
def test_a_last_batch_may_be_smaller(size: int) -> None:
    converted = convert(cnn(), images(40).split(size), DEFAULT)
    found = evaluate(converted, batches(images(20, seed=4), size), STEPS, split_layer=None, analyse=False)
    assert found.classes.shape == (20, 2)
    whole = simulate(
        converted.network, images(20, seed=4), STEPS, first_id=0, dtype=torch.float32, layers=None, count=False
    )
    assert (found.classes == whole.classes().numpy()).all()


def test_augmented_training_data_come_as_tensors() -> None:
    """A stray comma once made a transform a tuple, so that no training batch could be drawn."""
    data = digits(1.0)
    assert callable(data.augmentation())
    values, labels = next(iter(data.train_dataloader()))
    assert values.shape == (64, 1, 64) and labels.shape == (64,)


def test_analog_inputs_are_never_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random spikes were drawn in every step and then not used."""
    network = convert(mlp(), [vectors(30)], DEFAULT).network

    def refuse(*arguments: object) -> None:
        raise AssertionError("spikes were drawn for analog input")

    monkeypatch.setattr(sys.modules["lightning_neuro.convert.simulate"], "encode", refuse)
    simulate(network, vectors(6), (4,), first_id=0, dtype=torch.float32, layers=None, count=True)


@pytest.mark.parametrize("coding", ["analog", "deterministic", "bernoulli"])
def test_a_dim_image_stays_dim(coding: str) -> None:
    """Inputs were divided by each image's own maximum, which no weight or bias knows of."""
    network = convert(mlp(), [vectors(30)], DEFAULT.replace(input=coding)).network
    x = vectors(6)
    bright, dim = (float(input_spikes(network, values, 512, 0).mean()) for values in (x, 0.25 * x))
    assert dim == pytest.approx(0.25 * bright, rel=0.05)


@pytest.mark.parametrize(("build", "data"), [(mlp, vectors), (cnn, images), (residual, images)])
def test_every_network_can_be_a_hybrid_and_only_its_front_is_simulated(build, data) -> None:
    converted = convert(build(), [data(40)], DEFAULT)
    whole = evaluate(converted, batches(data(10), 4), STEPS, split_layer=None, analyse=True)
    hybrid = evaluate(converted, batches(data(10), 4), STEPS, split_layer=1, analyse=True)
    assert len([r for r in hybrid.layers.values() if r.activity_mean.any()]) == 1
    assert hybrid.spikes_per_sample[1] < whole.spikes_per_sample[1]
    assert hybrid.scores.shape == whole.scores.shape
