"""Draws what a conversion found, for the run folder and for reports."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from lightning_neuro.convert.analysis import HISTOGRAM_EDGES, WeightStatistics
from lightning_neuro.convert.result import ConversionResult
from lightning_neuro.report import conversion_plots as plots
from lightning_neuro.report.model import Plot

FOLDER = "pictures"


def write_pictures(result: ConversionResult, folder: Path) -> list[Path]:
    """Write the pictures of a conversion into ``folder/pictures``; returns the files.

    Args:
        result: of the conversion.
        folder: of the run.
    """
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    files = []
    for name, picture in pictures(result).items():
        files.append(folder / FOLDER / f"{name}.png")
        files[-1].write_bytes(picture.png)
    return files


def pictures(result: ConversionResult) -> dict[str, Plot]:
    """All pictures of a conversion by name of the file."""
    found, records = result.evaluation, result.evaluation.layers
    spiking = {name: record for name, record in records.items() if record.histogram.sum() > 0}
    lines = {"spiking network": found.accuracy}
    if result.hybrid is not None:
        lines[f"hybrid, {result.plan.split_layer} spiking layers"] = result.hybrid.accuracy
    return {
        "accuracy": plots.accuracy_over_steps(
            found.steps, lines, found.ann_accuracy, result.plan.options.steps
        ),
        "correlation": plots.correlation_over_steps(
            found.steps,
            {name: np.nanmean(record.correlation, axis=0) for name, record in records.items()},
            {name: np.nanstd(record.correlation, axis=0) for name, record in records.items()},
        ),
        "scatter": plots.correlation_scatter(
            {name: (record.scatter[:, 0], record.scatter[:, 1]) for name, record in records.items()},
            {name: float(np.nanmean(record.correlation[:, -1])) for name, record in records.items()},
            found.steps[-1],
        ),
        "activity": plots.layer_activity(
            found.steps,
            {name: record.activity_mean for name, record in spiking.items()},
            {name: record.activity_std for name, record in spiking.items()},
        ),
        "spike_counts": plots.spike_counts(
            {name: record.histogram for name, record in spiking.items()}, groups(), found.steps[-1]
        ),
        "parameters": plots.parameter_statistics(_statistics(result.weights)),
    }


def groups() -> tuple[str, ...]:
    """Groups of numbers of spikes in words: "0", "1-10", ..., "above 50"."""
    edges = HISTOGRAM_EDGES
    names = [str(low) if low == high - 1 else f"{low}-{high - 1}" for low, high in pairwise(edges)]
    return (*names, f"above {edges[-1] - 1}")


def _statistics(weights: Mapping[str, WeightStatistics]) -> dict[str, dict[str, tuple[float, float]]]:
    return {
        name: {
            "ANN weights": (s.ann_weight_mean, s.ann_weight_variance**0.5),
            "ANN biases": (s.ann_bias_mean, s.ann_bias_variance**0.5),
            "SNN weights": (s.weight_mean, s.weight_variance**0.5),
            "SNN biases": (s.bias_mean, s.bias_variance**0.5),
        }
        for name, s in weights.items()
    }
