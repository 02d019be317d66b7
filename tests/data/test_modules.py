"""Splits, batches and recorded spikes of the data modules."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.data.augment import shifted
from lightning_neuro.data.digits import Digits
from lightning_neuro.data.mnist import FILES, Mnist, read_idx
from lightning_neuro.data.module import stratified
from lightning_neuro.errors import ConfigError, DataError

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("LIGHTNING_NEURO_SHARED", ROOT.parent / "shared"))
MNIST = SHARED / "data" / "mnist"
CODING = {"kind": "rate", "steps": 4, "seed": 0, "gain": 1.0, "offset": 0.0, "scale": 16.0}


def digits(**changes) -> Digits:
    options = {
        "coding": CODING,
        "batch_size": 100,
        "eval_batch_size": 64,
        "val_share": 0.1,
        "shift": 0.0,
        "seed": 0,
        "split_seed": 0,
    }
    return Digits(**(options | changes))


def fake_mnist(folder: Path, *, images: int = 60, zipped: bool = False) -> Path:
    """Write small IDX files with the layout of MNIST."""
    generator = np.random.default_rng(0)
    for image_name, label_name in FILES.values():
        pixels = generator.integers(0, 256, (images, 28, 28), dtype=np.uint8)
        labels = (np.arange(images) % 10).astype(np.uint8)
        for name, magic, array in ((image_name, 2051, pixels), (label_name, 2049, labels)):
            header = np.array([magic, *array.shape], ">u4").tobytes()
            body = header + array.tobytes()
            path = folder / (f"{name}.gz" if zipped else name)
            path.write_bytes(gzip.compress(body) if zipped else body)
    return folder


def mnist(root: Path, **changes) -> Mnist:
    options = {
        "root": str(root),
        "coding": CODING | {"scale": 255.0},
        "batch_size": 32,
        "eval_batch_size": 32,
        "val_samples": 10,
        "shift": 0,
        "seed": 0,
        "split_seed": 0,
    }
    return Mnist(**(options | changes))


def test_digits_splits_are_disjoint_stratified_and_a_fifth_is_test():
    data = digits()
    ids = {split: set(data.samples(split).ids.tolist()) for split in ("train", "val", "test")}
    assert sum(map(len, ids.values())) == len(set.union(*ids.values())) == 1797
    assert len(ids["test"]) == 360
    counts = np.bincount(data.samples("test").labels)
    assert counts.min() >= 34 and counts.max() <= 38


def test_test_set_does_not_depend_on_the_seed():
    assert np.array_equal(digits(seed=0).samples("test").ids, digits(seed=5).samples("test").ids)
    assert not np.array_equal(digits(split_seed=1).samples("test").ids, digits().samples("test").ids)


def test_training_batches_cover_every_sample_once_with_a_ragged_end():
    data = digits()
    batches = list(data.train_dataloader())
    sizes = [len(labels) for _, labels in batches]
    assert sizes[:-1] == [100] * (len(sizes) - 1) and 0 < sizes[-1] < 100
    assert sum(sizes) == len(data.samples("train")) and len(data.train_dataloader()) == len(batches)
    assert np.array_equal(
        np.sort(np.concatenate([labels for _, labels in batches])), np.sort(data.samples("train").labels)
    )


def test_training_order_and_spikes_follow_seed_and_epoch_alone():
    def first(epoch: int, seed: int):
        loader = digits(seed=seed).train_dataloader()
        loader.sampler.set_epoch(epoch)  # type: ignore[union-attr]
        return next(iter(loader))[0].numpy()

    assert np.array_equal(first(3, 0), first(3, 0))
    assert not np.array_equal(first(3, 0), first(4, 0))
    assert not np.array_equal(first(3, 0), first(3, 1))


def test_evaluation_loader_equals_the_recorded_spikes_whatever_the_batch_size():
    recorded = digits().evaluation_set("test", limit=None)
    for size in (7, 1000):
        batches = list(digits(eval_batch_size=size).test_dataloader())
        assert np.array_equal(np.concatenate([raster for raster, _ in batches]), recorded.spikes)
        assert np.array_equal(np.concatenate([labels for _, labels in batches]), recorded.labels)
    few = digits().evaluation_set("test", limit=5)
    assert np.array_equal(few.spikes, recorded.spikes[:5])


def test_mnist_reads_plain_and_gzipped_files_alike(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "gz").mkdir()
    plain, zipped = mnist(fake_mnist(tmp_path / "plain")), mnist(fake_mnist(tmp_path / "gz", zipped=True))
    for split in ("train", "val", "test"):
        assert np.array_equal(plain.samples(split).values, zipped.samples(split).values)
    assert [len(plain.samples(split)) for split in ("train", "val", "test")] == [50, 10, 60]


def test_missing_mnist_offline_names_folder_files_and_override(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(DataError) as caught:
        mnist(tmp_path / "nowhere").setup()
    text = str(caught.value)
    assert str(tmp_path / "nowhere") in text and "train-images-idx3-ubyte" in text and "data.root=" in text


@pytest.mark.parametrize("damage", [b"", b"\0\0\x08\x03short", b"\x1f\x8bnot gzip"])
def test_damaged_idx_files_are_refused(tmp_path, damage):
    path = tmp_path / ("x.gz" if damage.startswith(b"\x1f") else "x")
    path.write_bytes(damage)
    with pytest.raises(DataError, match="not a whole IDX file"):
        read_idx(path)


def moved(epoch: int, limit: float, at: tuple[int, int] = (10, 12)) -> np.ndarray:
    image = np.zeros((28, 28), np.uint8)
    image[at] = 200
    return shifted(image.reshape(1, -1), np.array([0]), epoch, side=28, limit=limit, seed=0).reshape(28, 28)


def test_shift_moves_the_centre_of_mass_evenly_and_keeps_the_mass():
    centres = []
    for epoch in range(200):
        image = moved(epoch, limit=1.5)
        assert image.sum() == pytest.approx(200, rel=1e-5) and np.count_nonzero(image) <= 4
        centres.append([(image.sum(axis) @ np.arange(28)) / 200 for axis in (1, 0)])
    offsets = np.array(centres) - (10, 12)
    assert np.abs(offsets).max() <= 1.5 and np.abs(offsets).max() > 1.4
    assert np.abs(offsets.mean(0)).max() < 0.2
    assert np.array_equal(moved(3, limit=1.5), moved(3, limit=1.5))


@pytest.mark.parametrize("corner", [(0, 0), (27, 27), (0, 27)])
def test_what_is_shifted_over_the_edge_is_gone(corner):
    masses = [moved(epoch, limit=2, at=corner).sum() for epoch in range(50)]
    assert min(masses) == 0 and max(masses) == pytest.approx(200, rel=1e-5)


def test_stratified_holds_out_the_same_share_of_each_class():
    labels = np.repeat([0, 1, 2], [50, 100, 10])
    kept, held = stratified(labels, 32, seed=1)
    assert np.bincount(labels[held]).tolist() == [10, 20, 2]
    assert np.array_equal(np.sort(np.concatenate([kept, held])), np.arange(160))


def test_holding_out_everything_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="hold out 60 of 60"):
        mnist(fake_mnist(tmp_path), val_samples=60).setup()


def test_batch_size_must_be_positive():
    with pytest.raises(ConfigError, match="batch_size"):
        digits(batch_size=0)


@pytest.mark.skipif(not MNIST.is_dir(), reason=f"no MNIST files in {MNIST}; set LIGHTNING_NEURO_SHARED")
def test_real_mnist_has_its_sizes():
    data = mnist(MNIST, val_samples=5000)
    assert [len(data.samples(split)) for split in ("train", "val", "test")] == [55000, 5000, 10000]
    assert np.bincount(data.samples("test").labels)[:3].tolist() == [980, 1135, 1032]
