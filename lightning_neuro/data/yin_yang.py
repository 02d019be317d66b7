"""The Yin-Yang data set (Kriener, Goeltz, Petrovici 2022, arXiv:2102.08211): three classes in a disc, four inputs.

A disc of radius 0.5 around (0.5, 0.5) is cut into Yin (0) and Yang (1) with a dot (2) of radius 0.1 in each half.
Points are drawn as the published generator draws them, so that the published seeds (42, 41 and 40 for 5000 training,
1000 validation and 1000 test samples) give the published samples.
"""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from lightning_neuro.data.module import ValuesModule
from lightning_neuro.data.samples import Samples
from lightning_neuro.data.spike_time_coding import SpikeTimeCoding
from lightning_neuro.errors import ConfigError

RADIUS, DOT_RADIUS = 0.5, 0.1
CLASSES = ("Yin", "Yang", "dot")
SIZES = {"train": 5000, "val": 1000, "test": 1000}


def region(x: float, y: float) -> int:
    """Return the class of a point in the disc: 0 Yin, 1 Yang, 2 dot.

    Args:
        x, y: coordinates, 0..1.

    >>> region(0.75, 0.5), region(0.25, 0.5), region(0.5, 0.9), region(0.5, 0.1)
    (2, 2, 1, 0)
    """
    right = sqrt((x - 1.5 * RADIUS) ** 2 + (y - RADIUS) ** 2)  # distance to the dot on the right
    left = sqrt((x - 0.5 * RADIUS) ** 2 + (y - RADIUS) ** 2)
    if right < DOT_RADIUS or left < DOT_RADIUS:
        return 2
    bulge = left <= RADIUS / 2  # of Yang into the lower half
    upper = y > RADIUS and right > RADIUS / 2
    return int(right <= DOT_RADIUS or (left > DOT_RADIUS and bulge) or upper)


def yin_yang_samples(size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (coordinates [size, 4] = (x, y, 1 - x, 1 - y) float64, labels [size] int64).

    For each sample a class is drawn, then points of the square around the disc until one has that class.

    Args:
        size: how many samples.
        seed: of ``numpy.random.RandomState``, whose streams are fixed for good.
    """
    generator = np.random.RandomState(seed)
    values, labels = np.empty((size, 4)), np.empty(size, np.int64)
    for sample in range(size):
        labels[sample] = wanted = generator.randint(3)
        while True:
            x, y = generator.rand(2).tolist()
            if sqrt((x - RADIUS) ** 2 + (y - RADIUS) ** 2) <= RADIUS and region(x, y) == wanted:
                break
        values[sample] = x, y, 1 - x, 1 - y
    return values, labels


class YinYang(ValuesModule):
    """Points of the Yin-Yang disc, 4 inputs, 3 classes.

    Args:
        coding: see :class:`SpikeTimeCoding`, or :class:`Coding` for rasters.
        batch_size: training samples per batch.
        eval_batch_size: samples per validation and test batch.
        seed: order of training samples.
        sample_seeds: seeds of the training, validation and test samples.

    Raises:
        ConfigError: there are not three different sample seeds.
    """

    input_shape = (4,)
    classes = len(CLASSES)

    def __init__(
        self,
        *,
        coding: SpikeTimeCoding | dict[str, Any],
        batch_size: int,
        eval_batch_size: int,
        seed: int,
        sample_seeds: list[int],
    ) -> None:
        super().__init__(coding=coding, batch_size=batch_size, eval_batch_size=eval_batch_size, seed=seed)
        if len(set(sample_seeds)) != len(SIZES):
            raise ConfigError(
                f"sample_seeds {sample_seeds} are not three different seeds",
                where="data.sample_seeds",
                why="training, validation and test samples must not be the same",
                next_command="data.sample_seeds='[42,41,40]'",
            )
        self.sample_seeds = sample_seeds

    def read(self) -> dict[str, Samples]:
        """Return the three splits."""
        parts, first = {}, 0
        for (split, size), seed in zip(SIZES.items(), self.sample_seeds, strict=True):
            values, labels = yin_yang_samples(size, seed)
            parts[split] = Samples(values=values, labels=labels, ids=np.arange(first, first + size))
            first += size
        return parts
