"""The golden model: what a HardwareGraph means, executable.

``fixed`` runs the raw integers exactly; an FPGA must equal it bit for bit. ``real`` runs the same five lines in
float64 with the graph's weights (rounded or not) and unrounded constants; simulators must equal it spike for
spike. Feed-forward parts run whole sequences; only the populations of a loop advance step by step. ``event`` solves
first-spike networks in continuous time, without steps (``graph.event``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import GraphError
from lightning_neuro.graph.advance import STEPS, Advanced, Raster, advance, fresh_state
from lightning_neuro.graph.advance import Arithmetic as SteppedArithmetic
from lightning_neuro.graph.blocks import blocks
from lightning_neuro.graph.blocks import loops as recurrent_groups
from lightning_neuro.graph.connections import (
    Apply,
    add_constant_drive,
    add_drive,
    largest_value,
    prepare_fixed,
    prepare_real,
)
from lightning_neuro.graph.event import Times, spike_times
from lightning_neuro.graph.hardware_graph import (
    Dense,
    HardwareGraph,
    Input,
    Population,
    Projection,
    ReadoutKind,
    ResetKind,
    TimeBase,
    Values,
)

__all__ = ["Arithmetic", "Raster", "Recording", "decide", "delayed", "exact_matmul", "read_out", "run", "weight_shift"]

Arithmetic = Literal["fixed", "real", "event"]
NO_CLASS = -1
"""Class of a sample that a first-spike network does not answer: all its output neurons stay silent."""

_CHUNK_VALUES = 16_000_000  # values of the widest layer per chunk; bounds memory to a few hundred MB


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """What a run of a graph did.

    Args:
        spikes: spike raster of every population, [sample, step, neuron].
        membrane: membrane after the reset of every population, [sample, step, neuron]; raw integers (int64)
            in ``fixed`` arithmetic, model units (float64) in ``real``. Empty unless recorded.
        margin: |membrane - threshold| at the comparison, ``real`` arithmetic only. Empty unless recorded.
        scores: read-out value of every class, [sample, class]; the class is the first maximum.
        classes: predicted class of every sample (``decide``).
        times: first spike times of every population in seconds, [sample, neuron], ``event`` arithmetic only, which
            has no rasters and membranes.
    """

    spikes: dict[str, Raster]
    membrane: dict[str, NDArray[Any]]
    margin: dict[str, NDArray[np.float64]]
    scores: NDArray[Any]
    classes: NDArray[np.int64]
    times: dict[str, Times] = field(default_factory=dict)


def run(
    graph: HardwareGraph,
    spikes: NDArray[Any],
    *,
    arithmetic: Arithmetic,
    record: bool = False,
    progress: Callable[[int], None] | None = None,
    known: Mapping[str, Raster] | None = None,
) -> Recording:
    """Run a graph on input spikes.

    Args:
        graph: stepped graph, quantised when ``arithmetic`` is ``fixed``; a continuous one when it is ``event``.
        spikes: input raster [sample, step, input]: 0/1, or with direct coding real values in ``real`` arithmetic and
            raw integers of the input's format in ``fixed`` (``inputs.raster_of`` makes either). In ``event``
            arithmetic spike times [sample, input] in seconds, inf = silent.
        arithmetic: ``fixed`` (integers), ``real`` (float64) or ``event`` (continuous time).
        record: keep rasters and membranes of every population, not only the scores and output spikes.
        progress: called with the number of samples just finished.
        known: rasters of populations that need not run again, such as those before a layer that was changed; not of
            the output.

    Raises:
        GraphError: the graph is not stepped, not quantised, has a loop without delay, or the raster does not fit.
    """
    if arithmetic == "event":
        return _run_events(graph, spikes, progress)
    _check_runnable(graph, spikes, arithmetic)
    widest = max(graph.input.size, *(p.size for p in graph.populations))
    chunk = max(1, _CHUNK_VALUES // max(1, widest * spikes.shape[1]))
    parts: list[Recording] = []
    for start in range(0, len(spikes), chunk):
        part = spikes[start : start + chunk]
        before = {name: raster[start : start + chunk] for name, raster in (known or {}).items()}
        parts.append(_run_chunk(graph, part, arithmetic, record, before))
        if progress is not None:
            progress(len(part))
    return _concatenate(parts) if parts else _run_chunk(graph, spikes, arithmetic, record, known or {})


def _run_events(graph: HardwareGraph, times: Times, progress: Callable[[int], None] | None) -> Recording:
    found = spike_times(graph, times, progress)
    scores = -found[graph.output]
    return Recording(spikes={}, membrane={}, margin={}, scores=scores, classes=decide(graph, scores), times=found)


def _run_chunk(
    graph: HardwareGraph, spikes: NDArray[Any], arithmetic: SteppedArithmetic, record: bool, known: Mapping[str, Raster]
) -> Recording:
    rasters: dict[str, NDArray[Any]] = {graph.input.name: spikes, **known}
    tape = Tape(graph=graph, arithmetic=arithmetic, rasters=rasters, membranes={}, margins={})
    loops = set(recurrent_groups(graph))
    for group in blocks(graph):
        if known.keys() >= set(group):
            continue
        if group in loops:
            _advance_together(tape, group)
        else:
            _advance_alone(tape, group[0])
    rasters = {p.name: tape.rasters[p.name] for p in graph.populations}
    membranes, margins = tape.membranes, tape.margins
    scores = read_out(graph.readout, rasters[graph.output], membranes[graph.output])
    if not record:
        rasters, membranes, margins = {graph.output: rasters[graph.output]}, {}, {}
    classes = decide(graph, scores)
    return Recording(spikes=rasters, membrane=membranes, margin=margins, scores=scores, classes=classes)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tape:
    """A run in progress: what every population did so far."""

    graph: HardwareGraph
    arithmetic: SteppedArithmetic
    rasters: dict[str, NDArray[Any]]
    membranes: dict[str, NDArray[Any]]
    margins: dict[str, NDArray[np.float64]]

    def keep(self, name: str, advanced: Advanced) -> None:
        """Note what a population did."""
        self.rasters[name], self.membranes[name] = advanced.spikes, advanced.membrane
        if advanced.margin is not None:
            self.margins[name] = advanced.margin


def _advance_alone(tape: Tape, name: str) -> None:
    """A population outside every loop: all steps at once."""
    population = tape.graph.population(name)
    drive = _drive(tape, population, tape.graph.into(name))
    state = fresh_state(population, len(drive), tape.arithmetic)
    tape.keep(name, advance(population, drive, state, tape.arithmetic, first=0))


def _advance_together(tape: Tape, group: tuple[str, ...]) -> None:
    """Populations of a loop: step by step, with the drive from outside the loop computed beforehand."""
    graph, arithmetic = tape.graph, tape.arithmetic
    populations = [graph.population(name) for name in group]
    inside = {p.name: [x for x in graph.into(p.name) if x.pre in group] for p in populations}
    drives = {p.name: _drive(tape, p, [x for x in graph.into(p.name) if x.pre not in group]) for p in populations}
    apply = {x.name: _scaled(x, p, graph, arithmetic) for p in populations for x in inside[p.name]}
    samples, steps = drives[group[0]].shape[:2]
    states = {p.name: fresh_state(p, samples, arithmetic) for p in populations}
    done = {p.name: Advanced.empty(drives[p.name], arithmetic) for p in populations}
    for t in range(steps):
        for population in populations:
            drive = drives[population.name][:, t].copy()
            for projection in inside[population.name]:
                if t >= projection.delay:
                    drive += apply[projection.name](done[projection.pre].spikes[:, t - projection.delay])
            now = advance(population, drive[:, None], states[population.name], arithmetic, first=t)
            done[population.name].put(t, now)
    for name in group:
        tape.keep(name, done[name])


def delayed(raster: NDArray[Any], delay: int) -> NDArray[Any]:
    """Shift a raster [sample, step, n] by whole steps; the first ``delay`` steps are silent."""
    if delay == 0:
        return raster
    shifted = np.zeros_like(raster)
    shifted[:, delay:] = raster[:, :-delay]
    return shifted


# -- drive: x = W s + b ------------------------------------------------------------------------------------------


def exact_matmul(raster: NDArray[Any], weight: NDArray[np.int64]) -> NDArray[Any]:
    """``raster @ weight.T`` in integers, through the fastest arithmetic that is provably exact.

    Args:
        raster: integers, [sample, step, pre].
        weight: raw weights, [post, pre].
    """
    largest = int(np.abs(raster).max(initial=1)) if raster.dtype != np.uint8 else int(raster.max(initial=1))
    apply = prepare_fixed(Dense(weight=Values(real=weight, raw=weight)), largest)
    return apply(raster.reshape(-1, raster.shape[-1])).reshape(*raster.shape[:2], weight.shape[0])


def weight_shift(projection: Projection, population: Population, source: Input) -> int:
    """Binary digits between the LSB of a projection's drive and the membrane's.

    ``drive lsb = membrane lsb * 2**shift``; a spike drives with the weight's LSB, an integer input with the product
    of the weight's LSB and its own.

    Args:
        projection: synapses.
        population: that they drive.
        source: the graph's input.
    """
    weight, state = projection.connection.weight.format, population.state_format
    assert weight is not None and state is not None
    unit = source.format.lsb if projection.pre == source.name and source.format is not None else 1.0
    return round(np.log2(weight.lsb * unit / state.lsb))


def _scaled(
    projection: Projection, population: Population, graph: HardwareGraph, arithmetic: SteppedArithmetic
) -> Apply:
    """A projection's drive in the population's units: state LSBs in integers."""
    if arithmetic == "real":
        return prepare_real(projection.connection)
    largest = largest_value(graph.input) if projection.pre == graph.input.name else 1
    weighted, shift = prepare_fixed(projection.connection, largest), weight_shift(projection, population, graph.input)
    return lambda rows: weighted(rows) << shift


def _drive(tape: Tape, population: Population, projections: Sequence[Projection]) -> NDArray[Any]:
    """Sum of biases and of projections whose rasters are known, [sample, step, n]."""
    fixed = tape.arithmetic == "fixed"
    samples, steps = tape.rasters[tape.graph.input.name].shape[:2]
    values: Callable[[Values], NDArray[Any]] = (lambda v: v.integers()) if fixed else (lambda v: v.real)
    drive = np.empty((samples, steps, population.size), np.int64 if fixed else np.float64)
    drive[:] = values(population.bias)
    for late in population.late_biases:
        drive[:, late.onset : late.until] += values(late.values)
    for projection in projections:
        raster = delayed(tape.rasters[projection.pre], projection.delay)
        apply = _scaled(projection, population, tape.graph, tape.arithmetic)
        if raster.dtype != np.uint8:  # currents, constant for most of a sample
            add_constant_drive(drive, apply, raster)
            continue
        rows, total = raster.reshape(-1, raster.shape[-1]), drive.reshape(-1, population.size)
        add_drive(total, projection.connection, apply, rows)
    return drive


# -- read-out ----------------------------------------------------------------------------------------------------


def _first_spike(spikes: Raster, membrane: NDArray[Any]) -> NDArray[Any]:
    steps = spikes.shape[1]
    first = np.where(spikes.any(axis=1), spikes.argmax(axis=1), steps)
    return (steps - first).astype(np.int64)


READOUTS: dict[ReadoutKind, Callable[[Raster, NDArray[Any]], NDArray[Any]]] = {
    ReadoutKind.SPIKE_COUNT: lambda spikes, membrane: spikes.sum(axis=1, dtype=np.int64),
    ReadoutKind.FIRST_SPIKE: _first_spike,
    ReadoutKind.MEMBRANE_MAX: lambda spikes, membrane: membrane.max(axis=1),
    ReadoutKind.MEMBRANE_LAST: lambda spikes, membrane: membrane[:, -1],
}


def read_out(kind: ReadoutKind, spikes: Raster, membrane: NDArray[Any]) -> NDArray[Any]:
    """Score of every class, [sample, class]: spike count, steps left at the first spike, or membrane."""
    return READOUTS[kind](spikes, membrane)


def decide(graph: HardwareGraph, scores: NDArray[Any]) -> NDArray[np.int64]:
    """Class of every sample [sample]: the first maximum of its scores [sample, class].

    ``NO_CLASS`` where every output neuron of a first-spike network is silent, so that it counts as wrong.
    """
    classes = np.argmax(scores, axis=1).astype(np.int64)
    output = graph.population(graph.output)
    if graph.time is TimeBase.CONTINUOUS:
        return np.where(np.isneginf(scores).all(axis=1), NO_CLASS, classes)
    if output.stepped.reset.kind is ResetKind.ONCE and graph.readout is ReadoutKind.FIRST_SPIKE:
        return np.where((scores == 0).all(axis=1), NO_CLASS, classes)
    return classes


# -- checks ------------------------------------------------------------------------------------------------------

def _check_runnable(graph: HardwareGraph, spikes: NDArray[Any], arithmetic: SteppedArithmetic) -> None:
    seen = {graph.input.name}
    group_of = {name: group for group in blocks(graph) for name in group}

    def closes_loop(projection: Projection) -> bool:
        return projection.delay > 0 and group_of.get(projection.pre) == group_of[projection.post]

    for population in graph.populations:
        if graph.time is not TimeBase.STEPPED:
            raise GraphError(
                "the stepped golden model was given a continuous-time network",
                where=population.name,
                why="first-spike neurons have no time step",
                next_command="golden.run(..., arithmetic='event'), or discretise_first_spike(graph, ...) first",
            )
        if type(population.neuron) not in STEPS:
            raise GraphError(
                f"there is no golden step for neurons of kind {type(population.neuron).__name__}",
                where=population.name,
                why="the golden step is what a kind of neuron means",
                next_command="add an entry to lightning_neuro.graph.advance.STEPS",
            )
        late = [p.pre for p in graph.into(population.name) if p.pre not in seen and not closes_loop(p)]
        if late:
            raise GraphError(
                f"population {population.name!r} is fed by {late}, which comes after it",
                where=population.name,
                why="populations run in topological order; only a projection with a delay may close a loop",
                next_command="give the recurrent connection a delay of one step or more",
            )
        seen.add(population.name)
    if arithmetic == "fixed" and not graph.quantized:
        raise GraphError(
            "integer arithmetic was asked of a graph that was not quantised",
            where="golden.run",
            why="a graph in real numbers has no integer formats",
            next_command="quantize(graph, ...) first, or arithmetic='real'",
        )
    if spikes.ndim != 3 or spikes.shape[2] != graph.input.size:
        raise GraphError(
            f"input raster has shape {spikes.shape}, the network takes [samples, steps, {graph.input.size}]",
            where=graph.input.name,
            why="every input line needs one value per step",
            next_command="check the data set that the network was trained on (data=...)",
        )
    if arithmetic == "fixed":
        _check_integers(graph.input, spikes)


def _check_integers(source: Input, spikes: NDArray[Any]) -> None:
    """Integer arithmetic takes spikes, or integers of the input's format."""
    if source.format is None:
        if not np.isin(spikes[:1], (0, 1)).all():
            raise GraphError(
                "input values other than 0 and 1 reached the integer model",
                where=source.name,
                why="the lines of this network carry spikes: its input has no number format",
                next_command="quantize(graph, ...) a graph whose coding is direct, or train with data.coding.kind=rate",
            )
        return
    low, high = source.format.low, source.format.high
    if spikes.dtype.kind not in "iu" or int(spikes.min(initial=0)) < low or int(spikes.max(initial=0)) > high:
        raise GraphError(
            f"input values are no integers from {low} to {high}",
            where=source.name,
            why=f"its lines carry {source.format.bits} bits",
            next_command="inputs.raster_of(inputs, graph, 'fixed') rounds values to the input's format",
        )


def _concatenate(parts: list[Recording]) -> Recording:
    def join(name: Literal["spikes", "membrane", "margin"]) -> dict[str, NDArray[Any]]:
        tables = [getattr(part, name) for part in parts]
        return {key: np.concatenate([table[key] for table in tables]) for key in tables[0]}

    return Recording(
        spikes=join("spikes"),
        membrane=join("membrane"),
        margin=join("margin"),
        scores=np.concatenate([part.scores for part in parts]),
        classes=np.concatenate([part.classes for part in parts]),
    )
