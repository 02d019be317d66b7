"""Recorded inputs as the raster of a graph in steps: spikes as they are, times in steps, currents as values.

A checkpoint keeps what was presented. What reaches the network depends on the graph and its arithmetic: spike times
fall into its steps, currents become integers of its input's format, and where a sample lasts longer than its input
(layers that work one after the other) the lines are silent at the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.graph.advance import Arithmetic
from lightning_neuro.graph.first_spike_steps import NEAREST, RASTER, rasterise
from lightning_neuro.graph.fixed import to_raw
from lightning_neuro.graph.hardware_graph import HardwareGraph

DIRECT = "direct"  # kind of coding: intensities as currents in every step


def raster_of(inputs: SpikeSet | SpikeTimeSet, graph: HardwareGraph, arithmetic: Arithmetic) -> NDArray[Any]:
    """Inputs as ``golden.run`` takes them for a graph in steps, [sample, step, line].

    Args:
        inputs: recorded samples.
        graph: stepped.
        arithmetic: in ``fixed`` currents become integers of the input's format.
    """
    if isinstance(inputs, SpikeTimeSet):
        assert graph.steps is not None
        nearest = graph.coding.get(RASTER) == NEAREST
        return rasterise(inputs.times, graph.dt_s, graph.steps, nearest=nearest)
    raster = inputs.spikes
    if arithmetic == "fixed" and graph.input.format is not None:
        raster = _integers(raster, graph)
    return _lasting(raster, graph.steps or 0)


def takes_currents(graph: HardwareGraph) -> bool:
    """Whether the input carries values rather than spikes."""
    return graph.input.format is not None or graph.coding.get("kind") == DIRECT


def _integers(raster: NDArray[Any], graph: HardwareGraph) -> NDArray[Any]:
    """Currents in the input's LSBs, in the narrowest type; those of constant samples are rounded once."""
    assert graph.input.format is not None
    narrow = np.int16 if graph.input.format.bits <= 16 else np.int64
    if raster.strides[1] == 0 and raster.shape[1] > 0:
        once = to_raw(raster[:, :1], graph.input.format).astype(narrow)
        return np.broadcast_to(once, raster.shape)
    return to_raw(raster, graph.input.format).astype(narrow)


def _lasting(raster: NDArray[Any], steps: int) -> NDArray[Any]:
    """The raster with silence up to the end of the sample."""
    missing = steps - raster.shape[1]
    if missing <= 0:
        return raster
    return np.concatenate([raster, np.zeros((len(raster), missing, raster.shape[2]), raster.dtype)], axis=1)
