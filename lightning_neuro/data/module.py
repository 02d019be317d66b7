"""What every data module of values shares: splits, loaders, and the recorded evaluation spikes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
from torch.utils.data import DataLoader

from lightning_neuro.data.coding import Coding
from lightning_neuro.data.samples import (
    Augment,
    EncodedSamples,
    Samples,
    TimedSamples,
    evaluation_spikes,
    evaluation_times,
    loader,
)
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.data.spike_time_coding import SpikeTimeCoding, coding_of
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.errors import ConfigError

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class ValuesModule(pl.LightningDataModule):
    """A data set of raw values that are encoded batch by batch.

    Subclasses set ``input_shape`` and ``classes`` and implement :meth:`read`.

    Args:
        coding: fields of :class:`Coding` (rasters) or :class:`SpikeTimeCoding`, as plain values or built.
        batch_size: samples per training batch; the last may be smaller.
        eval_batch_size: samples per validation and test batch.
        seed: of the order of training samples.
    """

    input_shape: tuple[int, ...]
    classes: int

    def __init__(
        self,
        *,
        coding: Coding | SpikeTimeCoding | dict[str, Any],
        batch_size: int,
        eval_batch_size: int,
        seed: int,
    ) -> None:
        super().__init__()
        for name, value in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if not isinstance(value, int) or value < 1:
                raise ConfigError(
                    f"{name} {value} is not a positive integer",
                    where=f"data.{name}",
                    why="a batch holds at least one sample",
                    next_command=f"data.{name}=64",
                )
        self.coding = coding_of(coding)
        self.batch_size, self.eval_batch_size, self.seed = batch_size, eval_batch_size, seed
        self._encoded: dict[str, EncodedSamples | TimedSamples] = {}

    @abstractmethod
    def read(self) -> dict[str, Samples]:
        """Return the raw samples of "train", "val" and "test"."""

    def augmentation(self) -> Augment | None:
        """Return what changes training batches, or None."""
        return None

    def setup(self, stage: str | None = None) -> None:
        """Read the data once, whatever the stage."""
        if not self._encoded:
            self._encoded = {
                split: _encoded(part, self.coding, self.augmentation() if split == "train" else None)
                for split, part in self.read().items()
            }

    def samples(self, split: Split) -> Samples:
        """Return the raw samples of a split."""
        return self._part(split).samples

    def _part(self, split: str) -> EncodedSamples | TimedSamples:
        if split not in SPLITS:
            raise ConfigError(
                f"unknown split '{split}'",
                where="evaluation_set",
                why=f"splits are {', '.join(SPLITS)}",
                next_command='evaluation_set("test", limit=None)',
            )
        self.setup()
        return self._encoded[split]

    def evaluation_set(self, split: Split, limit: int | None) -> SpikeSet | SpikeTimeSet:
        """Return the deterministic spikes of the first ``limit`` samples of a split, the same every time."""
        samples = self._part(split).samples.take(slice(limit))
        if isinstance(self.coding, SpikeTimeCoding):
            return evaluation_times(samples, self.coding)
        return evaluation_spikes(samples, self.coding)

    def train_dataloader(self) -> DataLoader:
        """Shuffled by (seed, epoch), encoded anew each epoch."""
        return loader(self._part("train"), self.batch_size, self.seed)

    def val_dataloader(self) -> DataLoader:
        """In order, evaluation encoding."""
        return loader(self._part("val"), self.eval_batch_size, None)

    def test_dataloader(self) -> DataLoader:
        """In order, evaluation encoding."""
        return loader(self._part("test"), self.eval_batch_size, None)

    predict_dataloader = test_dataloader


def _encoded(
    samples: Samples, coding: Coding | SpikeTimeCoding, augment: Augment | None
) -> EncodedSamples | TimedSamples:
    """Return the samples in the form that the coding makes of them."""
    if isinstance(coding, SpikeTimeCoding):
        return TimedSamples(samples, coding, augment)
    return EncodedSamples(samples, coding, augment)


def stratified(labels: np.ndarray, held_out: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sorted indices (kept, held out) of scikit-learn's stratified split: each class in proportion.

    Args:
        labels: [samples] class numbers.
        held_out: how many samples to hold out.
        seed: which samples.

    Raises:
        ConfigError: there are too few samples for that, or fewer held out than classes.
    """
    from sklearn.model_selection import train_test_split  # imported late: takes a second

    try:
        kept, out = train_test_split(np.arange(len(labels)), test_size=held_out, stratify=labels, random_state=seed)
    except ValueError as error:
        raise ConfigError(
            f"cannot hold out {held_out} of {len(labels)} samples",
            where="data",
            why=str(error),
            next_command="data.val_share=0.1 or data.val_samples=5000",
        ) from error
    return np.sort(kept), np.sort(out)
