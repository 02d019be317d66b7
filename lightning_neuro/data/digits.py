"""The default data set: 1,797 handwritten digits of 8 x 8 pixels inside scikit-learn (UCI, CC BY 4.0).

A fifth of the samples (360, stratified, as scikit-learn splits them) is the test set; ``val_share`` of
the rest is held out to choose the best epoch. The split depends on ``split_seed`` alone, not on ``seed``:
resuming or repeating with another seed never trains on test data.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from lightning_neuro.data.augment import shifted
from lightning_neuro.data.coding import Coding
from lightning_neuro.data.module import ValuesModule, stratified
from lightning_neuro.data.samples import Augment, Samples
from lightning_neuro.data.spike_time_coding import SpikeTimeCoding

TEST_SAMPLES = 360
SIDE = 8


class Digits(ValuesModule):
    """8 x 8 digits, 10 classes, grey values 0..16.

    Args:
        coding: :class:`Coding` or :class:`SpikeTimeCoding`; ``scale`` 16 normalises the grey values.
        batch_size: training samples per batch.
        eval_batch_size: samples per validation and test batch.
        val_share: part of the training samples held out for validation, 0..1.
        shift: training images move by up to this many pixels in each direction, interpolated; 0 = not.
        seed: order of training samples and their shifts.
        split_seed: which samples are test and validation samples.
    """

    input_shape = (1, SIDE, SIDE)
    classes = 10

    def __init__(
        self,
        *,
        coding: Coding | SpikeTimeCoding | dict[str, Any],
        batch_size: int,
        eval_batch_size: int,
        val_share: float,
        shift: float,
        seed: int,
        split_seed: int,
    ) -> None:
        super().__init__(coding=coding, batch_size=batch_size, eval_batch_size=eval_batch_size, seed=seed)
        self.val_share, self.shift, self.split_seed = val_share, shift, split_seed

    def read(self) -> dict[str, Samples]:
        """Return the three splits."""
        from sklearn.datasets import load_digits  # imported late: takes a second

        values, labels = load_digits(return_X_y=True)
        everything = Samples(
            values=values.astype(np.float32), labels=labels.astype(np.int64), ids=np.arange(len(labels))
        )
        rest, test = stratified(labels, TEST_SAMPLES, self.split_seed)
        kept, val = stratified(labels[rest], round(self.val_share * len(rest)), self.split_seed)
        parts = {"train": rest[kept], "val": rest[val], "test": test}
        return {split: everything.take(index) for split, index in parts.items()}

    def augmentation(self) -> Augment | None:
        """Return the random shift, or None when ``shift`` is 0."""
        return partial(shifted, side=SIDE, limit=self.shift, seed=self.seed) if self.shift else None
