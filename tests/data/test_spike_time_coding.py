"""From values to spike times: the formula, silence, and noise that follows seed and epoch alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_neuro.data.coding import Coding
from lightning_neuro.data.digits import Digits
from lightning_neuro.data.mnist16 import shrunk
from lightning_neuro.data.spike_time_coding import SpikeTimeCoding, coding_of, spike_times
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.errors import ConfigError, DataError
from tests.data.test_yin_yang import CODING


def coding(**changes) -> SpikeTimeCoding:
    return SpikeTimeCoding.from_dict(CODING | changes)


def encoded(values, epoch: int | None = None, ids=None, **changes) -> np.ndarray:
    array = np.atleast_2d(np.asarray(values, float))
    return spike_times(array, coding(**changes), np.arange(len(array)) if ids is None else ids, epoch)


def test_times_are_linear_between_early_and_late():
    assert encoded([0.0, 0.5, 1.0, 2.0, -1.0])[0] == pytest.approx([0.15, 1.075, 2.0, 2.0, 0.15])
    assert encoded([0.0, 8.0, 16.0], scale=16.0, largest_first=True)[0] == pytest.approx([2.0, 1.075, 0.15])


def test_only_the_latest_possible_spike_can_be_silent():
    silent = encoded([0.0, 1e-3, 1.0], largest_first=True, latest_is_silent=True)[0]
    assert np.isinf(silent).tolist() == [True, False, False]
    assert np.isinf(encoded([0.0, 1.0], latest_is_silent=True)[0]).tolist() == [False, True]


def test_noise_has_its_deviation_is_mirrored_and_absent_in_evaluation():
    values = np.full((500, 401), 1.0)
    noisy = encoded(values, epoch=0, noise=0.3) - 2.0
    assert noisy.mean() == pytest.approx(0, abs=0.004) and noisy.std() == pytest.approx(0.3, rel=0.01)
    assert (np.abs(noisy) < 0.3).mean() == pytest.approx(0.6827, abs=0.005)  # normal, not just of that width
    assert encoded(np.zeros((500, 401)), epoch=0, noise=0.3).min() >= 0
    assert np.array_equal(encoded(values, epoch=None, noise=0.3), encoded(values))


def test_noise_follows_seed_epoch_and_sample_not_the_batch():
    values = np.random.default_rng(0).random((6, 5))
    whole = encoded(values, epoch=3, noise=0.1)
    assert np.array_equal(encoded(values[2:4], epoch=3, ids=np.array([2, 3]), noise=0.1), whole[2:4])
    assert not np.array_equal(encoded(values, epoch=4, noise=0.1), whole)
    assert not np.array_equal(encoded(values, epoch=3, noise=0.1, seed=1), whole)


def test_silent_inputs_stay_silent_under_noise():
    assert np.isinf(encoded([[1.0]], epoch=0, noise=0.5, latest_is_silent=True)).all()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"t_early": -0.1}, "t_early"),
        ({"t_late": 0.1}, "t_late"),
        ({"noise": -1.0}, "noise"),
        ({"seed": -1}, "seed"),
        ({"scale": 0.0}, "scale"),
        ({"largest_first": 1}, "largest_first"),
        ({"latest_is_silent": "yes"}, "latest_is_silent"),
        ({"steps": 4}, "fields"),
    ],
)
def test_a_wrong_field_is_named(change, word):
    with pytest.raises(ConfigError, match=word) as caught:
        coding(**change)
    assert f"data.coding.{word}" in caught.value.next_command


def test_kind_decides_between_rasters_and_times():
    raster = {"kind": "rate", "steps": 4, "seed": 0, "gain": 1.0, "offset": 0.0, "scale": 1.0}
    assert isinstance(coding_of(raster), Coding) and isinstance(coding_of(CODING), SpikeTimeCoding)
    assert coding_of(coding()) == coding() == SpikeTimeCoding.from_dict(coding().to_dict())


def test_digits_as_times_are_encoded_anew_only_when_something_changes():
    options = {"batch_size": 64, "eval_batch_size": 99, "val_share": 0.1, "seed": 0, "split_seed": 0}
    latency = CODING | {"scale": 16.0, "largest_first": True, "latest_is_silent": True}
    still = Digits(coding=latency, shift=0.0, **options)
    moved = Digits(coding=latency, shift=1.0, **options)

    def first(data: Digits, epoch: int) -> np.ndarray:
        loader = data.train_dataloader()
        loader.sampler.set_epoch(epoch)  # type: ignore[union-attr]
        return next(iter(loader))[0].numpy()

    times = np.concatenate([batch.numpy() for batch, _ in still.test_dataloader()])
    assert np.array_equal(times, still.evaluation_set("test", None).times)  # type: ignore[union-attr]
    assert times.shape == (360, 64) and 0.3 < np.isinf(times).mean() < 0.7
    assert not np.array_equal(first(moved, 0), first(still, 0))


def test_shrinking_keeps_black_black_and_the_middle():
    images = np.zeros((2, 28, 28), np.uint8)
    images[1, 2:26, 2:26] = 200
    images[0, 0] = 255  # outside the crop
    small = shrunk(images.reshape(2, -1))
    assert small.shape == (2, 256) and (small[0] == 0).all()
    assert small[1] == pytest.approx(np.full(256, 200.0), abs=1e-3)


def test_shrinking_averages_over_the_area_of_a_pixel():
    images = np.zeros((1, 28, 28), np.uint8)
    images[0, ::2] = 240  # stripes of one pixel become grey
    assert np.ptp(shrunk(images.reshape(1, -1)).reshape(16, 16)[2:-2]) < 120


def test_a_set_survives_packing_and_refuses_damage():
    times = np.array([[0.5, np.inf], [0.0, 2.0]])
    whole = SpikeTimeSet(times=times, labels=np.array([0, 1]))
    again = SpikeTimeSet.unpack(whole.pack())
    assert np.array_equal(again.times, times) and again.labels.tolist() == [0, 1]
    assert len(whole.take(slice(1))) == 1
    grey = SpikeTimeSet(times=np.tile(np.linspace(0.15, 2, 256), (40, 3)), labels=np.zeros(40, np.int64))
    assert grey.pack()["body"].dtype == torch.int16
    assert np.array_equal(SpikeTimeSet.unpack(grey.pack()).times, grey.times)
    with pytest.raises(DataError, match="format"):
        SpikeTimeSet.unpack(whole.pack() | {"format": 9})
    for broken in (times.astype(np.float32), times[0], -times, np.full((2, 2), np.nan)):
        with pytest.raises(DataError, match="do not make a set"):
            SpikeTimeSet(times=broken, labels=np.array([0, 1]))
