"""First spikes of a network in exact steps, held against the analytic event times: neuron by neuron, and end to end.

Given the spikes that reach it, at the beginnings of the steps in which they act, a neuron must spike in the step in
which the analytic membrane first passes the threshold. The only excuse is a peak between two steps: the membrane is
above the threshold for less than a step and below it again when the step ends, so that it is never seen. From the
inputs on, every spike is moved to a grid on its way, layer by layer; how far that carries is measured, not promised.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph import golden
from lightning_neuro.graph.event import Times, population_times
from lightning_neuro.graph.first_spike_steps import times_of
from lightning_neuro.graph.golden import Raster
from lightning_neuro.graph.hardware_graph import FirstSpike, HardwareGraph, Population
from lightning_neuro.report import Check, Outcome

CHECK = "analytic_first_spikes"
EXPECTED = "every neuron spikes in the step of its analytic time"
_ROUNDING = 1e-6  # of a step, and of a threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTimes:
    """First spikes of one layer in all samples.

    Args:
        name: layer.
        pairs: neurons times samples.
        wrong: pairs in another step than the analytic neuron that gets the same spikes, without excuse.
        unseen: pairs whose analytic membrane peaks above the threshold between two steps alone.
        within: share of the pairs, end to end, that are within one step of the analytic network's time, or silent
            in both; of pairs that are silent in both alone there is nothing to be said, so they do not count.
        one_alone: pairs that spike in one network and not in the other, end to end.
        spikes: pairs that spike in either network.
    """

    name: str
    pairs: int
    wrong: int
    unseen: int
    within: float
    one_alone: int
    spikes: int


def compare_first_spikes(
    analytic: HardwareGraph, graph: HardwareGraph, times: Times, rasters: Mapping[str, Raster]
) -> tuple[LayerTimes, ...]:
    """Compare every layer.

    Args:
        analytic: network in continuous time, with the weights of ``graph``.
        graph: the same in steps, with exact decays.
        times: input spike times [sample, line] in seconds.
        rasters: spikes of the input and of every layer, [sample, step, neuron], as ``graph`` has them.
    """
    wanted = golden.run(analytic, times, arithmetic="event").times
    acting = {name: _beginnings(raster, graph.dt_s) for name, raster in rasters.items()}
    layers, depth = [], {graph.input.name: 0}
    for population in analytic.populations:
        name, delays = population.name, _delays_in_steps(analytic, population, graph.dt_s)
        depth[name] = 1 + max(depth[p.pre] for p in analytic.into(name))
        found, end = times_of(rasters[name], graph.dt_s), graph.dt_s * rasters[name].shape[1]
        wrong, unseen = _own(delays, population, acting, found, graph.dt_s, end)
        within, alone, spikes = _end_to_end(found, wanted[name], graph.dt_s, end, depth[name])
        layers.append(
            LayerTimes(
                name=name,
                pairs=found.size,
                wrong=wrong,
                unseen=unseen,
                within=within,
                one_alone=alone,
                spikes=spikes,
            )
        )
    return tuple(layers)


def _beginnings(raster: Raster, dt_s: float) -> Times:
    """Times at which spikes act: the beginnings of their steps."""
    return times_of(raster, dt_s) - dt_s


# -- given the spikes that arrive ---------------------------------------------------------------------------------


def _own(
    stepped: HardwareGraph, population: Population, acting: Mapping[str, Times], found: Times, dt: float, end: float
) -> tuple[int, int]:
    """Pairs in the wrong step, and those of them that are excused by a peak between two steps."""
    own = population_times(stepped, population, acting)
    own = np.where(own > end * (1 + _ROUNDING), np.inf, own)
    with np.errstate(invalid="ignore"):
        late = (found - own) / dt  # 0 to 1 in the right step
        right = ((late > -_ROUNDING) & (late < 1 + _ROUNDING)) | (np.isinf(found) & np.isinf(own))
    unseen = 0
    for sample, neuron in np.argwhere(~right):
        unseen += _sinks_again(stepped, population, acting, (sample, neuron), float(own[sample, neuron]), dt)
    return int((~right).sum()) - unseen, unseen


def _sinks_again(
    graph: HardwareGraph,
    population: Population,
    acting: Mapping[str, Times],
    where: tuple[int, int],
    at: float,
    dt: float,
) -> bool:
    """Whether the membrane is below its threshold at the end of the step in which it passed it."""
    if not np.isfinite(at):
        return False
    sample, neuron = where
    seen = np.ceil(at / dt - _ROUNDING) * dt
    cell = population.neuron
    assert isinstance(cell, FirstSpike)
    syn, mem = float(cell.tau_syn_s[neuron]), float(cell.tau_mem_s[neuron])
    membrane = 0.0
    for p in graph.into(population.name):
        late = 0.0 if p.delays_s is None else p.delays_s[neuron]
        since = seen - acting[p.pre][sample] - late
        membrane += float(p.connection.weight.real[neuron] @ potential(since, syn, mem))
    return membrane <= float(cell.threshold.real[neuron]) * (1 + _ROUNDING)


def potential(since: NDArray[np.float64], tau_syn: float, tau_mem: float) -> NDArray[np.float64]:
    """Membrane that a spike of weight 1 causes ``since`` seconds later; 0 before it."""
    s = np.where(np.isfinite(since), np.maximum(since, 0.0), 0.0)
    if tau_syn == tau_mem:
        return s / tau_mem * np.exp(-s / tau_mem)
    return tau_mem / (tau_mem - tau_syn) * (np.exp(-s / tau_mem) - np.exp(-s / tau_syn))


# -- end to end ---------------------------------------------------------------------------------------------------


def _end_to_end(found: Times, wanted: Times, dt: float, end: float, depth: int) -> tuple[float, int, int]:
    """Share within one step, pairs that spike in one network alone, pairs that spike in either.

    A spike is somewhere in its step, so the middle is the best guess; and it acts at the beginning, half a step early,
    so that each layer on the way adds half a step.
    """
    wanted = np.where(wanted > end, np.inf, wanted)
    guess = found - 0.5 * dt + 0.5 * dt * (depth - 1)
    spikes = np.isfinite(found) | np.isfinite(wanted)
    both = np.isfinite(found) & np.isfinite(wanted)
    near = np.abs(guess[both] - wanted[both]) <= dt * (1 + _ROUNDING)
    count = int(spikes.sum())
    return float(near.sum()) / max(count, 1), count - int(both.sum()), count


# -- the check ----------------------------------------------------------------------------------------------------


def first_spike_check(layers: tuple[LayerTimes, ...], seconds: float, dt_s: float) -> Check:
    """Judge: pairs in a wrong step without excuse fail it; the end-to-end numbers are told."""
    wrong, unseen = sum(x.wrong for x in layers), sum(x.unseen for x in layers)
    pairs = sum(x.pairs for x in layers)
    got = f"{wrong:,} of {pairs:,} in another step" + (f", {unseen} peaks between two steps unseen" if unseen else "")
    parts = [
        f"{x.name} {100 * x.within:.1f} % of {x.spikes:,} spikes within one step"
        + (f", {x.one_alone} in one network alone" if x.one_alone else "")
        for x in layers
    ]
    return Check(
        name=CHECK,
        outcome=Outcome.FAILED if wrong else Outcome.PASSED,
        expected=EXPECTED,
        got=got,
        detail=f"each neuron given the spikes that reach it, dt = {1e6 * dt_s:.4g} µs; end to end, against analytic "
        f"times that no layer moves to a grid: {'; '.join(parts)}",
        seconds=seconds,
    )


def analytic_first_spikes(
    analytic: HardwareGraph, graph: HardwareGraph, times: Times, rasters: Mapping[str, Raster]
) -> Check:
    """``compare_first_spikes`` and ``first_spike_check`` in one."""
    start = time.perf_counter()
    layers = compare_first_spikes(analytic, graph, times, rasters)
    return first_spike_check(layers, time.perf_counter() - start, graph.dt_s)


def _delays_in_steps(graph: HardwareGraph, population: Population, dt_s: float) -> HardwareGraph:
    """The network with the delays of a population's synapses rounded to whole steps, as the stepped one has them."""
    projections = tuple(
        p
        if p.post != population.name or p.delays_s is None
        else dataclasses.replace(p, delays_s=np.rint(p.delays_s / dt_s) * dt_s)
        for p in graph.projections
    )
    return dataclasses.replace(graph, projections=projections)
