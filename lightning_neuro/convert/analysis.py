"""How closely spikes follow the ANN, layer by layer, over all images: arrays for plots and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_neuro.convert.conversion import Converted
from lightning_neuro.convert.simulate import Run
from lightning_neuro.convert.stages import weight_stages

Array = NDArray[np.float64]

HISTOGRAM_EDGES = (0, 1, 11, 51)
"""Lower edges of the groups 0, 1-10, 11-50 and more than 50 spikes of a neuron in one sample."""

_SCATTER_POINTS = 2000  # pairs kept per layer
_SCATTER_PER_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerRecord:
    """One layer over all samples; the read-out has no spikes, its scores are correlated.

    Args:
        correlation: Pearson r between activations of the ANN and rates of the spikes, [sample, T]; NaN where either
            does not vary within the sample.
        activity_mean, activity_std: spikes per neuron and step, mean and deviation over samples, [T].
        histogram: share of neurons and samples with a number of spikes in each group of ``HISTOGRAM_EDGES``, at the
            largest T.
        scatter: some (activation, rate) pairs at the largest T, [pair, 2].
    """

    correlation: Array
    activity_mean: Array
    activity_std: Array
    histogram: Array
    scatter: Array


def pearson(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's r along the last axis, broadcast over the others; NaN where a side is constant."""
    a, b = (x.double() - x.double().mean(dim=-1, keepdim=True) for x in (first, second))
    return (a * b).sum(dim=-1) / (a.square().sum(dim=-1) * b.square().sum(dim=-1)).sqrt()


def spike_histogram(counts: Tensor) -> Array:
    """Share of entries in each group of ``HISTOGRAM_EDGES``."""
    edges = torch.tensor(HISTOGRAM_EDGES, dtype=counts.dtype)
    groups = torch.bucketize(counts.flatten(), edges, right=True) - 1
    return (torch.bincount(groups, minlength=len(edges)).double() / max(1, groups.numel())).numpy()


@dataclass(slots=True)
class Recorder:
    """Collects batches of any sizes."""

    converted: Converted
    steps: tuple[int, ...]
    _parts: dict[str, list[tuple[Tensor, Tensor, Array, Tensor]]] = field(default_factory=dict)

    def add(self, ann: Mapping[str, Tensor], run: Run, scores: Tensor) -> None:
        """Take a batch.

        Args:
            ann: activations of every layer, [sample, *shape].
            run: of the same samples.
            scores: of the read-out per step, [sample, T, class].
        """
        times = torch.tensor(self.steps)[:, None]
        for layer in self.converted.network.layers:
            wanted = ann[layer.name].flatten(1)
            if layer.name in run.counts:
                counts = run.counts[layer.name]
                rates = counts / times * layer.spread(layer.worth)
            elif layer is self.converted.network.layers[-1]:
                counts, rates = scores.new_zeros(*scores.shape[:2], 0), scores
            else:
                continue
            self._parts.setdefault(layer.name, []).append(
                (
                    pearson(wanted[:, None], rates),
                    counts.sum(dim=2) / times[:, 0] / max(1, counts.shape[2]),
                    spike_histogram(counts[:, -1]) * len(counts),
                    _pairs(wanted, rates[:, -1]),
                )
            )

    def records(self) -> dict[str, LayerRecord]:
        """What was collected, by layer."""
        return {name: _record(parts) for name, parts in self._parts.items()}


def _pairs(wanted: Tensor, rates: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(wanted.numel(), generator=generator)[:_SCATTER_PER_BATCH]
    return torch.stack([wanted.flatten()[chosen], rates.flatten()[chosen]], dim=1)


def _record(parts: list[tuple[Tensor, Tensor, Array, Tensor]]) -> LayerRecord:
    correlation = torch.cat([part[0] for part in parts]).double().numpy()
    activity = torch.cat([part[1] for part in parts]).double().numpy()
    return LayerRecord(
        correlation=correlation,
        activity_mean=activity.mean(axis=0),
        activity_std=activity.std(axis=0),
        histogram=np.sum([part[2] for part in parts], axis=0) / len(correlation),
        scatter=torch.cat([part[3] for part in parts]).double().numpy()[:_SCATTER_POINTS],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightStatistics:
    """Mean and variance of the weights and biases of a layer, in the ANN (folded) and in the spiking network."""

    ann_weight_mean: float
    ann_weight_variance: float
    ann_bias_mean: float
    ann_bias_variance: float
    weight_mean: float
    weight_variance: float
    bias_mean: float
    bias_variance: float


def weight_statistics(converted: Converted) -> dict[str, WeightStatistics]:
    """Statistics of every layer by name."""
    found = {}
    for before, after in zip(converted.folded.layers, converted.network.layers, strict=True):
        numbers = []
        for layer in (before, after):
            weights = [stage.weight.flatten() for path in layer.paths for stage in weight_stages(path.stages)]
            for values in (torch.cat(weights) if weights else torch.zeros(1), layer.bias):
                numbers += [float(values.double().mean()), float(values.double().var(correction=0))]
        found[before.name] = WeightStatistics(**dict(zip(WeightStatistics.__slots__, numbers, strict=True)))
    return found
