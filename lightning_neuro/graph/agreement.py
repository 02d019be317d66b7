"""Refine the weight scale of each population until the integer network spikes most like the float one.

The scale that rounds weights best is not the scale that keeps spikes best: a clipped outlier may matter less than a
finer grid, or more. On calibration data the difference can simply be counted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.graph import golden
from lightning_neuro.graph.blocks import blocks
from lightning_neuro.graph.event import Times
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import FirstSpike, HardwareGraph, Population, ResetKind
from lightning_neuro.graph.inputs import raster_of
from lightning_neuro.graph.quantize import LEAST_HEADROOM, Formats, on_grid, quantize

FACTORS = np.linspace(0.8, 1.4, 13)  # tried on the scale of least squared error; 1 is among them
SAMPLES, LEAST_SAMPLES = 128, 16
MOST_VALUES = 16_000_000  # steps times neurons times samples of one run
EVENT_FACTORS = np.linspace(0.6, 1.4, 17)  # likewise, for spike times
SOFTMIN_TAUS = 0.2  # difference of output times that matters, as in training
EVENT_SWEEPS = 2  # over the populations: the best scale of one depends on the other's

Counts = Mapping[str, NDArray[Any]]


def refine_formats(
    graph: HardwareGraph, formats: Mapping[str, Formats], calibration: SpikeSet
) -> dict[str, Formats]:
    """Rescale the formats of spiking populations, one after the other, for the fewest wrong spike counts.

    Args:
        graph: graph in real numbers.
        formats: of every population, from ``choose_formats``.
        calibration: input samples; the first ``SAMPLES`` are used, of large networks fewer.

    Returns:
        Formats with the same widths; where nothing is better, the same formats.
    """
    some = calibration.take(slice(_samples(graph, calibration.spikes.shape[1])))
    sample = raster_of(some, graph, "fixed")
    wanted = spike_counts(golden.run(graph, raster_of(some, graph, "real"), arithmetic="real", record=True))

    def run(candidate: Mapping[str, Formats], known: Counts) -> golden.Recording:
        quantized = quantize(graph, candidate)
        return golden.run(quantized, sample, arithmetic="fixed", record=True, known=known)

    best, recording = dict(formats), run(formats, {})
    least = count_distance(wanted, spike_counts(recording))
    for group in blocks(graph):
        known = _before(graph, group, recording)
        for population in map(graph.population, group):
            if _on_grid(graph, population, formats[population.name].weight):
                continue  # trained with these integers: no other scale holds them
            for candidate in _rescaled(population, formats[population.name]):
                trial = best | {population.name: candidate}
                tried = run(trial, known)
                if (found := count_distance(wanted, spike_counts(tried))) < least:
                    best, least, recording = trial, found, tried
    return best


def _on_grid(graph: HardwareGraph, population: Population, format: Format) -> bool:
    """Whether all weights into a population are whole numbers of LSBs already, and not all of them 0."""
    unit = {graph.input.name: 1.0 if graph.input.format is None else graph.input.format.lsb}
    parts = [p.connection.weight.real.ravel() * unit.get(p.pre, 1.0) for p in graph.into(population.name)]
    weights = np.concatenate(parts)
    return bool(weights.any()) and on_grid(weights, format.lsb)


def _samples(graph: HardwareGraph, steps: int) -> int:
    """How many samples tell scales apart in a bearable time."""
    values = max(graph.steps or 0, steps) * sum(p.size for p in graph.populations)
    return max(LEAST_SAMPLES, min(SAMPLES, MOST_VALUES // max(1, values)))


def _before(graph: HardwareGraph, group: tuple[str, ...], recording: golden.Recording) -> dict[str, golden.Raster]:
    """Rasters of the populations that run before a group, and do not depend on it."""
    order = blocks(graph)
    return {name: recording.spikes[name] for earlier in order[: order.index(group)] for name in earlier}


def spike_counts(recording: golden.Recording) -> Counts:
    """Spikes of every neuron in every sample, [sample, neuron], by population."""
    return {name: raster.sum(axis=1, dtype=np.int64) for name, raster in recording.spikes.items()}


def count_distance(wanted: Counts, got: Counts) -> float:
    """Mean difference of spike counts per neuron and sample, summed over populations, so that small ones count too."""
    return float(sum(np.abs(wanted[name] - got[name]).mean() for name in wanted))


def refine_event_formats(graph: HardwareGraph, formats: Mapping[str, Formats], times: Times) -> dict[str, Formats]:
    """Rescale the weight formats of a network in continuous time such that its answers change least.

    Args:
        graph: continuous graph in real numbers.
        formats: of every population, from ``choose_formats``.
        times: calibration input, [sample, line] in seconds.
    """
    wanted = golden.run(graph, times, arithmetic="event")

    def distance(candidate: Mapping[str, Formats]) -> float:
        rounded = quantize(graph, candidate)
        return answer_distance(graph, wanted, golden.run(rounded, times, arithmetic="event"))

    best, least = dict(formats), distance(formats)
    for _ in range(EVENT_SWEEPS):
        for name, start in formats.items():
            for factor in EVENT_FACTORS:
                lsb = start.weight.lsb * float(factor)
                trial = best | {name: dataclasses.replace(start, weight=Format(bits=start.weight.bits, lsb=lsb))}
                if (found := distance(trial)) < least:
                    best, least = trial, found
    return best


def answer_distance(graph: HardwareGraph, wanted: golden.Recording, got: golden.Recording) -> float:
    """Mean change of the classes' shares exp(-t / xi) / sum exp(-t / xi), xi = ``SOFTMIN_TAUS`` tau_syn.

    A lead that shrinks counts before it is lost, so that few samples tell scales apart which change few answers.
    """
    neuron = graph.population(graph.output).neuron
    assert isinstance(neuron, FirstSpike)
    width = SOFTMIN_TAUS * float(neuron.tau_syn_s.mean())
    first, second = (_shares(r.times[graph.output] / width) for r in (wanted, got))
    return float(np.abs(first - second).mean())


def _shares(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmin over the classes, [sample, class]; 0 for all where all are silent."""
    earliest = times.min(axis=1, keepdims=True)
    weights = np.exp(np.where(np.isfinite(earliest), earliest, 0.0) - times)
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1.0)


def _rescaled(population: Population, formats: Formats) -> list[Formats]:
    neuron = population.stepped
    if neuron.reset.kind is ResetKind.NONE:
        return []  # a read-out without spikes keeps the scale of its calibrated range
    assert formats.state is not None
    threshold = float(np.abs(neuron.threshold.real).max(initial=0.0))
    scaled = [
        dataclasses.replace(
            formats,
            weight=Format(bits=formats.weight.bits, lsb=formats.weight.lsb * float(factor)),
            state=Format(bits=formats.state.bits, lsb=formats.state.lsb * float(factor)),
        )
        for factor in FACTORS
    ]
    half_range = float(1 << (formats.state.bits - 1))
    return [f for f in scaled if f.state is not None and half_range * f.state.lsb >= LEAST_HEADROOM * threshold]
