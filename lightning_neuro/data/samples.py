"""Raw samples in memory and the loaders that encode them, a whole batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from lightning_neuro.data.coding import Coding, encode
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.data.spike_time_coding import SpikeTimeCoding, spike_times
from lightning_neuro.data.spike_time_set import SpikeTimeSet

Batch = tuple[Tensor, Tensor]
Key = tuple[int | None, np.ndarray]
Augment = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Raw values with labels.

    Args:
        values: [samples, n] in the raw unit of the data set.
        labels: [samples] int64.
        ids: [samples] int64, the number of each sample in its data set: it keys the random spikes.
    """

    values: np.ndarray
    labels: np.ndarray
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: np.ndarray | slice) -> Samples:
        """Return a part of the samples, ids kept."""
        return Samples(values=self.values[index], labels=self.labels[index], ids=self.ids[index])


class EncodedSamples(Dataset[Batch]):
    """Samples that are encoded when a batch is asked for; without an epoch the whole raster is kept.

    Args:
        samples: raw data.
        coding: how they become spikes.
        augment: changes a training batch: (values [batch, n], ids [batch], epoch) -> values; None = nothing.
    """

    def __init__(self, samples: Samples, coding: Coding, augment: Augment | None) -> None:
        self.samples, self.coding, self.augment = samples, coding, augment
        self._evaluation: Tensor | None = None
        self._labels = torch.from_numpy(samples.labels)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: Key) -> Batch:
        epoch, index = key
        labels = self._labels[torch.from_numpy(index)]
        if epoch is None:
            return self.evaluation_raster()[torch.from_numpy(index)], labels
        part = self.samples.take(index)
        values = part.values if self.augment is None else self.augment(part.values, part.ids, epoch)
        return torch.from_numpy(encode(values / self.coding.scale, self.coding, part.ids, epoch)), labels

    def evaluation_raster(self) -> Tensor:
        """Return the deterministic raster of all samples [samples, steps, n], encoded once."""
        if self._evaluation is None:
            self._evaluation = torch.from_numpy(evaluation_spikes(self.samples, self.coding).spikes)
        return self._evaluation


class TimedSamples(Dataset[Batch]):
    """Samples as spike times; without noise or augmentation they are encoded once, in training too.

    Args:
        samples: raw data.
        coding: how they become spike times.
        augment: changes a training batch: (values [batch, n], ids [batch], epoch) -> values; None = nothing.
    """

    def __init__(self, samples: Samples, coding: SpikeTimeCoding, augment: Augment | None) -> None:
        self.samples, self.coding, self.augment = samples, coding, augment
        self._fixed: Tensor | None = None
        self._labels = torch.from_numpy(samples.labels)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: Key) -> Batch:
        epoch, index = key
        position = torch.from_numpy(index)
        labels = self._labels[position]
        if epoch is None or (self.augment is None and self.coding.noise == 0):
            return self.evaluation_times()[position], labels
        part = self.samples.take(index)
        values = part.values if self.augment is None else self.augment(part.values, part.ids, epoch)
        return torch.from_numpy(spike_times(values, self.coding, part.ids, epoch)), labels

    def evaluation_times(self) -> Tensor:
        """Return the times of all samples without noise [samples, n], encoded once."""
        if self._fixed is None:
            self._fixed = torch.from_numpy(evaluation_times(self.samples, self.coding).times)
        return self._fixed


def evaluation_times(samples: Samples, coding: SpikeTimeCoding) -> SpikeTimeSet:
    """Return the spike times of ``samples`` without noise: independent of batch size, order and epoch."""
    times = spike_times(samples.values, coding, samples.ids, None)
    return SpikeTimeSet(times=times, labels=samples.labels.astype(np.int64))


def evaluation_spikes(samples: Samples, coding: Coding) -> SpikeSet:
    """Return the evaluation encoding of ``samples``: independent of batch size, order and epoch."""
    spikes = encode(samples.values / coding.scale, coding, samples.ids, None)
    return SpikeSet(spikes=spikes, labels=samples.labels.astype(np.int64))


class Batches(Sampler[Key]):
    """Yields (epoch, indices): shuffled by (seed, epoch) to train, in order with epoch None to evaluate.

    Args:
        samples: how many there are.
        batch_size: samples per batch; the last batch may be smaller.
        seed: of the order; None = evaluation.
    """

    def __init__(self, samples: int, batch_size: int, seed: int | None) -> None:
        self.samples, self.batch_size, self.seed, self.epoch = samples, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer at the start of every epoch, also after a resume."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)

    def __iter__(self) -> Iterator[Key]:
        order = np.arange(self.samples)
        epoch = None if self.seed is None else self.epoch
        if self.seed is not None:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(self.samples)
        for start in range(0, self.samples, self.batch_size):
            yield epoch, order[start : start + self.batch_size]


def loader(data: EncodedSamples | TimedSamples, batch_size: int, seed: int | None) -> DataLoader:
    """Return a loader of whole batches; ``seed`` None = evaluation order and encoding."""
    # everything is in memory and encoding is one compiled call: worker processes would only copy
    return DataLoader(data, sampler=Batches(len(data), batch_size, seed), batch_size=None, num_workers=0)
