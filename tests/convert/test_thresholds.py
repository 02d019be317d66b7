from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lightning_neuro.convert import DEFAULT, fold
from lightning_neuro.convert import thresholds as module
from lightning_neuro.convert.folded import activations
from lightning_neuro.convert.thresholds import collect, find_thresholds, mse_threshold
from tests.convert.networks import cnn, images, qcfs


@pytest.mark.parametrize("batch", [1, 7, 100])
@pytest.mark.parametrize("percentile", [50.0, 99.0, 99.9])
def test_a_percentile_is_that_of_all_activations_whatever_the_batches(batch: int, percentile: float) -> None:
    """No padding: zeros that no neuron produced would lower it; a last batch that is smaller counts as it is."""
    x = images(100)
    folded = fold(cnn(), x[:4])
    options = DEFAULT.replace(norm="percentile", percentile=percentile, granularity="layer")
    found = find_thresholds(folded, collect(folded, x.split(batch), 0), options)
    values = activations(folded, x)["layer0"].numpy()
    np.testing.assert_allclose(found["layer0"], np.percentile(values, percentile), rtol=1e-5)


def test_there_is_no_limit_on_the_number_of_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_VALUES", 5_000)
    identity = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    with torch.no_grad():
        identity[0].weight.fill_(1)
        identity[0].bias.fill_(0)
    x = torch.arange(60_000.0)[:, None] / 60_000
    folded = fold(identity, x[:4])
    options = DEFAULT.replace(norm="percentile", percentile=90.0)
    sampled = collect(folded, x.split(1000), 0)
    assert sampled["layer0"].seen == 60_000
    assert abs(find_thresholds(folded, sampled, options)["layer0"][0] - 0.9) < 0.02
    assert find_thresholds(folded, sampled, options.replace(norm="max"))["layer0"][0] == pytest.approx(x.max().item())


def test_one_threshold_per_channel_or_layer() -> None:
    x = images(50)
    folded = fold(cnn(), x[:4])
    sampled = collect(folded, [x], 0)
    peaks = activations(folded, x)["layer4"].amax(dim=(0, 2, 3)).numpy()
    options = DEFAULT.replace(norm="max")
    channel, layer = (
        find_thresholds(folded, sampled, options.replace(granularity=g))["layer4"] for g in ("channel", "layer")
    )
    np.testing.assert_allclose(channel[peaks > 0], peaks[peaks > 0], rtol=1e-6)
    np.testing.assert_allclose(layer, peaks.max(), rtol=1e-6)


@pytest.mark.parametrize("norm", ["max", "percentile", "mse"])
def test_a_dead_channel_gets_a_threshold_that_divides(norm: str) -> None:
    ann = cnn()
    with torch.no_grad():
        ann.get_parameter("1.weight")[2], ann.get_parameter("1.bias")[2] = 0, -1
    x = images(20)
    folded = fold(ann, x[:4])
    found = find_thresholds(folded, collect(folded, [x], 0), DEFAULT.replace(norm=norm))
    assert (found["layer0"] > 1e-3).all()


def test_thresholds_of_qcfs_are_the_learned_ones() -> None:
    x = images(20)
    folded = fold(qcfs(4), x[:4])
    assert find_thresholds(folded, collect(folded, [x], 0), DEFAULT)["layer0"] == pytest.approx(1.1)


def test_thresholds_are_stretched() -> None:
    x = images(20)
    folded = fold(cnn(), x[:4])
    sampled = collect(folded, [x], 0)
    plain, twice = (find_thresholds(folded, sampled, DEFAULT.replace(threshold_stretch=s)) for s in (1.0, 2.0))
    np.testing.assert_allclose(twice["layer0"], 2 * plain["layer0"])


@pytest.mark.parametrize("steps", [1, 2, 8])
def test_the_least_squares_threshold_is_the_best_of_its_candidates(steps: int) -> None:
    values = np.abs(np.random.default_rng(0).standard_normal(500)).astype(np.float32)
    candidates = values.max() * module._CANDIDATES
    counted = [np.clip(np.ceil(values * steps / c - 0.5), 0, steps) * c / steps for c in candidates]
    errors = [np.square(c - values).sum() for c in counted]
    assert mse_threshold(values, steps) == pytest.approx(candidates[int(np.argmin(errors))], rel=1e-6)


@pytest.mark.parametrize("norm", ["max", "percentile", "mse"])
def test_a_channel_that_hardly_ever_is_active_gets_a_threshold_of_the_layers_size(norm: str) -> None:
    wide = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 2))
    with torch.no_grad():
        weight = wide.get_parameter("0.weight")
        weight.fill_(1)
        weight[3] *= 1e-4
        wide.get_parameter("0.bias").zero_()
    x = images(50).flatten(1)[:, :2].abs()
    folded = fold(wide, x[:4])
    found = find_thresholds(folded, collect(folded, x.split(25), 0), DEFAULT.replace(norm=norm))["layer0"]
    assert found[3] == pytest.approx(np.median(found) / 32) and (np.delete(found, 3) > 10 * found[3]).all()
