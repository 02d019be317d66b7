"""MNIST from its four IDX files (LeCun, Cortes, Burges), gzipped or not; downloaded when absent."""

from __future__ import annotations

import gzip
import struct
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from lightning_neuro.data.augment import shifted
from lightning_neuro.data.coding import Coding
from lightning_neuro.data.module import ValuesModule, stratified
from lightning_neuro.data.samples import Augment, Samples
from lightning_neuro.data.spike_time_coding import SpikeTimeCoding
from lightning_neuro.errors import DataError

SIDE = 28
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_TEST_IDS = 1_000_000  # keeps the random spikes of test samples apart from those of training samples


class Mnist(ValuesModule):
    """28 x 28 digits, 10 classes, grey values 0..255; 60,000 training and 10,000 test samples.

    Args:
        root: folder with the IDX files; they are downloaded into it when absent.
        coding: :class:`Coding` or :class:`SpikeTimeCoding`; ``scale`` 255 normalises the grey values.
        batch_size: training samples per batch.
        eval_batch_size: samples per validation and test batch.
        val_samples: training samples held out for validation, stratified.
        shift: training images move by up to this many pixels in each direction, interpolated; 0 = not.
        seed: order of training samples and their shifts.
        split_seed: which training samples are validation samples.
    """

    input_shape = (1, SIDE, SIDE)
    side = SIDE
    classes = 10

    def __init__(
        self,
        *,
        root: str,
        coding: Coding | SpikeTimeCoding | dict[str, Any],
        batch_size: int,
        eval_batch_size: int,
        val_samples: int,
        shift: float,
        seed: int,
        split_seed: int,
    ) -> None:
        super().__init__(coding=coding, batch_size=batch_size, eval_batch_size=eval_batch_size, seed=seed)
        self.root, self.val_samples, self.shift, self.split_seed = Path(root), val_samples, shift, split_seed

    def read(self) -> dict[str, Samples]:
        """Return the three splits, downloading the files if need be."""
        if missing_files(self.root):
            download(self.root)
        images, labels = read_pair(self.root, "train")
        everything = Samples(values=images, labels=labels, ids=np.arange(len(labels)))
        kept, val = stratified(labels, self.val_samples, self.split_seed)
        test_images, test_labels = read_pair(self.root, "test")
        test = Samples(values=test_images, labels=test_labels, ids=np.arange(len(test_labels)) + _TEST_IDS)
        return {"train": everything.take(kept), "val": everything.take(val), "test": test}

    def augmentation(self) -> Augment | None:
        """Return the random shift, or None when ``shift`` is 0."""
        return partial(shifted, side=self.side, limit=self.shift, seed=self.seed) if self.shift else None


def find(root: Path, name: str) -> Path | None:
    """Return the file ``name`` or ``name.gz`` in ``root`` or in torchvision's subfolder, or None."""
    candidates = (folder / f"{name}{end}" for folder in (root, root / "MNIST" / "raw") for end in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def missing_files(root: Path) -> list[str]:
    """Return the names of the IDX files that are not in ``root``."""
    return [name for pair in FILES.values() for name in pair if find(root, name) is None]


def read_pair(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images [samples, 784] uint8 and labels [samples] int64 of "train" or "test".

    Raises:
        DataError: a file is damaged or the two do not belong together.
    """
    paths = [path for name in FILES[split] if (path := find(root, name)) is not None]
    images, labels = (read_idx(path) for path in paths)
    if images.shape[1:] != (SIDE, SIDE) or labels.shape != images.shape[:1]:
        _refuse(f"images {list(images.shape)} and labels {list(labels.shape)} do not belong together", root)
    return images.reshape(len(images), -1), labels.astype(np.int64)


def read_idx(path: Path) -> np.ndarray:
    """Return the array of unsigned bytes in an IDX file, gzipped or not.

    Raises:
        DataError: the file is no IDX file of bytes, or is cut short.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        zero, kind, axes = struct.unpack(">HBB", data[:4])
        shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
        if (zero, kind) != (0, 8):
            raise ValueError(f"magic number {data[:4].hex()}")
        return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error) as error:
        _refuse(f"'{path.name}' is not a whole IDX file: {error}", path.parent)


def download(root: Path) -> None:
    """Fetch the four files into ``root`` with torchvision.

    Raises:
        DataError: torchvision is absent or nothing could be fetched.
    """
    try:
        from torchvision.datasets import MNIST
    except ImportError:
        _refuse(f"no MNIST files in '{root}', and torchvision, which downloads them, is not installed", root)
    try:
        for train in (True, False):
            MNIST(str(root), train=train, download=True)
    except Exception as error:  # whatever the network, proxy or disk raises, the remedy is the same
        _remove_empty(root)
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        _refuse(f"no MNIST files in '{root}', and they cannot be downloaded ({reason})", root)


def _remove_empty(root: Path) -> None:
    """Remove the empty folders that a failed download leaves."""
    for folder in (root / "MNIST" / "raw", root / "MNIST", root):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _refuse(what: str, root: Path) -> NoReturn:
    names = ", ".join(f"{name}[.gz]" for pair in FILES.values() for name in pair)
    raise DataError(
        what,
        where=f"data.root={root}",
        why=f"the folder needs {names}",
        next_command="python train.py data=mnist data.root=FOLDER_WITH_THE_FILES",
    )
