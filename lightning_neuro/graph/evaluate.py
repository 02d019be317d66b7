"""Accuracy of a graph on recorded inputs, by the golden model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.graph import golden
from lightning_neuro.graph.first_spike_steps import NEAREST, RASTER, rasterise
from lightning_neuro.graph.golden import Arithmetic
from lightning_neuro.graph.hardware_graph import HardwareGraph, TimeBase

_RASTER_BYTES = 200_000_000  # of rasters that are made from spike times at a time


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


def as_rasters(inputs: SpikeSet | SpikeTimeSet, graph: HardwareGraph) -> SpikeSet:
    """Inputs as a graph in steps takes them: rasters as they are, spike times in its steps."""
    if isinstance(inputs, SpikeSet):
        return inputs
    assert graph.steps is not None
    nearest = graph.coding.get(RASTER) == NEAREST
    return SpikeSet(spikes=rasterise(inputs.times, graph.dt_s, graph.steps, nearest=nearest), labels=inputs.labels)


def classes_of(
    graph: HardwareGraph,
    inputs: SpikeSet | SpikeTimeSet,
    arithmetic: Arithmetic,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.int64]:
    """Class of every sample [sample]; spike times become rasters where the graph advances in steps."""
    if isinstance(inputs, SpikeSet):
        return golden.run(graph, inputs.spikes, arithmetic=arithmetic, progress=progress).classes
    if graph.time is TimeBase.CONTINUOUS:
        return golden.run(graph, inputs.times, arithmetic=arithmetic, progress=progress).classes
    assert graph.steps is not None
    many = max(1, _RASTER_BYTES // (graph.steps * graph.input.size))
    parts = [
        golden.run(
            graph,
            as_rasters(inputs.take(slice(start, start + many)), graph).spikes,
            arithmetic=arithmetic,
            progress=progress,
        ).classes
        for start in range(0, max(1, len(inputs)), many)
    ]
    return np.concatenate(parts)
