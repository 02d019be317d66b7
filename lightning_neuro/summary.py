"""The layers of a graph in the words of a report."""

from __future__ import annotations

import numpy as np

from lightning_neuro.graph.connections import fan_in
from lightning_neuro.graph.digest import graph_sha256
from lightning_neuro.graph.golden import Recording
from lightning_neuro.graph.hardware_graph import (
    Connection,
    Convolution,
    Dense,
    HardwareGraph,
    Population,
    Projection,
    TimeBase,
)
from lightning_neuro.report import ConnectionSummary, GraphSummary, InputSummary, PopulationSummary


def summarise(graph: HardwareGraph, recording: Recording) -> GraphSummary:
    """The network in words and sizes; spikes of a population are the mean over the recorded samples."""
    entry = graph.input
    return GraphSummary(
        sha256=graph_sha256(graph),
        populations=tuple(_summary(graph, population, recording) for population in graph.populations),
        input=InputSummary(
            name=entry.name,
            size=entry.size,
            shape=entry.shape,
            bits=None if entry.format is None else entry.format.bits,
        ),
        connections=tuple(_connection(p) for population in graph.populations for p in graph.into(population.name)),
    )


def _connection(projection: Projection) -> ConnectionSummary:
    weight = projection.connection.weight
    return ConnectionSummary(
        pre=projection.pre,
        post=projection.post,
        kind=kind_of(projection.connection),
        weights=int(weight.real.size),
        bits=None if weight.format is None else weight.format.bits,
        delay=projection.delay,
    )


def kind_of(connection: Connection) -> str:
    """A connection in a few words, for example ``"convolution 3x3"`` or ``"sum pooling 2x2, dense"``."""
    if isinstance(connection, Dense):
        return "dense"
    if isinstance(connection, Convolution):
        return f"convolution {_times(connection.window.kernel)}"
    return f"sum pooling {_times(connection.pool.kernel)}, {kind_of(connection.then)}"


def _times(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


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
