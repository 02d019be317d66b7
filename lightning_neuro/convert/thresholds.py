"""Firing thresholds from the activations on training data: maximum, percentile, or least squared error at T spikes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_neuro.convert.folded import FoldedNetwork, Layer, Levels, activations
from lightning_neuro.convert.options import Conversion

Vector = NDArray[np.float64]

MAX_VALUES = 1 << 22  # activations kept per layer; more are sampled at random, all alike
_CANDIDATES = np.linspace(0.02, 1.0, 99)  # clipping points tried, as a share of the largest activation
_SILENT = 1e-12
_LEAST_SHARE = 1 / 32  # of the layer's median: a channel that hardly ever is active would ask for five more bits


@dataclass(slots=True)
class Sampled:
    """Activations of one layer seen so far, [channel, value], at most ``MAX_VALUES``, each seen one equally likely.

    Every value column carries a random key and those with the smallest keys stay, so the sample is uniform whatever
    the sizes of the batches; the largest activation is exact.
    """

    generator: np.random.Generator
    largest: Vector | None = None
    seen: int = 0
    keys: Vector = field(default_factory=lambda: np.empty(0))
    values: NDArray[np.float32] | None = None

    def add(self, activation: Tensor) -> None:
        """Take a batch [sample, channel, ...]."""
        columns = activation.detach().transpose(0, 1).flatten(1).float().cpu().numpy()
        largest = columns.max(axis=1).astype(np.float64)
        self.largest = largest if self.largest is None else np.maximum(self.largest, largest)
        self.seen += columns.shape[1]
        room = max(1, MAX_VALUES // len(columns))
        keys = self.generator.random(columns.shape[1])
        if self.values is not None:
            keys, columns = np.concatenate([self.keys, keys]), np.concatenate([self.values, columns], axis=1)
        if columns.shape[1] > room:
            kept = np.argpartition(keys, room)[:room]
            keys, columns = keys[kept], columns[:, kept]
        self.keys, self.values = keys, columns


def collect(network: FoldedNetwork, batches: Iterable[Tensor], seed: int) -> dict[str, Sampled]:
    """Activations of every layer over training data, the read-out's scores included.

    Args:
        network: folded.
        batches: training inputs [sample, *input shape]; the last batch may be smaller.
        seed: of the random sample.
    """
    sampled = {
        layer.name: Sampled(generator=np.random.default_rng((seed, k))) for k, layer in enumerate(network.layers)
    }
    with torch.no_grad():
        for batch in batches:
            values = activations(network, batch)
            for layer in network.layers:
                sampled[layer.name].add(values[layer.name])
    return sampled


def find_thresholds(network: FoldedNetwork, sampled: Mapping[str, Sampled], options: Conversion) -> dict[str, Vector]:
    """Threshold of every channel of every spiking layer, [channels], in units of the activation.

    QCFS layers keep their learned one. Channels that were never active get the median of their layer: they cannot
    divide by zero and stay as silent as they were. Those that hardly were get at least a small part of it, so that
    hardware can hold all thresholds of a layer in one format.
    """
    spiking = network.layers if options.readout == "count" else network.spiking
    return {
        layer.name: options.threshold_stretch * _threshold(layer, sampled[layer.name], options) for layer in spiking
    }


def _threshold(layer: Layer, sampled: Sampled, options: Conversion) -> Vector:
    channels = layer.shape[0]
    if isinstance(layer.activation, Levels):
        return np.full(channels, layer.activation.threshold)
    assert sampled.values is not None and sampled.largest is not None, "no training data"
    values, largest = np.maximum(sampled.values, 0), np.maximum(sampled.largest, 0.0)
    if options.granularity == "layer" or layer.activation is None:
        values, largest = values.reshape(1, -1), largest.max(keepdims=True)
    found = NORMS[options.norm](values, largest, options)
    return np.array(np.broadcast_to(_without_silence(found), channels))


def _without_silence(thresholds: Vector) -> Vector:
    active = thresholds > _SILENT
    usual = float(np.median(thresholds[active])) if active.any() else 1.0
    return np.where(active, np.maximum(thresholds, _LEAST_SHARE * usual), usual)


def _percentile(values: NDArray[np.float32], largest: Vector, options: Conversion) -> Vector:
    found = np.percentile(values.astype(np.float64), options.percentile, axis=1)
    return np.where(found > _SILENT, found, largest)  # a channel that is active in fewer samples than that


def _least_squares(values: NDArray[np.float32], largest: Vector, options: Conversion) -> Vector:
    return np.array([mse_threshold(row, options.steps) for row in values])


def mse_threshold(activation: NDArray[np.float32], steps: int) -> float:
    """The clipping point that loses the least when ``activation`` is counted in ``steps`` levels, rounded half down.

    The error of a clipping point needs no pass over the values: they are sorted once, and sums over the values that
    share a level are differences of running sums.
    """
    ordered = np.sort(activation[activation > 0]).astype(np.float64)
    if not len(ordered):
        return 0.0
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    candidates = ordered[-1] * _CANDIDATES
    levels = np.arange(steps + 1)
    edges = np.searchsorted(ordered, candidates[:, None] / steps * (levels[1:] - 0.5), side="right")
    ends = np.full((len(candidates), 1), len(ordered))
    borders = np.concatenate([np.zeros_like(ends), edges, ends], axis=1)
    inside, totals = np.diff(borders, axis=1), np.diff(sums[borders], axis=1)
    values = candidates[:, None] / steps * levels
    errors = (values * values * inside - 2 * values * totals).sum(axis=1)
    return float(candidates[int(np.argmin(errors))])


NORMS: dict[str, Callable[[NDArray[np.float32], Vector, Conversion], Vector]] = {
    "max": lambda values, largest, options: largest,
    "percentile": _percentile,
    "mse": _least_squares,
}
