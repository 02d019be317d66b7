"""From a checkpoint of an ANN to one that can be deployed: convert, measure, write the spiking network into it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from lightning_neuro.checkpoint import KEY, InputSets, PackedInputs, load_checkpoint, to_plain, write_checkpoint
from lightning_neuro.collect import RECORDED_SAMPLES, Encoded, evaluation_loader, training_loader
from lightning_neuro.convert.analysis import WeightStatistics, weight_statistics
from lightning_neuro.convert.conversion import Converted, convert, labelled
from lightning_neuro.convert.early_stop import Stopped, stop_early
from lightning_neuro.convert.evaluation import Evaluation, evaluate
from lightning_neuro.convert.fold import fold
from lightning_neuro.convert.plan import ConversionPlan
from lightning_neuro.convert.simulate import CODINGS, input_spikes
from lightning_neuro.convert.to_nir import to_nir
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.calibrate import CALIBRATION_SAMPLES

BATCH = 256
KEPT = 32
DEFAULT_DT_S = 1e-3


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

    def batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """In order, some at a time."""
        yield from zip(self.values.split(BATCH), self.labels.split(BATCH), strict=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Intensities:
    """What a run's data look like to the ANN.

    Args:
        train: training samples, not augmented.
        test: of the evaluation.
        coding: how raw data became intensities, plain values.
    """

    train: Labelled
    test: Labelled
    coding: dict[str, str | int | float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConversionResult:
    """What came out of a conversion.

    Args:
        plan: what was asked for.
        converted: the networks.
        evaluation: the spiking network on the evaluation samples, every layer analysed.
        hybrid: with some layers spiking only; None unless asked for.
        stopped: with samples that stop early; None unless asked for.
        weights: statistics of weights and biases by layer.
        samples: first inputs of the evaluation, as the ANN takes them.
        seconds: that folding and calibration took.
    """

    plan: ConversionPlan
    converted: Converted
    evaluation: Evaluation
    hybrid: Evaluation | None
    stopped: Stopped | None
    weights: Mapping[str, WeightStatistics]
    samples: Tensor
    seconds: float

    def numbers(self) -> dict[str, float]:
        """Everything measured, flat: accuracies 0..1 by number of steps T."""
        found = self.evaluation
        chosen = found.steps.index(self.plan.options.steps)
        numbers = {
            "ann/accuracy": found.ann_accuracy,
            "snn/accuracy": float(found.accuracy[chosen]),
            "spikes_per_sample": float(found.spikes_per_sample[chosen]),
        }
        for k, step in enumerate(found.steps):
            numbers[f"snn/acc_T{step}"] = float(found.accuracy[k])
            numbers[f"snn/gap_T{step}"] = float(found.gap[k])
            numbers[f"snn/differing_T{step}"] = float(found.differing[k])
            numbers[f"snn/spikes_per_sample_T{step}"] = float(found.spikes_per_sample[k])
            numbers[f"snn/synaptic_operations_T{step}"] = float(found.synaptic_operations_per_sample[k])
            if self.hybrid is not None:
                numbers[f"hybrid/acc_T{step}"] = float(self.hybrid.accuracy[k])
        for name, layer in found.layers.items():
            numbers[f"snn/correlation/{name}"] = float(np.nanmean(layer.correlation[:, chosen]))
            numbers[f"snn/activity/{name}"] = float(layer.activity_mean[chosen])
        if self.stopped is not None:
            numbers["early_stop/accuracy"] = float((self.stopped.classes == found.labels).mean())
            numbers["early_stop/mean_steps"] = self.stopped.mean_steps
        return numbers


def check_convertible(trainer: pl.Trainer, module: pl.LightningModule, plan: ConversionPlan) -> None:
    """Refuse an ANN that has no spiking form before it is trained.

    Args:
        trainer, module: the run; two of its training samples are traced.
        plan: of the conversion.

    Raises:
        GraphError: names every operation that has no spiking form, and what to use instead.
        ConfigError: the split has no layer.
    """
    folded = fold(ann_of(module), collect_intensities(trainer, module, 2, 2).train.values)
    layers, split = len(folded.spiking), plan.split_layer
    if split is not None and split > layers:
        raise ConfigError(
            f"split_layer={split} of a network with {layers} spiking layers",
            where="model.conversion.split_layer",
            why="the first so many layers spike, the others stay an ANN",
            next_command=f"model.conversion.split_layer={max(1, layers - 1)}",
        )


def convert_checkpoints(
    paths: Iterable[Path], trainer: pl.Trainer, module: pl.LightningModule, plan: ConversionPlan, dt_s: float | None
) -> ConversionResult:
    """Convert the weights in checkpoints and write the spiking networks into them, each in one move.

    The module gets each checkpoint's weights for that and its own back afterwards.

    Args:
        paths: checkpoints of the same run, the best first.
        trainer, module: the run, for its data and its ANN.
        plan: how to convert, and what to measure.
        dt_s: length of a step in seconds; None takes 1 ms, which only names the unit of time.

    Returns:
        What the first checkpoint's network does.
    """
    data = collect_intensities(trainer, module, plan.samples, None)
    own = {name: value.clone() for name, value in module.state_dict().items()}
    packed: PackedInputs | None = None
    result: ConversionResult | None = None
    try:
        for path in paths:
            checkpoint = load_checkpoint(path)
            module.load_state_dict(checkpoint["state_dict"])
            start = time.perf_counter()
            converted = convert(ann_of(module), data.train.batches(), plan.options)
            seconds = time.perf_counter() - start
            packed = packed or PackedInputs.of(recorded_inputs(converted, data))
            graph, metadata = to_nir(converted.network, steps=plan.options.steps, dt_s=dt_s or DEFAULT_DT_S)
            metadata = dataclasses.replace(metadata, coding=packed.coding)
            checkpoint[KEY] = to_plain(graph, metadata, packed, None)
            write_checkpoint(checkpoint, path)
            result = result or measure(converted, data.test, plan, seconds)
    finally:
        module.load_state_dict(own)
    assert result is not None, "no checkpoint"
    return result


def measure(converted: Converted, test: Labelled, plan: ConversionPlan, seconds: float) -> ConversionResult:
    """Run a converted network on labelled samples, everything that the plan asks for.

    Args:
        converted: the networks.
        test: samples.
        plan: numbers of steps, split and margin.
        seconds: that the conversion took.
    """
    found = evaluate(converted, test.batches(), plan.curve, split_layer=None, analyse=True)
    split, margin = plan.split_layer, plan.early_stop
    return ConversionResult(
        plan=plan,
        converted=converted,
        evaluation=found,
        hybrid=split and evaluate(converted, test.batches(), plan.curve, split_layer=split, analyse=False),
        stopped=margin and stop_early(found.scores, found.steps, margin),
        weights=weight_statistics(converted),
        samples=test.values[:KEPT],
        seconds=seconds,
    )


def ann_of(module: pl.LightningModule) -> nn.Module:
    """The network to convert: what the module names so, else the module itself."""
    return module.ann if isinstance(module, HoldsAnn) else module


def collect_intensities(
    trainer: pl.Trainer, module: pl.LightningModule, samples: int, evaluated: int | None
) -> Intensities:
    """Inputs of the ANN for calibration and evaluation, the same at every later check.

    Args:
        trainer, module: the run.
        samples: training samples.
        evaluated: evaluation samples; None takes all of a data module that encodes, some of other data loaders.

    Raises:
        ConfigError: there are no data to take them from.
    """
    data = getattr(trainer, "datamodule", None)
    prepare = module.ann_inputs if isinstance(module, HoldsAnn) else lambda values: values
    if isinstance(data, Encoded):
        sets = [data.evaluation_set("train", samples), data.evaluation_set("test", evaluated)]
        train, test = (
            Labelled(values=prepare(torch.from_numpy(s.spikes)), labels=torch.from_numpy(s.labels))  # type: ignore[union-attr]
            for s in sets
        )
        return Intensities(train=train, test=test, coding=data.coding.to_dict())
    plain = {"kind": "direct", "steps": 1, "seed": 0, "gain": 1.0, "offset": 0.0, "scale": 1.0}
    return Intensities(
        train=_first(training_loader(trainer), samples, prepare),
        test=_first(evaluation_loader(trainer), evaluated or RECORDED_SAMPLES, prepare),
        coding=plain,
    )


def _first(loader: Iterable[Any], limit: int, prepare: Any) -> Labelled:
    values, labels, count = [], [], 0
    for inputs, targets in labelled(loader):
        values.append(prepare(inputs))
        labels.append(targets)
        count += len(targets)
        if count >= limit:
            break
    if not values:
        raise ConfigError(
            "a data loader gave no batch",
            where="Trainer",
            why="thresholds come from training samples, accuracies from evaluation samples",
            next_command="yield (inputs, labels) from the data loaders",
        )
    return Labelled(values=torch.cat(values)[:limit], labels=torch.cat(labels)[:limit])


def recorded_inputs(converted: Converted, data: Intensities) -> InputSets:
    """Inputs for the checkpoint: intensities once per sample, or the rasters where the input spikes."""
    options = converted.options
    coding = {**data.coding, "kind": CODINGS[options.input], "steps": options.steps, "seed": options.seed}
    calibration = Labelled(values=data.train.values[:CALIBRATION_SAMPLES], labels=data.train.labels)
    return InputSets(
        evaluation=_spike_set(converted, data.test), calibration=_spike_set(converted, calibration), coding=coding
    )


def _spike_set(converted: Converted, part: Labelled) -> SpikeSet:
    """Rasters of all steps; currents are the same in every step and take the memory of one."""
    steps = converted.options.steps
    raster = input_spikes(converted.network, part.values, steps, 0).flatten(2).numpy()
    labels = part.labels[: len(raster)].numpy().astype(np.int64)
    if converted.options.input == "analog":
        return SpikeSet(spikes=np.broadcast_to(raster, (len(raster), steps, raster.shape[2])), labels=labels)
    return SpikeSet(spikes=raster.astype(np.uint8), labels=labels)
