"""A converted network in a checkpoint, from where every target takes it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytorch_lightning as pl

from lightning_neuro.checkpoint import (
    CURVE,
    KEY,
    AccuracyCurve,
    InputSets,
    PackedInputs,
    Plain,
    load_checkpoint,
    to_plain,
    write_checkpoint,
)
from lightning_neuro.convert.conversion import Converted, convert
from lightning_neuro.convert.evaluation import Evaluation, evaluate
from lightning_neuro.convert.fold import fold
from lightning_neuro.convert.options import Conversion
from lightning_neuro.convert.plan import CURVE as CURVE_STEPS
from lightning_neuro.convert.plan import ConversionPlan
from lightning_neuro.convert.result import ConversionResult, measure
from lightning_neuro.convert.samples import PLAIN_CODING, Labelled, RunData, ann_of, run_data
from lightning_neuro.convert.simulate import CODINGS, input_spikes
from lightning_neuro.convert.to_nir import to_nir
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.calibrate import CALIBRATION_SAMPLES

DEFAULT_DT_S = 1e-3  # names the unit of time; neurons without leak have no other


def check_convertible(trainer: pl.Trainer, module: pl.LightningModule, plan: ConversionPlan) -> None:
    """Refuse an ANN that has no spiking form before it is trained.

    Args:
        trainer, module: the run; two of its training samples are traced.
        plan: of the conversion.

    Raises:
        GraphError: names every operation that has no spiking form, and what to use instead.
        ConfigError: the split has no layer.
    """
    folded = fold(ann_of(module), run_data(trainer, module, 2, 2).train.values)
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
        dt_s: length of a step in seconds; None takes 1 ms.

    Returns:
        What the first checkpoint's network does.
    """
    data = run_data(trainer, module, plan.samples, None)
    own = {name: value.clone() for name, value in module.state_dict().items()}
    inputs: PackedInputs | None = None
    result: ConversionResult | None = None
    try:
        for path in paths:
            checkpoint = load_checkpoint(path)
            module.load_state_dict(checkpoint["state_dict"])
            start = time.perf_counter()
            converted = convert(ann_of(module), data.train.batches(), plan.options)
            seconds = time.perf_counter() - start
            inputs = inputs or packed_inputs(converted, data)
            record = network_record(converted, inputs, dt_s)
            if result is None:
                result = measure(converted, data.test, plan, seconds)
                record[CURVE] = curve_of(result.evaluation, plan.options.steps).to_plain()
            write_checkpoint({**checkpoint, KEY: record}, path)
    finally:
        module.load_state_dict(own)
    assert result is not None, "no checkpoint"
    return result


def save_converted(
    converted: Converted, path: Path, *, train: Labelled, test: Labelled, dt_s: float | None = None
) -> None:
    """Write a converted network into a checkpoint of its own, for ``deploy``; no training state is in it.

    Args:
        converted: by ``convert``.
        path: ``.ckpt`` file to write.
        train: training samples, from which number formats are chosen.
        test: evaluation samples, on which every artefact is checked.
        dt_s: length of a step in seconds; None takes 1 ms.
    """
    inputs = packed_inputs(converted, RunData(train=train, test=test, coding=PLAIN_CODING))
    steps = converted.options.steps
    found = evaluate(converted, test.batches(), sorted({*CURVE_STEPS, steps}), split_layer=None, analyse=False)
    record = network_record(converted, inputs, dt_s)
    write_checkpoint({KEY: {**record, CURVE: curve_of(found, steps).to_plain()}}, path)


def network_record(converted: Converted, inputs: PackedInputs, dt_s: float | None) -> Plain:
    """The network as a checkpoint keeps it under ``KEY``, not rounded yet."""
    graph, metadata = to_nir(converted.network, steps=converted.options.steps, dt_s=dt_s or DEFAULT_DT_S)
    said = (*metadata.assumptions, in_words(converted.options))
    return to_plain(graph, dataclasses.replace(metadata, coding=inputs.coding, assumptions=said), inputs, None)


def in_words(options: Conversion) -> str:
    """How a network was converted, for reports.

    >>> from lightning_neuro.convert import DEFAULT
    >>> in_words(DEFAULT)[:50]
    'converted from an ANN: T = 8, synchronous, thresho'
    """
    stretched = "" if options.threshold_stretch == 1 else f" times {options.threshold_stretch:g}"
    return (
        f"converted from an ANN: T = {options.steps}, {options.schedule}, thresholds {options.norm} per "
        f"{options.granularity}{stretched}, reset {options.reset}, input {options.input}, read-out {options.readout}"
    )


def curve_of(found: Evaluation, chosen: int) -> AccuracyCurve:
    """What reports show of an evaluation; ``chosen`` is the number of steps of the conversion."""
    accuracy = tuple(float(value) for value in found.accuracy)
    return AccuracyCurve(steps=found.steps, accuracy=accuracy, ann=found.ann_accuracy, chosen=chosen)


def packed_inputs(converted: Converted, data: RunData) -> PackedInputs:
    """Inputs for a checkpoint: intensities once per sample, or the rasters where the input spikes."""
    options = converted.options
    calibration = data.train.first(CALIBRATION_SAMPLES)
    return PackedInputs.of(
        InputSets(
            evaluation=_spike_set(converted, data.test),
            calibration=_spike_set(converted, calibration),
            coding={**data.coding, "kind": CODINGS[options.input], "steps": options.steps, "seed": options.seed},
        )
    )


def _spike_set(converted: Converted, part: Labelled) -> SpikeSet:
    """Rasters of all steps; currents are the same in every step and take the memory of one."""
    steps = converted.options.steps
    raster = input_spikes(converted.network, part.values, steps, 0).flatten(2).numpy()
    labels = part.labels.numpy().astype(np.int64)
    if converted.options.input == "analog":
        return SpikeSet(spikes=np.broadcast_to(raster, (len(raster), steps, raster.shape[2])), labels=labels)
    return SpikeSet(spikes=raster.astype(np.uint8), labels=labels)
