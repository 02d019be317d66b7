"""The layers of a graph in the words of a report."""

from __future__ import annotations

import numpy as np

from lightning_neuro.graph.connections import fan_in
from lightning_neuro.graph.golden import Recording
from lightning_neuro.graph.hardware_graph import HardwareGraph, Population, TimeBase
from lightning_neuro.report import PopulationSummary


def summarise(graph: HardwareGraph, recording: Recording) -> tuple[PopulationSummary, ...]:
    """One entry per population; spikes are the mean over the recorded samples."""
    return tuple(_summary(graph, population, recording) for population in graph.populations)


def _summary(graph: HardwareGraph, population: Population, recording: Recording) -> PopulationSummary:
    incoming = graph.into(population.name)
    formats = [p.connection.weight.format for p in incoming]
    return PopulationSummary(
        name=population.name,
        size=population.size,
        neuron=type(population.neuron).__name__,
        reset=_reset(graph, population),
        fan_in=sum(fan_in(p.connection) for p in incoming),
        weight_bits=max((f.bits for f in formats if f is not None), default=None),
        state_bits=None if population.state_format is None else population.state_format.bits,
        spikes_per_sample=_spikes_per_sample(population.name, recording),
    )


def _reset(graph: HardwareGraph, population: Population) -> str:
    if graph.time is TimeBase.CONTINUOUS:
        return "once"
    reset = population.stepped.reset
    return f"{reset.kind.value}, delay {reset.delay}"


def _spikes_per_sample(name: str, recording: Recording) -> float:
    if name in recording.times:
        times = recording.times[name]
        return float(np.isfinite(times).sum()) / max(1, len(times))
    raster = recording.spikes[name]
    return float(raster.sum()) / max(1, len(raster))
