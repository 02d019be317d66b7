"""What the layers of a simulated artefact did, read from the traces of the testbench."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.report import Observed
from lightning_neuro.report.observed import observed_rasters
from lightning_neuro.targets.fpga.plan import LayerPlan

BY = "GHDL"
TRACED_RUNS = 8
"""Samples from the first on whose values are kept for the pictures."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Values of some runs, neurons as the graph numbers them, NaN where they are undefined or were never reached.

    Args:
        samples: of every run.
        spikes: [run, step, neuron] by layer.
        membrane: [run, step, neuron] by layer, raw integers.
    """

    samples: tuple[int, ...]
    spikes: Mapping[str, NDArray[Any]]
    membrane: Mapping[str, NDArray[Any]]

    def taken(self, runs: Sequence[int]) -> Trace:
        """Some of the runs."""
        chosen = list(runs)
        return Trace(
            samples=tuple(self.samples[run] for run in chosen),
            spikes={name: values[chosen] for name, values in self.spikes.items()},
            membrane={name: values[chosen] for name, values in self.membrane.items()},
        )


def read_trace(folder: Path, layers: Sequence[LayerPlan], samples: Sequence[int], steps: int) -> Trace:
    """Read the traces that a simulation left.

    Args:
        folder: with ``trace_<layer>.txt``; a layer that never finished a step has none.
        layers: plans in order.
        samples: of every run that was traced.
        steps: of a run.
    """
    spikes, membrane = {}, {}
    for index, layer in enumerate(layers):
        values = np.full((len(samples) * steps, 2 * layer.neurons), np.nan)
        path = folder / f"trace_{index}.txt"
        rows = path.read_text().splitlines()[: len(values)] if path.exists() else []
        for row, line in enumerate(rows):
            values[row] = [np.nan if word == "x" else float(word) for word in line.split()[2:]]
        both = values.reshape(len(samples), steps, 2, layer.neurons)
        in_graph = np.argsort(layer.order)
        spikes[layer.name], membrane[layer.name] = both[:, :, 0, in_graph], both[:, :, 1, in_graph]
    return Trace(samples=tuple(samples), spikes=spikes, membrane=membrane)


def observed_in(trace: Trace) -> Observed:
    """The trace in the form of a report."""
    return observed_rasters(BY, trace.samples, trace.spikes, trace.membrane)
