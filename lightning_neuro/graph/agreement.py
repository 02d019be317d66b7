"""Refine the weight scale of each population until the integer network spikes most like the float one.

The scale that rounds weights best is not the scale that keeps spikes best: a clipped outlier may matter less than a
finer grid, or more. On calibration data the difference can simply be counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph import golden
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import FirstSpike, HardwareGraph, Population, ResetKind
from lightning_neuro.graph.quantize import LEAST_HEADROOM, Formats, quantize

FACTORS = np.linspace(0.8, 1.4, 13)  # tried on the scale of least squared error; 1 is among them
SAMPLES = 128

Counts = Mapping[str, NDArray[Any]]


def refine_formats(
    graph: HardwareGraph, formats: Mapping[str, Formats], leak_bits: int, spikes: NDArray[np.uint8]
) -> dict[str, Formats]:
    """Rescale the formats of spiking populations, one after the other, for the fewest wrong spike counts.

    Args:
        graph: graph in real numbers.
        formats: of every population, from ``choose_formats``.
        leak_bits: largest shift of a leak.
        spikes: calibration input, [sample, step, n]; the first ``SAMPLES`` are used.

    Returns:
        Formats with the same widths; where nothing is better, the same formats.
    """
    sample = spikes[:SAMPLES]
    wanted = spike_counts(golden.run(graph, sample, arithmetic="real", record=True))

    def distance(candidate: Mapping[str, Formats]) -> float:
        quantized = quantize(graph, candidate, leak_bits)
        return count_distance(wanted, spike_counts(golden.run(quantized, sample, arithmetic="fixed", record=True)))

    best, least = dict(formats), distance(formats)
    for population in graph.populations:
        for candidate in _rescaled(population, formats[population.name]):
            trial = best | {population.name: candidate}
            if (found := distance(trial)) < least:
                best, least = trial, found
    return best


def spike_counts(recording: golden.Recording) -> Counts:
    """Spikes of every neuron in every sample, [sample, neuron], by population."""
    return {name: raster.sum(axis=1, dtype=np.int64) for name, raster in recording.spikes.items()}


def count_distance(wanted: Counts, got: Counts) -> float:
    """Mean difference of spike counts per neuron and sample, summed over populations, so that small ones count too."""
    return float(sum(np.abs(wanted[name] - got[name]).mean() for name in wanted))


def _rescaled(population: Population, formats: Formats) -> list[Formats]:
    neuron = population.neuron
    if isinstance(neuron, FirstSpike) or neuron.reset.kind is ResetKind.NONE:
        return []  # a read-out without spikes keeps the scale of its calibrated range
    threshold = float(np.abs(neuron.threshold.real).max(initial=0.0))
    scaled = [
        Formats(
            weight=Format(bits=formats.weight.bits, lsb=formats.weight.lsb * float(factor)),
            state=Format(bits=formats.state.bits, lsb=formats.state.lsb * float(factor)),
        )
        for factor in FACTORS
    ]
    return [f for f in scaled if (f.state.high + 1) * f.state.lsb >= LEAST_HEADROOM * threshold]
