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
from lightning_neuro.errors import ConfigError

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
        rank, world: number of this process and how many share the samples; see :meth:`part`.
    """

    def __init__(self, samples: int, batch_size: int, seed: int | None, rank: int = 0, world: int = 1) -> None:
        self.samples, self.batch_size, self.seed, self.epoch = samples, batch_size, seed, 0
        self.rank, self.world = rank, world

    def part(self, rank: int, world: int) -> Batches:
        """Return what one of several processes sees: as many batches as in one process, none of them empty.

        To train, batch k of all processes together is batch k of one process, in the order of the ranks. To evaluate,
        every process has an equal share of the samples in a row.

        Args:
            rank: number of the process.
            world: how many processes there are.

        Raises:
            ConfigError: a process would have no sample in some batch.
        """
        train = self.seed is not None
        smallest = self._last() if train else self.samples // len(self)
        if smallest < world:
            raise ConfigError(
                f"{self.samples} samples in batches of {self.batch_size} leave {smallest} for {world} processes",
                where="data.batch_size" if train else "data.eval_batch_size",
                why="every process needs a sample of each batch, the last one included",
                next_command=self._remedy(world, train),
            )
        return Batches(self.samples, self.batch_size, self.seed, rank, world)

    def _last(self) -> int:
        return (self.samples - 1) % self.batch_size + 1

    def _remedy(self, world: int, train: bool) -> str:
        if not train:
            return f"data.eval_batch_size={max(self.samples, 1)}"
        larger = range(self.batch_size, self.samples + 1)
        fitting = (size for size in larger if (self.samples - 1) % size + 1 >= world)
        return f"data.batch_size={next(fitting, self.samples)}   (or fewer trainer.devices)"

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer at the start of every epoch, also after a resume."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.samples // self.batch_size)

    def __iter__(self) -> Iterator[Key]:
        if self.seed is None:
            own = np.array_split(np.arange(self.samples), self.world)[self.rank]
            batches = np.array_split(own, len(self)) if self.world > 1 else _in_batches(own, self.batch_size)
            yield from ((None, batch) for batch in batches)
            return
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.samples)
        for batch in _in_batches(order, self.batch_size):
            yield self.epoch, np.array_split(batch, self.world)[self.rank]


def _in_batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    return [order[start : start + size] for start in range(0, len(order), size)]


def loader(data: EncodedSamples | TimedSamples, batch_size: int, seed: int | None) -> DataLoader:
    """Return a loader of whole batches; ``seed`` None = evaluation order and encoding."""
    # everything is in memory and encoding is one compiled call: worker processes would only copy
    return DataLoader(data, sampler=Batches(len(data), batch_size, seed), batch_size=None, num_workers=0)
