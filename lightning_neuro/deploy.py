"""Deployment: a checkpoint or NIR file becomes an artefact that was compared with the golden model.

``deploy`` is the one function behind the command, the callback and the tests. The artefact is written into a
temporary folder beside its place and moved there at the end, so there is never half an artefact.
"""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightning_neuro.checkpoint import Inputs, NetworkRecord
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.errors import ConfigError, ConstraintError, GraphError
from lightning_neuro.first_spike_check import analytic_first_spikes
from lightning_neuro.graph import golden
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.evaluate import accuracy
from lightning_neuro.graph.first_spike_steps import Decay
from lightning_neuro.graph.golden import Arithmetic
from lightning_neuro.graph.hardware_graph import HardwareGraph, TimeBase
from lightning_neuro.graph.inputs import raster_of
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.quantize import default_spec
from lightning_neuro.graph.stored import StoredQuantization
from lightning_neuro.graph.widths import QuantizeRequest, QuantizeSpec, Widths, in_words, widths_of
from lightning_neuro.in_steps import InSteps, accuracy_check, in_steps, time_errors
from lightning_neuro.publish import publishing
from lightning_neuro.report import Accuracy, Check, Command, Plot, Report, Source, plots, strict
from lightning_neuro.report.write import Evidence, write_report
from lightning_neuro.source import file_sha256, load_source, nir_round_trip, test_inputs, with_reset
from lightning_neuro.summary import summarise
from lightning_neuro.targets.base import Job, Progress, Share, Target, TestVectors


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyRequest:
    """How much to prove.

    Args:
        samples: inputs to run through the artefact; None is the target's own number.
        strict: a check that could not run counts as failed.
    """

    samples: int | None
    strict: bool


def deploy(
    path: Path,
    *,
    target: Target,
    out: Path | None,
    dt_s: float | None,
    reset: str | None,
    quantize: QuantizeRequest,
    verify: VerifyRequest,
    progress: Progress,
    overrides: Sequence[str] = (),
) -> tuple[Report, Path]:
    """Write the artefact of a network for a target and prove it.

    Args:
        path: ``.ckpt`` or ``.nir`` file.
        target: what to write for.
        out: folder of the artefact; None means ``<folder of path>/deploy/<target>``.
        dt_s: step in seconds: for a NIR file without metadata the one it was trained with, for a network in
            continuous time the one the hardware takes; None leaves that to the target.
        reset: "zero" or "subtract", likewise; None is NIR's own, to v_reset.
        quantize: widths.
        verify: samples and strictness.
        progress: called with what is going on, steps done and steps in all.
        overrides: all that the command said, for the report: how to do the same again.

    Returns:
        The report and the artefact's folder.

    Raises:
        NeuroError: the input is refused; nothing is left behind.
    """
    started = time.perf_counter()
    source = load_source(path, dt_s=dt_s)
    record = with_reset(source, reset)
    source_graph = lower(record.graph, record.metadata)
    stored = stored_integers(record, quantize, path)
    asked = widths(source_graph, stored, quantize, target.default_spec)
    graph, note = _rounded(target, source_graph, record, stored, quantize, asked)
    real_graph, steps = source_graph, None
    if source_graph.time is TimeBase.CONTINUOUS and target.discretisation is not None:
        steps = in_steps(source_graph, graph, asked, target.discretisation, dt_s)
        real_graph, graph, note = steps.real_graph, steps.graph, (*note, *steps.notes)
    violations = target.check(graph)
    if violations:
        raise ConstraintError(target.name, violations)
    samples = target.default_samples(graph) if verify.samples is None else verify.samples
    inputs, data_notes = test_inputs(record, source_graph, samples)
    arithmetic = target.arithmetic_for(graph)
    vectors = _vectors(graph, inputs, arithmetic)
    digest = file_sha256(path)
    job = Job(graph=graph, real_graph=real_graph, vectors=vectors, record=record, source_sha256=digest)
    place = out or path.parent / "deploy" / target.name
    with publishing(place) as folder:
        target.write(job, folder)
        seconds = {"read_and_lower": time.perf_counter() - started}
        accuracies, seconds["accuracy"] = _timed(lambda: _accuracies(source_graph, graph, record, arithmetic, progress))
        cost = None if steps is None else _cost(steps, record.evaluation or inputs, accuracies, target, inputs, vectors)
        found = target.verify(job, folder, progress)
        report = Report(
            target=target.name,
            source=Source(path=str(path), sha256=digest),
            graph=summarise(graph, vectors.expected),
            accuracy=_with_artefact(accuracies, found.accuracy),
            checks=(nir_round_trip(record, source_graph), *(() if cost is None else cost.checks), *found.checks),
            resources={**found.resources, **({} if cost is None else cost.resources)},
            assumptions=(*record.metadata.assumptions, *note, *data_notes, *found.assumptions),
            seconds={**seconds, **found.seconds, "total": time.perf_counter() - started},
            capacity=found.capacity,
            reproduce=(_again(path, target, overrides), *found.reproduce),
        )
        report = strict(report) if verify.strict else report
        pictures = (*_curve(record), *found.plots) if cost is None else (cost.plot, *found.plots)
        evidence = Evidence(
            real_graph=real_graph,
            graph=graph,
            vectors=vectors,
            observed=found.observed,
            words=found.words,
            plots=pictures,
        )
        write_report(report, folder, evidence)
    return report, place


def _again(path: Path, target: Target, overrides: Sequence[str]) -> Command:
    words = overrides or (f"target={target.name}",)
    line = shlex.join(["deploy", str(path), *words])
    return Command(what="deploy again, where this deployment was started", line=line)


def _curve(record: NetworkRecord) -> tuple[Plot, ...]:
    """Accuracy against time steps, of a network converted from an ANN."""
    if record.curve is None:
        return ()
    from lightning_neuro.report.conversion_plots import accuracy_over_steps  # imported late: few networks need it

    curve = record.curve
    lines = {"spiking network, unrounded": np.array(curve.accuracy)}
    return (accuracy_over_steps(curve.steps, lines, curve.ann, curve.chosen),)


def _rounded(
    target: Target,
    graph: HardwareGraph,
    record: NetworkRecord,
    stored: StoredQuantization | None,
    request: QuantizeRequest,
    asked: Widths,
) -> tuple[HardwareGraph, tuple[str, ...]]:
    """The network with the weights that the hardware holds, and sentences about them."""
    named = request.weight_bits is not None or request.recommended
    own = target.own_rounding(graph, quantized_graph(graph, record, stored, asked)[0] if named else None)
    return own or quantized_graph(graph, record, stored, asked)


def _vectors(graph: HardwareGraph, inputs: Inputs, arithmetic: Arithmetic) -> TestVectors:
    if isinstance(inputs, SpikeTimeSet) and graph.time is TimeBase.CONTINUOUS:
        spikes = inputs.times
    else:
        assert arithmetic != "event"
        spikes = np.ascontiguousarray(raster_of(inputs, graph, arithmetic))
    expected = golden.run(graph, spikes, arithmetic=arithmetic, record=True)
    return TestVectors(spikes=spikes, expected=expected, labels=inputs.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """What steps cost a network in continuous time, as parts of a report."""

    checks: tuple[Check, ...]
    resources: dict[str, object]
    plot: Plot


def _cost(
    steps: InSteps, inputs: Inputs, accuracies: Accuracy, target: Target, proof: Inputs, vectors: TestVectors
) -> _Cost:
    """What is found on all samples, and for exact decays on those of the proof."""
    assert isinstance(inputs, SpikeTimeSet) and isinstance(proof, SpikeTimeSet)
    errors = time_errors(steps, inputs)
    arithmetic = target.arithmetic_for(steps.graph)
    checks = [accuracy_check(steps, inputs, accuracies, arithmetic)]
    how = target.discretisation
    if how is not None and how.decay is Decay.EXACT and arithmetic == "real":
        rasters = {steps.graph.input.name: vectors.spikes, **vectors.expected.spikes}
        checks.append(analytic_first_spikes(steps.rounded, steps.graph, proof.times, rasters))
    return _Cost(
        checks=tuple(checks),
        resources={"first spikes": {e.name: e.numbers() for e in errors}},
        plot=plots.spike_time_errors({e.name: e.errors for e in errors}),
    )


def stored_integers(record: NetworkRecord, request: QuantizeRequest, path: Path) -> StoredQuantization | None:
    """The integers in the file that count: those of training, or with ``quantize=recommended`` those of a search.

    Raises:
        ConfigError: a recommendation is asked for and the file holds none.
    """
    if not request.recommended:
        return record.quantized
    if record.recommended is None:
        raise ConfigError(
            "there are no recommended widths in this file",
            where=str(path),
            why="a search finds them and keeps them in the checkpoint",
            next_command=f"lightning-neuro search {path}",
        )
    return record.recommended


def widths(
    graph: HardwareGraph, stored: StoredQuantization | None, request: QuantizeRequest, default: QuantizeSpec
) -> Widths:
    """Widths of the integers: what the user names, then what the file holds, then what such networks need.

    Args:
        graph: network in real numbers.
        stored: integers in the file.
        request: widths that the user named.
        default: the target's, for networks that advance in steps.
    """
    base = stored.widths if stored is not None else default_spec(graph, default)
    return request.over(base, [p.name for p in graph.populations])


def quantized_graph(
    graph: HardwareGraph, record: NetworkRecord, stored: StoredQuantization | None, asked: Widths
) -> tuple[HardwareGraph, tuple[str, ...]]:
    """The integer graph: the checkpoint's own integers where the widths agree, else rounded now, saying so.

    Args:
        graph: network in real numbers.
        record: where it came from.
        stored: integers in the file.
        asked: widths.

    Raises:
        GraphError: the stored integers do not belong to the stored weights.
    """
    if stored is not None and (asked == stored.widths or _same_integers(graph, asked, stored.widths)):
        try:
            return stored.apply(graph), ()
        except (ValueError, KeyError) as error:
            bits = min(widths_of(asked, p.name).weight_bits for p in graph.populations)
            raise GraphError(
                f"the checkpoint's integers and its weights contradict each other: {error}",
                where="quantised network in the checkpoint",
                why="the file was changed after it was quantised",
                next_command=f"quantize.weight_bits={bits - 1 or 2}   (rounds the weights anew)",
            ) from error
    quantized, _ = quantize_network(graph, asked, record.calibration)
    return quantized, (f"weights were rounded at deployment, not in training: {in_words(asked)}",)


def _same_integers(graph: HardwareGraph, asked: Widths, stored: Widths) -> bool:
    """Of a network in continuous time only weights are rounded."""
    names = [p.name for p in graph.populations]
    same = all(widths_of(asked, name).weight_bits == widths_of(stored, name).weight_bits for name in names)
    return graph.time is TimeBase.CONTINUOUS and same


def _accuracies(
    real_graph: HardwareGraph,
    graph: HardwareGraph,
    record: NetworkRecord,
    arithmetic: Arithmetic,
    progress: Progress,
) -> Accuracy:
    inputs = record.evaluation
    if inputs is None:
        return Accuracy(float_=None, quantized=None, artefact=None, samples=0, artefact_samples=0)
    total = 2 * len(inputs)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress("golden model on the evaluation samples", done, total)

    return Accuracy(
        float_=accuracy(real_graph, inputs, _unrounded(real_graph), advance),
        quantized=accuracy(graph, inputs, arithmetic, advance),
        artefact=None,
        samples=len(inputs),
        artefact_samples=0,
    )


def _unrounded(graph: HardwareGraph) -> Arithmetic:
    return "event" if graph.time is TimeBase.CONTINUOUS else "real"


def _with_artefact(accuracies: Accuracy, share: Share | None) -> Accuracy:
    if share is None:
        return accuracies
    return dataclasses.replace(accuracies, artefact=share.right, artefact_samples=share.samples)


def _timed(work: Callable[[], Accuracy]) -> tuple[Accuracy, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start
