"""Compare spike rasters slot by slot, or spike times neuron by neuron, and say where they first part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph import golden
from lightning_neuro.graph.event import Times, check_runnable, population_times
from lightning_neuro.graph.hardware_graph import HardwareGraph

# float32 networks may fall on the other side of a threshold when the membrane is this close to it (relative).
TIE = 2e-5
# Largest relative difference of a read-out membrane between float32 and float64.
MEMBRANE_TOLERANCE = 1e-4
# Largest difference of a spike time, in membrane time constants, beyond what a threshold off by ``TIE`` explains.
TIME_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Outcome of a spike comparison.

    Args:
        slots: compared (sample, step, neuron) slots over all populations; a slot holds a spike, or in a
            read-out layer a membrane. In continuous time (sample, neuron) slots that hold a first spike's time.
        mismatches: slots that differ, outside samples excused by a tie.
        ties: samples left out because a float32 membrane met its threshold within rounding.
        first: where the first mismatch is, "" when there is none.
    """

    slots: int
    mismatches: int
    ties: int
    first: str

    def __str__(self) -> str:
        text = f"{self.mismatches} of {self.slots} slots differ"
        tied = f"; {self.ties} sample(s) excused: membrane at threshold within float32 rounding" if self.ties else ""
        return f"{text}{f', first at {self.first}' if self.first else ''}{tied}"


def compare_run(
    graph: HardwareGraph,
    raster: NDArray[Any],
    spikes: Mapping[str, NDArray[Any]],
    membranes: Mapping[str, NDArray[Any]],
) -> Comparison:
    """Run ``graph`` in real arithmetic and compare with a recording, population by population.

    A sample whose first difference is a float64 membrane within ``TIE`` of its threshold is excused and counted:
    single precision cannot decide it.

    Args:
        graph: graph in real numbers.
        raster: input, [sample, step, n].
        spikes: recorded spikes of spiking populations, [sample, step, n].
        membranes: recorded membranes of read-out populations, [sample, step, n].
    """
    recording = golden.run(graph, raster, arithmetic="real", record=True)
    excused = np.zeros(len(raster), dtype=bool)
    mismatches, slots, first = 0, 0, ""
    for population in graph.populations:
        name = population.name
        if name in spikes:
            differs = np.not_equal(recording.spikes[name], spikes[name])
        elif name in membranes:
            differs = _far(recording.membrane[name], membranes[name])
        else:
            continue
        excused |= _ties(differs & ~excused[:, None, None], recording.margin[name], population.neuron.threshold.real)
        differs &= ~excused[:, None, None]
        slots += int(differs.size)
        count = int(differs.sum())
        if count and not first:
            sample, step, neuron = (int(k) for k in np.argwhere(differs)[0])
            first = f"layer {name}, sample {sample}, step {step}, neuron {neuron}"
        mismatches += count
    return Comparison(slots=slots, mismatches=mismatches, ties=int(excused.sum()), first=first)


def compare_times(graph: HardwareGraph, times: Times, recorded: Mapping[str, Times]) -> Comparison:
    """Solve every population of a continuous graph on recorded times of its inputs; compare with its own recording.

    A recorded time is right when it lies between the first spikes that thresholds lower and higher by ``TIE`` give,
    ``TIME_TOLERANCE`` on either side: near a peak that just touches the threshold, rounding moves a spike far.

    Args:
        graph: continuous graph in real numbers.
        times: of the input lines, [sample, line] in seconds.
        recorded: of the populations, [sample, neuron] in seconds, inf = silent.
    """
    check_runnable(graph, times)
    known = {graph.input.name: np.ascontiguousarray(times, np.float64), **recorded}
    mismatches, slots, ties, first = 0, 0, np.zeros(len(times), dtype=bool), ""
    for population in graph.populations:
        got = recorded.get(population.name)
        if got is None:
            continue
        earliest, exact, latest = (population_times(graph, population, known, f) for f in (1 - TIE, 1.0, 1 + TIE))
        tolerance = TIME_TOLERANCE * float(population.neuron.tau_mem_s.max())  # type: ignore[union-attr]
        differs = ~((got >= earliest - tolerance) & (got <= latest + tolerance))
        ties |= ((np.isfinite(got) != np.isfinite(exact)) & ~differs).any(axis=1)
        slots += int(differs.size)
        if differs.any() and not first:
            sample, neuron = (int(k) for k in np.argwhere(differs)[0])
            first = f"layer {population.name}, sample {sample}, neuron {neuron}"
        mismatches += int(differs.sum())
    return Comparison(slots=slots, mismatches=mismatches, ties=int(ties.sum()), first=first)


def _far(got: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.bool_]:
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    return np.abs(got - expected) > MEMBRANE_TOLERANCE * scale


def _ties(differs: NDArray[np.bool_], margin: NDArray[np.float64], threshold: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Samples whose earliest differing slots of this population are all within rounding of the threshold."""
    any_difference = differs.any(axis=(1, 2))
    first_step = differs.any(axis=2).argmax(axis=1)
    rows = np.arange(len(differs))
    at_first = differs[rows, first_step]
    close = margin[rows, first_step] <= TIE * np.maximum(np.abs(threshold), 1e-12)
    return np.asarray(any_difference & (~at_first | close).all(axis=1))
