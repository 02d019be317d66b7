"""Evaluation and calibration spikes for the checkpoint: from our data modules, or recorded at anybody's first layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lightning_neuro.checkpoint import Inputs, InputSets, first_samples
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.calibrate import CALIBRATION_SAMPLES
from lightning_neuro.graph.export import DescribesItself, Description, describe, sample_of
from lightning_neuro.graph.hardware_graph import ReadoutKind

TRACE_SAMPLES = 24  # enough to see every layer spike; small enough to run at every save
RECORDED_SAMPLES = 512  # of a foreign data loader


@runtime_checkable
class Encoded(Protocol):
    """A data module that keeps its evaluation encoding, as ours do."""

    coding: Any

    def evaluation_set(self, split: str, limit: int | None) -> Inputs:
        """Deterministic spikes of a split."""
        ...


@runtime_checkable
class TakesSpikeTimes(Protocol):
    """A module in continuous time, which knows its input lines: data, repetitions and bias spikes."""

    def input_lines(self, times: np.ndarray) -> np.ndarray:
        """Spike times [sample, line] in seconds of a data module's times [sample, n_in]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Semantics:
    """What a torch module may not say about itself; None means: look for it, else assume and say so."""

    dt_s: float | None
    readout: ReadoutKind | None


def collect_inputs(trainer: pl.Trainer, module: pl.LightningModule) -> InputSets:
    """Evaluation inputs of a run, the same at every later check.

    Raises:
        ConfigError: there is no data loader to take samples from.
    """
    data = getattr(trainer, "datamodule", None)
    if isinstance(data, Encoded):
        return InputSets(
            evaluation=network_inputs(module, data.evaluation_set("test", None)),
            calibration=network_inputs(module, data.evaluation_set("train", CALIBRATION_SAMPLES)),
            coding=data.coding.to_dict(),
        )
    evaluation = record_inputs(module, evaluation_loader(trainer), RECORDED_SAMPLES)
    return InputSets(evaluation=evaluation, calibration=first_samples(evaluation, CALIBRATION_SAMPLES), coding={})


def network_inputs(module: nn.Module, data: Inputs) -> Inputs:
    """What reaches the network: rasters as they are, spike times on all input lines in seconds.

    Raises:
        ConfigError: spike times meet a module that takes rasters, or the other way round.
    """
    if isinstance(data, SpikeTimeSet) != isinstance(module, TakesSpikeTimes):
        raise ConfigError(
            f"the data are {'spike times' if isinstance(data, SpikeTimeSet) else 'rasters'}, {type(module).__name__} "
            "takes the other",
            where="data and model",
            why="networks in continuous time take one spike time per input, all others take spikes step by step",
            next_command="model=spike_time data=yin_yang   (or model=lif data=digits)",
        )
    if isinstance(data, SpikeTimeSet) and isinstance(module, TakesSpikeTimes):
        return SpikeTimeSet(times=module.input_lines(data.times), labels=data.labels)
    return data


def describe_module(
    trainer: pl.Trainer,
    module: pl.LightningModule,
    semantics: Semantics,
    coding: dict[str, str | int | float],
) -> Description:
    """Trace a LightningModule on one batch and write it as NIR (see ``export.describe``)."""
    data = getattr(trainer, "datamodule", None)
    if isinstance(data, Encoded):
        found = data.evaluation_set("val", TRACE_SAMPLES)
        sample = torch.from_numpy(found.times if isinstance(found, SpikeTimeSet) else found.spikes)
    else:
        sample = sample_of(next(iter(evaluation_loader(trainer))), TRACE_SAMPLES)
    return describe_on(module, sample, semantics, coding)


def describe_on(
    module: nn.Module, sample: Tensor, semantics: Semantics, coding: dict[str, str | int | float]
) -> Description:
    """Trace a module on a given sample; one sample fewer when samples and steps could be taken for each other."""
    dt_s = semantics.dt_s if semantics.dt_s is not None else _attribute(module, "dt")
    readout = semantics.readout
    if readout is None and isinstance(getattr(module, "readout", None), str):
        readout = ReadoutKind(module.readout)
    with torch.random.fork_rng(devices=[]):
        sample = _on_device(module, sample)
        if isinstance(module, DescribesItself):
            return module.describe_itself(sample, coding)
        described = describe(module, lambda: module(sample), dt_s=dt_s, readout=readout, coding=coding)
        if described.raster.shape[0] == described.raster.shape[1] and len(sample) > 1:
            fewer = sample[:-1]
            described = describe(module, lambda: module(fewer), dt_s=dt_s, readout=readout, coding=coding)
    return described


def record_inputs(module: nn.Module, loader: Iterable[object], limit: int) -> Inputs:
    """Run a module over a data loader and keep what reaches its first layer, with the labels.

    Args:
        module: anybody's module; called with the first element of each batch.
        loader: yields (inputs, labels).
        limit: samples at most.
    """
    spikes, labels, count = [], [], 0
    for batch in loader:
        sample = sample_of(batch, limit - count)
        described = describe_on(module, sample, Semantics(dt_s=None, readout=None), {})
        spikes.append(described.raster)
        labels.append(_labels_of(batch, len(described.raster)))
        count += len(described.raster)
        if count >= limit:
            break
    if spikes[0].ndim == 2:  # continuous time
        return SpikeTimeSet(times=np.concatenate(spikes), labels=np.concatenate(labels))
    return SpikeSet(spikes=np.concatenate(spikes), labels=np.concatenate(labels))


def _labels_of(batch: object, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Class numbers of a batch, -1 where there are none."""
    labels = batch[1] if isinstance(batch, list | tuple) and len(batch) > 1 else None
    if isinstance(labels, Tensor) and labels.ndim == 1 and not labels.is_floating_point():
        return labels[:count].cpu().numpy().astype(np.int64)
    return np.full(count, -1, np.int64)


def _attribute(module: nn.Module, name: str) -> float | None:
    value = getattr(getattr(module, "hparams", None), name, None)
    return float(value) if isinstance(value, int | float) else None


def _on_device(module: nn.Module, sample: Tensor) -> Tensor:
    first = next(iter(module.parameters()), None)
    return sample if first is None else sample.to(first.device)


def evaluation_loader(trainer: pl.Trainer) -> Iterable[object]:
    """The test, validation or training loader of a trainer, the first there is.

    Raises:
        ConfigError: there is none.
    """
    return _first_loader(trainer, ("test_dataloader", "val_dataloader"), ("test", "val", "train"))


def training_loader(trainer: pl.Trainer) -> Iterable[object]:
    """The training loader of a trainer.

    Raises:
        ConfigError: there is none.
    """
    return _first_loader(trainer, ("train_dataloader",), ("train",))


_OF_TRAINER: dict[str, Callable[[pl.Trainer], object]] = {
    "test": lambda trainer: trainer.test_dataloaders,
    "val": lambda trainer: trainer.val_dataloaders,
    "train": lambda trainer: trainer.train_dataloader,
}


def _first_loader(trainer: pl.Trainer, methods: tuple[str, ...], splits: tuple[str, ...]) -> Iterable[object]:
    data = getattr(trainer, "datamodule", None)
    sources: list[Callable[[], object]] = [] if data is None else [getattr(data, name) for name in methods]
    sources += [lambda split=split: _OF_TRAINER[split](trainer) for split in splits]  # type: ignore[misc]
    for source in sources:
        try:
            loader = source()
        except Exception:  # a LightningDataModule raises MisconfigurationException where a loader is not defined
            continue
        if loader is not None:
            return loader[0] if isinstance(loader, list | tuple) else loader  # type: ignore[return-value]
    raise ConfigError(
        "no data loader to take samples from",
        where="Trainer",
        why="the checkpoint carries samples, so that every artefact can be checked on the same inputs",
        next_command="pass val_dataloaders= or a datamodule to trainer.fit",
    )
