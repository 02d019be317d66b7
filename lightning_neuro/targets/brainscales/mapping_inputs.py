"""Input spikes of a network as events in hardware time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import HardwareGraph, TimeBase
from lightning_neuro.targets.brainscales.chip_network import SpikeEvents
from lightning_neuro.targets.brainscales.mapping_cells import MappingOptions, hardware_us, step_us


def input_events(graph: HardwareGraph, spikes: NDArray[Any], options: MappingOptions) -> SpikeEvents:
    """Spikes of the input lines in hardware microseconds.

    Args:
        graph: the network.
        spikes: raster [sample, step, line] of a stepped network, whose spikes come at the beginnings of their steps,
            or times [sample, line] in seconds, inf = silent, of one in continuous time.
        options: settings.
    """
    if graph.time is TimeBase.CONTINUOUS:
        sample, line = np.nonzero(np.isfinite(spikes))
        times = hardware_us(1.0, options) * spikes[sample, line]
    else:
        sample, step, line = np.nonzero(spikes)
        times = step * step_us(graph, options)
    return SpikeEvents(sample=sample, neuron=line, time_us=times, samples=len(spikes), size=graph.input.size)
