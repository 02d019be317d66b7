"""What the machine would do with a script: its integer arithmetic, layer by layer, on whole sets of samples.

Parameters are rounded to signed 16.15 and weights to 16-bit magnitudes as the host does, constants are computed as
the chip does, and every step is the update of sPyNNaker's binaries (``emulator_kernels``). Time is the network's: the
machine's layers run a fixed number of steps behind the input, and nothing happens in a neuron at rest before its
first input. What the emulator does not know: packets that are lost or late on an overloaded machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.connections import add_drive
from lightning_neuro.graph.golden import NO_CLASS, delayed, read_out
from lightning_neuro.graph.hardware_graph import ReadoutKind
from lightning_neuro.targets.spinnaker.accum import from_accum
from lightning_neuro.targets.spinnaker.emulator_kernels import advance_cells
from lightning_neuro.targets.spinnaker.loading import RING_BUFFER_MAX, Entrance, Layer, LoadedNetwork, load_network
from lightning_neuro.targets.spinnaker.scaling import ScaledPlan

_CHUNK_VALUES = 6_000_000  # values of the widest layer per chunk; bounds memory to a few hundred MB
_BY_MEMBRANE = (ReadoutKind.MEMBRANE_MAX, ReadoutKind.MEMBRANE_LAST)
_RECEPTORS = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Emulation:
    """What the machine did.

    Args:
        spikes: rasters [sample, step, neuron] of every layer; of the output only, unless recorded.
        membrane: membranes in network units, where recorded or read out.
        scores: read-out value of every class, [sample, class].
        classes: predicted class of every sample; ties go to the lowest index, and where every output neuron of a
            network that is read by its first spike stays silent, there is none (``NO_CLASS``).
        spike_counts: spikes of every layer in all samples.
        saturations: ring buffers that were full, by layer (neurons times steps).
        overflows: membranes that left signed 16.15 and wrapped, by layer.
    """

    spikes: Mapping[str, NDArray[np.uint8]]
    membrane: Mapping[str, NDArray[np.float64]]
    scores: NDArray[Any]
    classes: NDArray[np.int64]
    spike_counts: Mapping[str, int]
    saturations: Mapping[str, int]
    overflows: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _State:
    """State of a layer between steps, [sample, neuron]; changes in place."""

    v: NDArray[np.int64]
    exc: NDArray[np.int64]
    inh: NDArray[np.int64]
    wait: NDArray[np.int64]


# -- running -----------------------------------------------------------------------------------------------------


def emulate(
    scaled: ScaledPlan,
    spikes: NDArray[Any],
    *,
    record: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Emulation:
    """Run samples, each from rest.

    Args:
        scaled: plan with factors and ring buffers.
        spikes: input raster [sample, step, input], 0/1; at least one sample.
        record: keep rasters and membranes of every layer.
        progress: called with the number of samples just finished.
    """
    loaded = load_network(scaled)
    parts = []
    for chosen in chunks(scaled, *spikes.shape[:2]):
        parts.append(run_samples(loaded, spikes[chosen], record=record))
        if progress is not None:
            progress(len(spikes[chosen]))
    return _join(parts)


def chunks(scaled: ScaledPlan, samples: int, steps: int) -> Iterator[slice]:
    """Samples in portions that fit in memory."""
    widest = max(scaled.plan.input.size, *(p.size for p in scaled.plan.populations))
    many = max(1, _CHUNK_VALUES // max(1, widest * steps))
    for start in range(0, samples, many):
        yield slice(start, start + many)


def run_samples(loaded: LoadedNetwork, spikes: NDArray[Any], *, record: bool) -> Emulation:
    """Run samples at once, all in memory."""
    plan = loaded.scaled.plan
    tape = _Tape(rasters={plan.input.name: spikes}, membranes={}, saturations={}, overflows={})
    for group in loaded.groups:
        _advance(tape, group, {layer.plan.name: record or _read(loaded, layer) for layer in group})
    names = [p.name for p in plan.populations]
    rasters = {name: tape.rasters[name] for name in names}
    membranes = {
        p.name: from_accum(tape.membranes[p.name]) / p.scale for p in plan.populations if p.name in tape.membranes
    }
    output = rasters[plan.output]
    scores = read_out(plan.readout, output, membranes.get(plan.output, np.zeros(output.shape)))
    silent = (scores == 0).all(axis=1) & plan.may_stay_silent
    return Emulation(
        spikes=rasters if record else {plan.output: output},
        membrane=membranes,
        scores=scores,
        classes=np.where(silent, NO_CLASS, np.argmax(scores, axis=1)).astype(np.int64),
        spike_counts={name: int(rasters[name].sum(dtype=np.int64)) for name in names},
        saturations=tape.saturations,
        overflows=tape.overflows,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Tape:
    """A run in progress."""

    rasters: dict[str, NDArray[Any]]
    membranes: dict[str, NDArray[np.int64]]
    saturations: dict[str, int]
    overflows: dict[str, int]


def _read(loaded: LoadedNetwork, layer: Layer) -> bool:
    plan = loaded.scaled.plan
    return layer.plan.name == plan.output and plan.readout in _BY_MEMBRANE


def _advance(tape: _Tape, group: Sequence[Layer], keep: Mapping[str, bool]) -> None:
    """Layers of a loop step by step, a layer outside every loop all steps at once."""
    names = {layer.plan.name for layer in group}
    samples, steps = next(iter(tape.rasters.values())).shape[:2]
    span = 1 if any(e.pre in names for layer in group for e in layer.entrances) else max(steps, 1)
    outside = {
        layer.plan.name: _arriving(tape, layer, [e for e in layer.entrances if e.pre not in names]) for layer in group
    }
    states = {layer.plan.name: _rest(samples, layer.plan.size) for layer in group}
    for layer in group:
        name, size = layer.plan.name, layer.plan.size
        tape.rasters[name] = np.zeros((samples, steps, size), np.uint8)
        if keep[name]:
            tape.membranes[name] = np.zeros((samples, steps, size), np.int64)
        tape.saturations[name] = tape.overflows[name] = 0
    for start in range(0, steps, span):
        now = slice(start, start + span)
        for layer in group:
            name = layer.plan.name
            sums = [part[:, now] for part in outside[name]]
            for entrance in layer.entrances:
                if entrance.pre in names and start >= entrance.steps:
                    rows = tape.rasters[entrance.pre][:, start - entrance.steps]
                    sums = [part + apply(rows)[:, None] for part, apply in zip(sums, entrance.receptors, strict=True)]
            _advance_layer(tape, layer, sums, states[name], now)


def _arriving(tape: _Tape, layer: Layer, entrances: Sequence[Entrance]) -> list[NDArray[np.int64]]:
    """Counts that reach each ring buffer from known rasters and biases, [sample, step, neuron], by receptor."""
    samples, steps = next(iter(tape.rasters.values())).shape[:2]
    sums = [np.zeros((samples, steps, layer.plan.size), np.int64) for _ in range(_RECEPTORS)]
    for entrance in entrances:
        raster = delayed(tape.rasters[entrance.pre], entrance.steps)
        rows = raster.reshape(-1, raster.shape[-1])
        for total, apply in zip(sums, entrance.receptors, strict=True):
            add_drive(total.reshape(len(rows), -1), entrance.connection, apply, rows)
    for window, *counts in layer.biases:
        for total, count in zip(sums, counts, strict=True):
            total[:, window] += count
    return sums


def _advance_layer(tape: _Tape, layer: Layer, sums: Sequence[NDArray[np.int64]], state: _State, now: slice) -> None:
    name, c = layer.plan.name, layer.constants
    tape.saturations[name] += sum(int((part > RING_BUFFER_MAX).sum()) for part in sums)
    excitation, inhibition = (np.minimum(part, RING_BUFFER_MAX).astype(np.uint16) for part in sums)
    fired = np.zeros(excitation.shape, np.uint8)
    kept = tape.membranes.get(name)
    membrane = np.zeros(excitation.shape if kept is not None else (0, 0, 0), np.int64)
    tape.overflows[name] += advance_cells(
        excitation,
        inhibition,
        *layer.shifts,
        c.delta,
        c.input_scale,
        c.syn_decay,
        c.syn_gain,
        c.resistance,
        c.mem_decay,
        c.offset,
        c.threshold,
        c.v_reset,
        c.refractory,
        state.v,
        state.exc,
        state.inh,
        state.wait,
        fired,
        membrane,
    )
    tape.rasters[name][:, now] = fired
    if kept is not None:
        kept[:, now] = membrane


def _rest(samples: int, size: int) -> _State:
    v, exc, inh, wait = (np.zeros((samples, size), np.int64) for _ in range(4))
    return _State(v=v, exc=exc, inh=inh, wait=wait)


def _join(parts: Sequence[Emulation]) -> Emulation:
    def table(name: str) -> dict[str, Any]:
        tables = [getattr(part, name) for part in parts]
        return {key: np.concatenate([t[key] for t in tables]) for key in tables[0]}

    def totals(name: str) -> dict[str, int]:
        tables = [getattr(part, name) for part in parts]
        return {key: sum(t[key] for t in tables) for key in tables[0]}

    return Emulation(
        spikes=table("spikes"),
        membrane=table("membrane"),
        scores=np.concatenate([part.scores for part in parts]),
        classes=np.concatenate([part.classes for part in parts]),
        spike_counts=totals("spike_counts"),
        saturations=totals("saturations"),
        overflows=totals("overflows"),
    )
