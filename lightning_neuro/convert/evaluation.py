"""What a converted network does on a data set: accuracy against T, spikes, operations, agreement with the ANN."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_neuro.convert.analysis import LayerRecord, Recorder
from lightning_neuro.convert.conversion import Converted, Loader, labelled
from lightning_neuro.convert.folded import INPUT, activations, finish
from lightning_neuro.convert.operation_counts import fan_outs, input_fan_out
from lightning_neuro.convert.simulate import Run, simulate
from lightning_neuro.errors import ConfigError, DataError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """Results over all samples; every array that has an axis of T follows ``steps``.

    Args:
        steps: numbers of time steps T.
        labels: [sample].
        ann_classes: class that the ANN gives, [sample].
        classes: class that the spiking network (or the hybrid) gives, [sample, T].
        scores: what the class was read from, divided by T, [sample, T, class].
        spikes_per_sample: mean number of spikes, input included where it spikes, [T].
        synaptic_operations_per_sample: mean number of weights added because of a spike, [T].
        analog_operations_per_sample: multiplications of analog inputs, done once per sample.
        layers: correlation, activity, histogram and scatter of every layer; empty unless ``analyse``.
    """

    steps: tuple[int, ...]
    labels: NDArray[np.int64]
    ann_classes: NDArray[np.int64]
    classes: NDArray[np.int64]
    scores: NDArray[np.float32]
    spikes_per_sample: Array
    synaptic_operations_per_sample: Array
    analog_operations_per_sample: float
    layers: dict[str, LayerRecord]

    @property
    def ann_accuracy(self) -> float:
        """Share of samples that the ANN gets right."""
        return float((self.ann_classes == self.labels).mean())

    @property
    def accuracy(self) -> Array:
        """Share of samples that the spiking network gets right, [T]."""
        return (self.classes == self.labels[:, None]).mean(axis=0)

    @property
    def gap(self) -> Array:
        """ANN accuracy minus spiking accuracy, [T]."""
        return self.ann_accuracy - self.accuracy

    @property
    def differing(self) -> NDArray[np.int64]:
        """Number of samples whose class differs from the ANN's, [T]."""
        return (self.classes != self.ann_classes[:, None]).sum(axis=0)


def evaluate(
    converted: Converted,
    loader: Loader,
    steps: Sequence[int],
    *,
    split_layer: int | None,
    analyse: bool,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Run the spiking network and the ANN over a data set; batches may have any sizes.

    Args:
        converted: network.
        loader: batches (inputs, labels).
        steps: numbers of time steps T, rising; all of them come from one run where the schedule allows it.
        split_layer: only so many layers spike; their rates go through the rest of the ANN. None = all spike.
        analyse: also record correlation, activity and histograms of every layer.
        progress: called with the number of samples just done.

    Raises:
        ConfigError: steps or split that are not possible.
        DataError: no samples.
    """
    marks = checked_steps(steps)
    front = _checked_split(converted, split_layer)
    recorder, parts, seen = Recorder(converted=converted, steps=marks), [], 0
    with torch.no_grad():
        for values, labels in labelled(loader):
            run = simulate(
                converted.network, values, marks, first_id=seen, dtype=torch.float32, layers=front, count=True
            )
            ann = activations(converted.folded, values)
            scores = run.scores / torch.tensor(marks)[:, None] if front is None else hybrid_scores(
                converted, values, run, marks, front
            )  # fmt: skip
            parts.append((labels, ann[converted.folded.layers[-1].name].argmax(dim=1), scores, *_costs(converted, run)))
            if analyse:
                recorder.add(ann, run, scores)
            seen += len(values)
            if progress is not None:
                progress(len(values))
    if not parts:
        raise DataError("no samples to evaluate on", where="loader", why="it gave no batch",
                        next_command="evaluate(converted, datamodule.test_dataloader(), ...)")  # fmt: skip
    labels, ann_classes, scores, spikes, operations = (torch.cat(column) for column in zip(*parts, strict=True))
    analog = converted.options.input == "analog"
    return Evaluation(
        steps=marks,
        labels=labels.numpy(),
        ann_classes=ann_classes.numpy(),
        classes=scores.argmax(dim=2).numpy(),
        scores=scores.numpy(),
        spikes_per_sample=spikes.double().mean(dim=0).numpy(),
        synaptic_operations_per_sample=operations.double().mean(dim=0).numpy(),
        analog_operations_per_sample=float(input_fan_out(converted.network).sum()) if analog else 0.0,
        layers=recorder.records() if analyse else {},
    )


def hybrid_scores(converted: Converted, values: Tensor, run: Run, steps: tuple[int, ...], front: int) -> Tensor:
    """Scores [sample, T, class] of the ANN's back fed with rates of a spiking front of ``front`` layers."""
    found = []
    for k, mark in enumerate(steps):
        known = {INPUT: values}
        for layer in converted.network.layers[:front]:
            known[layer.name] = (run.counts[layer.name][:, k] / mark * layer.spread(layer.worth)).reshape(
                len(values), *layer.shape
            )
        found.append(finish(converted.folded, known, front)[converted.folded.layers[-1].name])
    return torch.stack(found, dim=1)


def _costs(converted: Converted, run: Run) -> tuple[Tensor, Tensor]:
    """Spikes and synaptic operations of every sample, [sample, T]."""
    spikes, operations = run.input_counts.clone(), run.input_counts.clone() * 0
    for name, fan_out in fan_outs(converted.network).items():
        if name in run.counts:
            spikes += run.counts[name].sum(dim=2)
            operations += run.counts[name] @ fan_out.to(run.counts[name])
    return spikes, operations


def checked_steps(steps: Sequence[int]) -> tuple[int, ...]:
    """The numbers of steps, rising.

    Raises:
        ConfigError: none, one below 1, or not rising.
    """
    marks = tuple(int(step) for step in steps)
    if not marks or marks[0] < 1 or list(marks) != sorted(set(marks)):
        raise ConfigError(f"numbers of steps {list(marks)}", where="steps", why="they are 1 or more, and rise",
                          next_command="steps=(1, 2, 4, 8, 16, 32)")  # fmt: skip
    return marks


def _checked_split(converted: Converted, split: int | None) -> int | None:
    layers = len(converted.folded.spiking)
    if split is not None and not 1 <= split <= layers:
        raise ConfigError(
            f"split_layer={split} of a network with {layers} spiking layers",
            where="conversion.split_layer",
            why="the first so many layers spike, the others stay an ANN",
            next_command=f"conversion.split_layer={max(1, layers - 1)}",
        )
    return split
