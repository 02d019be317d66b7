"""The golden model in continuous time: first spike times of every population, each computed on its own inputs' times.

Nothing is rounded and no step is taken: ``event_kernel`` follows NIR's two equations from event to event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import GraphError
from lightning_neuro.graph.event_kernel import first_crossings
from lightning_neuro.graph.hardware_graph import Dense, FirstSpike, HardwareGraph, Population, TimeBase

Times = NDArray[np.float64]
"""First spike times [sample, neuron] in seconds; inf where there is no spike."""

_CHUNK = 256  # samples between two reports of progress


def spike_times(graph: HardwareGraph, times: Times, progress: Callable[[int], None] | None = None) -> dict[str, Times]:
    """First spike times of all populations, by name.

    Args:
        graph: continuous graph.
        times: input spike times [sample, input] in seconds, inf = silent.
        progress: called with the number of samples just finished.

    Raises:
        GraphError: the graph is not a feed-forward network in continuous time, or the inputs do not fit.
    """
    check_runnable(graph, times)
    parts: list[dict[str, Times]] = []
    for start in range(0, max(1, len(times)), _CHUNK):
        known: dict[str, Times] = {graph.input.name: np.ascontiguousarray(times[start : start + _CHUNK], np.float64)}
        for population in graph.populations:
            known[population.name] = population_times(graph, population, known)
        parts.append(known)
        if progress is not None:
            progress(len(known[graph.input.name]))
    return {p.name: np.concatenate([part[p.name] for part in parts]) for p in graph.populations}


def population_times(
    graph: HardwareGraph, population: Population, known: Mapping[str, Times], threshold_factor: float = 1.0
) -> Times:
    """First spike times of one population from those of its inputs.

    Args:
        graph: continuous graph.
        population: one of its populations.
        known: times of everything that feeds it, by name.
        threshold_factor: multiplies the thresholds; a first spike is never earlier with a higher one.
    """
    neuron = population.neuron
    assert isinstance(neuron, FirstSpike)
    incoming = graph.into(population.name)
    arriving = np.concatenate([known[p.pre] for p in incoming], axis=1)
    weights = np.concatenate([p.connection.weight.real for p in incoming], axis=1)
    delays = np.zeros((0, 0))
    if any(p.delays_s is not None for p in incoming):
        parts = [np.zeros(p.connection.weight.real.shape) if p.delays_s is None else p.delays_s for p in incoming]
        delays = np.ascontiguousarray(np.concatenate(parts, axis=1))
    out = np.empty((len(arriving), population.size), np.float64)
    first_crossings(
        arriving,
        np.ascontiguousarray(weights),
        delays,
        neuron.tau_syn_s,
        neuron.tau_mem_s,
        neuron.threshold.real * threshold_factor,
        out,
    )
    return out


def check_runnable(graph: HardwareGraph, times: Times) -> None:
    """Refuse graphs that have steps or loops, thresholds that are not positive, and inputs that do not fit.

    Raises:
        GraphError: names the first thing that does not fit.
    """
    seen = {graph.input.name}
    for population in graph.populations:
        incoming = graph.into(population.name)
        neuron = population.neuron
        if not isinstance(neuron, FirstSpike) or graph.time is not TimeBase.CONTINUOUS:
            raise _refusal("event arithmetic was asked of a network that advances in steps", population.name)
        if not (neuron.threshold.real > 0).all() or population.bias.real.any():
            raise _refusal("a threshold that is not positive, or a constant drive", population.name)
        if not incoming or any(p.pre not in seen or not isinstance(p.connection, Dense) for p in incoming):
            raise _refusal("a population without inputs, in a loop, or not fully connected", population.name)
        if any(p.delays_s is not None and not (p.delays_s >= 0).all() for p in incoming):
            raise _refusal("a negative delay", population.name)
        seen.add(population.name)
    if times.ndim != 2 or times.shape[1] != graph.input.size or np.isnan(times).any():
        raise GraphError(
            f"input times of shape {times.shape}, the network takes [samples, {graph.input.size}] without NaN",
            where=graph.input.name,
            why="every input line spikes once, at a time in seconds, or never (inf)",
            next_command="check the data set that the network was trained on (data=...)",
        )


def _refusal(what: str, where: str) -> GraphError:
    return GraphError(
        what,
        where=where,
        why="first spikes are exact for feed-forward populations of current-based neurons with thresholds above 0",
        next_command="model=spike_time   (train again)",
    )
