"""Accuracy of a graph on recorded inputs, by the golden model."""

from __future__ import annotations

from collections.abc import Callable

from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.graph import golden
from lightning_neuro.graph.golden import Arithmetic
from lightning_neuro.graph.hardware_graph import HardwareGraph


def accuracy(
    graph: HardwareGraph,
    inputs: SpikeSet,
    arithmetic: Arithmetic,
    progress: Callable[[int], None] | None = None,
) -> float | None:
    """Share of labelled samples classified rightly, 0..1; None when no sample has a label (-1)."""
    known = inputs.labels >= 0
    if not known.any():
        return None
    classes = golden.run(graph, inputs.spikes, arithmetic=arithmetic, progress=progress).classes
    return float((classes == inputs.labels)[known].mean())
