"""The golden model: what a HardwareGraph means, executable.

``fixed`` runs the raw integers exactly; an FPGA must equal it bit for bit. ``real`` runs the same five lines in
float64 with the graph's weights (rounded or not) and unrounded constants; simulators must equal it spike for
spike. Matrix products go through float BLAS only where the result is provably exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import GraphError
from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    HardwareGraph,
    Lif,
    Neuron,
    Population,
    Projection,
    ReadoutKind,
    TimeBase,
)
from lightning_neuro.graph.kernels import RESET_CODES, step_integers, step_reals

Arithmetic = Literal["fixed", "real"]
Raster = NDArray[Any]

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
    """

    spikes: dict[str, Raster]
    membrane: dict[str, NDArray[Any]]
    margin: dict[str, NDArray[np.float64]]
    scores: NDArray[Any]

    @property
    def classes(self) -> NDArray[Any]:
        """Predicted class of every sample; ties go to the lowest index."""
        return np.argmax(self.scores, axis=1)


def run(
    graph: HardwareGraph,
    spikes: NDArray[Any],
    *,
    arithmetic: Arithmetic,
    record: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Recording:
    """Run a graph on input spikes.

    Args:
        graph: stepped graph; quantised when ``arithmetic`` is ``fixed``.
        spikes: input raster [sample, step, input]; 0/1, or real values (direct coding) in ``real`` arithmetic.
        arithmetic: ``fixed`` (integers) or ``real`` (float64).
        record: keep rasters and membranes of every population, not only the scores and output spikes.
        progress: called with the number of samples just finished.

    Raises:
        GraphError: the graph is not stepped, not quantised, has loops, or the raster does not fit it.
    """
    _check_runnable(graph, spikes, arithmetic)
    widest = max(graph.input.size, *(p.size for p in graph.populations))
    chunk = max(1, _CHUNK_VALUES // max(1, widest * spikes.shape[1]))
    parts: list[Recording] = []
    for start in range(0, len(spikes), chunk):
        part = spikes[start : start + chunk]
        parts.append(_run_chunk(graph, part, arithmetic, record))
        if progress is not None:
            progress(len(part))
    return _concatenate(parts) if parts else _run_chunk(graph, spikes, arithmetic, record)


def _run_chunk(graph: HardwareGraph, spikes: NDArray[Any], arithmetic: Arithmetic, record: bool) -> Recording:
    rasters: dict[str, NDArray[Any]] = {graph.input.name: spikes}
    membranes: dict[str, NDArray[Any]] = {}
    margins: dict[str, NDArray[np.float64]] = {}
    drive_of, advance = (_drive_fixed, _advance_fixed) if arithmetic == "fixed" else (_drive_real, _advance_real)
    for population in graph.populations:
        drive = drive_of(population, [(p, delayed(rasters[p.pre], p.delay)) for p in graph.into(population.name)])
        raster, membrane, margin = advance(population, drive)
        rasters[population.name], membranes[population.name] = raster, membrane
        if margin is not None:
            margins[population.name] = margin
    del rasters[graph.input.name]
    scores = read_out(graph.readout, rasters[graph.output], membranes[graph.output])
    if not record:
        rasters, membranes, margins = {graph.output: rasters[graph.output]}, {}, {}
    return Recording(spikes=rasters, membrane=membranes, margin=margins, scores=scores)


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

    With 0/1 inputs every partial sum is bounded by the row's sum of |w|; below 2**24 float32 represents all of
    them exactly, below 2**53 float64 does.

    Args:
        raster: 0/1 values, [sample, step, pre].
        weight: raw weights, [post, pre].
    """
    bound = int(np.abs(weight).sum(axis=1).max(initial=0))
    dtype = np.float32 if bound < 2**24 else np.float64 if bound < 2**53 else np.int64
    flat = raster.reshape(-1, raster.shape[-1]).astype(dtype)
    product = flat @ weight.T.astype(dtype)
    return product.astype(np.int64).reshape(*raster.shape[:2], weight.shape[0])


def weight_shift(projection: Projection, population: Population) -> int:
    """Binary digits between a weight's LSB and the membrane's (``weight lsb = membrane lsb * 2**shift``)."""
    weight, state = projection.connection.weight.format, population.state_format
    assert weight is not None and state is not None
    return round(np.log2(weight.lsb / state.lsb))


def _drive_fixed(population: Population, inputs: list[tuple[Projection, NDArray[Any]]]) -> NDArray[Any]:
    drive = np.asarray(population.bias.integers())
    for projection, raster in inputs:
        weighted = exact_matmul(raster, projection.connection.weight.integers())
        drive = drive + (weighted << weight_shift(projection, population))
    return np.ascontiguousarray(drive, dtype=np.int64)


def _drive_real(population: Population, inputs: list[tuple[Projection, NDArray[Any]]]) -> NDArray[Any]:
    drive = np.asarray(population.bias.real)
    for projection, raster in inputs:
        flat = raster.reshape(-1, raster.shape[-1]).astype(np.float64)
        weighted = (flat @ projection.connection.weight.real.T).reshape(*raster.shape[:2], population.size)
        drive = drive + weighted
    return np.ascontiguousarray(drive, dtype=np.float64)


# -- neurons -----------------------------------------------------------------------------------------------------

Advanced = tuple[Raster, NDArray[Any], NDArray[np.float64] | None]


def _advance_fixed(population: Population, drive: NDArray[Any]) -> Advanced:
    neuron = population.neuron
    assert isinstance(neuron, Lif | CubaLif) and population.state_format is not None
    syn_multiplier, syn_shift = neuron.leak_syn.integers() if isinstance(neuron, CubaLif) else (_NO_LEAK, 0)
    mem_multiplier, mem_shift = neuron.leak_mem.integers()
    spikes, membrane = np.empty(drive.shape, np.uint8), np.empty(drive.shape, np.int64)
    step_integers(
        drive,
        isinstance(neuron, CubaLif),
        syn_multiplier,
        syn_shift,
        mem_multiplier,
        mem_shift,
        neuron.threshold.integers(),
        neuron.v_reset.integers(),
        RESET_CODES[neuron.reset.kind],
        neuron.reset.delay,
        population.state_format.low,
        population.state_format.high,
        spikes,
        membrane,
    )
    return spikes, membrane, None


def _advance_real(population: Population, drive: NDArray[Any]) -> Advanced:
    neuron = population.neuron
    assert isinstance(neuron, Lif | CubaLif)
    alpha = neuron.leak_syn.beta if isinstance(neuron, CubaLif) else _NO_DECAY
    spikes, membrane = np.empty(drive.shape, np.uint8), np.empty(drive.shape, np.float64)
    margin = np.empty(drive.shape, np.float64)
    step_reals(
        drive,
        isinstance(neuron, CubaLif),
        alpha,
        neuron.leak_mem.beta,
        neuron.threshold.real,
        neuron.v_reset.real,
        RESET_CODES[neuron.reset.kind],
        neuron.reset.delay,
        spikes,
        membrane,
        margin,
    )
    return spikes, membrane, margin


_NO_LEAK = np.zeros(1, np.int64)
_NO_DECAY = np.zeros(1, np.float64)


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


# -- checks ------------------------------------------------------------------------------------------------------

_RUNNABLE: frozenset[type[Neuron]] = frozenset({Lif, CubaLif})


def _check_runnable(graph: HardwareGraph, spikes: NDArray[Any], arithmetic: Arithmetic) -> None:
    seen = {graph.input.name}
    for population in graph.populations:
        if type(population.neuron) not in _RUNNABLE or graph.time is not TimeBase.STEPPED:
            raise GraphError(
                "the stepped golden model was given a continuous-time network",
                where=population.name,
                why="first-spike neurons have no time step",
                next_command="lower the network to a stepped target with dt=SECONDS first",
            )
        late = [p.pre for p in graph.into(population.name) if p.pre not in seen]
        if late:
            raise GraphError(
                f"population {population.name!r} is fed by {late}, which comes after it",
                where=population.name,
                why="the golden model runs populations in topological order and has no recurrent loops yet",
                next_command="remove the recurrent connection",
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
    if arithmetic == "fixed" and not np.isin(spikes[:1], (0, 1)).all():
        raise GraphError(
            "input values other than 0 and 1 reached the integer model",
            where=graph.input.name,
            why="integer hardware receives spikes; direct (analog) coding has no spikes at the input",
            next_command="train with data.encoder=rate, or deploy to a target that takes currents",
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
    )
