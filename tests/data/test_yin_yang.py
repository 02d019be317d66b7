"""The Yin-Yang samples are the published ones."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.data.yin_yang import SIZES, YinYang, region, yin_yang_samples
from lightning_neuro.errors import ConfigError

CODING = {
    "kind": "first_spike",
    "t_early": 0.15,
    "t_late": 2.0,
    "largest_first": False,
    "latest_is_silent": False,
    "noise": 0.0,
    "seed": 0,
    "scale": 1.0,
}


def yin_yang(**changes) -> YinYang:
    options = {"coding": CODING, "batch_size": 150, "eval_batch_size": 1000, "seed": 0, "sample_seeds": [42, 41, 40]}
    return YinYang(**(options | changes))


@pytest.mark.parametrize("name", ["yinyang_tau_equal_5_120_3", "yinyang_tau_double_4_30_3"])
def test_seed_40_gives_the_published_test_set(shared_data, name):
    published = np.load(shared_data / "spike_time" / f"{name}.npz")
    values, labels = yin_yang_samples(1000, seed=40)
    assert np.array_equal(values, published["test_coords"])
    assert np.array_equal(labels, published["test_labels"])


def test_first_published_points_are_drawn_without_the_file():
    values, labels = yin_yang_samples(3, seed=40)
    assert values[:2, :2] == pytest.approx(np.array([[0.23409665, 0.40172498], [0.75132902, 0.46824252]]), abs=1e-8)
    assert labels.tolist() == [2, 2, 1]


def test_splits_have_the_published_sizes_and_balanced_classes():
    data = yin_yang()
    for split, size in SIZES.items():
        samples = data.samples(split)  # type: ignore[arg-type]
        assert len(samples) == size
        assert np.bincount(samples.labels).min() > 0.28 * size
    assert len(set(data.samples("train").ids) | set(data.samples("val").ids)) == 6000


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [(0.75, 0.5, 2), (0.25, 0.5, 2), (0.5, 0.9, 1), (0.5, 0.1, 0), (0.25, 0.35, 1), (0.75, 0.65, 0)],
)
def test_regions_are_two_halves_with_bulges_and_dots(x, y, expected):
    assert region(x, y) == expected


def test_evaluation_set_is_the_latency_code_of_the_samples():
    data = yin_yang()
    recorded = data.evaluation_set("test", limit=7)
    assert isinstance(recorded, SpikeTimeSet)
    assert recorded.times == pytest.approx(0.15 + 1.85 * data.samples("test").values[:7], abs=1e-15)
    times, labels = next(iter(data.test_dataloader()))
    assert np.array_equal(times[:7].numpy(), recorded.times) and np.array_equal(labels[:7], recorded.labels)


def test_equal_sample_seeds_are_refused():
    with pytest.raises(ConfigError, match="three different seeds"):
        yin_yang(sample_seeds=[42, 42, 40])
