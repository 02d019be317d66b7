"""Inputs of an ANN with their labels, from our data modules or anybody's data loaders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lightning_neuro.collect import RECORDED_SAMPLES, Encoded, evaluation_loader, training_loader
from lightning_neuro.convert.conversion import labelled
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.errors import DataError

BATCH = 256
PLAIN_CODING: dict[str, str | int | float] = {
    "kind": "direct",
    "steps": 1,
    "seed": 0,
    "gain": 1.0,
    "offset": 0.0,
    "scale": 1.0,
}
"""Of values that reach the network as they are."""


@runtime_checkable
class HoldsAnn(Protocol):
    """A LightningModule that says which part of it is the ANN, and how a batch of its data reaches that."""

    ann: nn.Module

    def ann_inputs(self, batch: Tensor) -> Tensor:
        """Inputs of the ANN [sample, ...] of the first element of a batch."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labelled:
    """Inputs of the ANN with their labels.

    Args:
        values: [sample, *input shape].
        labels: [sample] class numbers.
    """

    values: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> Labelled:
        """The first samples."""
        return Labelled(values=self.values[:count], labels=self.labels[:count])

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """In order, some at a time."""
        yield from zip(self.values.split(BATCH), self.labels.split(BATCH), strict=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunData:
    """What a run's data look like to the ANN.

    Args:
        train: training samples, not augmented where our data modules can tell.
        test: of the evaluation.
        coding: how raw data became these values, plain.
    """

    train: Labelled
    test: Labelled
    coding: dict[str, str | int | float]


def first_of(
    loader: Iterable[Any], limit: int | None, prepare: Callable[[Tensor], Tensor] = lambda values: values
) -> Labelled:
    """The first samples that a loader gives.

    Args:
        loader: yields (inputs, labels).
        limit: samples at most; None takes all.
        prepare: from the inputs of a batch to those of the ANN.

    Raises:
        DataError: there are none.
    """
    values, labels, count = [], [], 0
    for inputs, targets in labelled(loader):
        values.append(prepare(inputs))
        labels.append(targets)
        count += len(targets)
        if limit is not None and count >= limit:
            break
    if not values:
        raise DataError(
            "a data loader gave no batch",
            where="data loader",
            why="thresholds come from training samples, accuracies from evaluation samples",
            next_command="yield (inputs, labels) from the data loaders",
        )
    return Labelled(values=torch.cat(values), labels=torch.cat(labels)).first(count if limit is None else limit)


def ann_of(module: pl.LightningModule) -> nn.Module:
    """The network to convert: what the module names so, else the module itself."""
    return module.ann if isinstance(module, HoldsAnn) else module


def run_data(trainer: pl.Trainer, module: pl.LightningModule, samples: int, evaluated: int | None) -> RunData:
    """Inputs of the ANN for calibration and evaluation, the same at every later check.

    Args:
        trainer, module: the run.
        samples: training samples.
        evaluated: evaluation samples; None takes all of our data modules, some of other data loaders.

    Raises:
        ConfigError: there is no data loader.
        DataError: there are no samples.
    """
    data = getattr(trainer, "datamodule", None)
    prepare = module.ann_inputs if isinstance(module, HoldsAnn) else lambda values: values
    if isinstance(data, Encoded):
        train, test = (
            Labelled(values=prepare(torch.from_numpy(found.spikes)), labels=torch.from_numpy(found.labels))
            for found in (data.evaluation_set("train", samples), data.evaluation_set("test", evaluated))
            if isinstance(found, SpikeSet)
        )
        return RunData(train=train, test=test, coding=data.coding.to_dict())
    return RunData(
        train=first_of(training_loader(trainer), samples, prepare),
        test=first_of(evaluation_loader(trainer), evaluated or RECORDED_SAMPLES, prepare),
        coding=PLAIN_CODING,
    )
