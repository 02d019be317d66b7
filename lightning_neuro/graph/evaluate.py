"""Accuracy of a graph on recorded inputs, by the golden model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.graph import golden
from lightning_neuro.graph.golden import Arithmetic
from lightning_neuro.graph.hardware_graph import HardwareGraph, TimeBase
from lightning_neuro.graph.inputs import raster_of

_RASTER_VALUES = 100_000_000  # of rasters that are made at a time; bounds memory to some hundred MB


def accuracy(
    graph: HardwareGraph,
    inputs: SpikeSet | SpikeTimeSet,
    arithmetic: Arithmetic,
    progress: Callable[[int], None] | None = None,
) -> float | None:
    """Share of labelled samples classified rightly, 0..1; None when no sample has a label (-1)."""
    known = inputs.labels >= 0
    if not known.any():
        return None
    return float((classes_of(graph, inputs, arithmetic, progress) == inputs.labels)[known].mean())


def classes_of(
    graph: HardwareGraph,
    inputs: SpikeSet | SpikeTimeSet,
    arithmetic: Arithmetic,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.int64]:
    """Class of every sample [sample]; what was recorded becomes rasters where the graph advances in steps."""
    if isinstance(inputs, SpikeTimeSet) and graph.time is TimeBase.CONTINUOUS:
        return golden.run(graph, inputs.times, arithmetic=arithmetic, progress=progress).classes
    assert arithmetic != "event"
    steps = graph.steps or (inputs.spikes.shape[1] if isinstance(inputs, SpikeSet) else 1)
    many = max(1, _RASTER_VALUES // max(1, steps * graph.input.size))
    parts = [
        golden.run(
            graph,
            raster_of(inputs.take(slice(start, start + many)), graph, arithmetic),
            arithmetic=arithmetic,
            progress=progress,
        ).classes
        for start in range(0, max(1, len(inputs)), many)
    ]
    return np.concatenate(parts)
