"""Deployment: a checkpoint or NIR file becomes an artefact that was compared with the golden model.

``deploy`` is the one function behind the command, the callback and the tests. The artefact is written into a
temporary folder beside its place and moved there at the end, so there is never half an artefact.
"""

from __future__ import annotations

import dataclasses
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightning_neuro.checkpoint import Inputs, NetworkRecord
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.errors import ConstraintError
from lightning_neuro.graph import golden
from lightning_neuro.graph.evaluate import accuracy
from lightning_neuro.graph.golden import Arithmetic
from lightning_neuro.graph.hardware_graph import HardwareGraph, TimeBase
from lightning_neuro.graph.inputs import raster_of
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.widths import QuantizeRequest
from lightning_neuro.in_steps import InSteps, in_steps
from lightning_neuro.publish import publishing
from lightning_neuro.report import Accuracy, Check, Command, Plot, Report, Source, strict
from lightning_neuro.report.write import Evidence, write_report
from lightning_neuro.rounding import rounded_for, stored_integers, widths
from lightning_neuro.source import file_sha256, load_source, nir_round_trip, test_inputs, with_reset
from lightning_neuro.steps_cost import StepsCost, steps_cost
from lightning_neuro.summary import summarise
from lightning_neuro.targets.base import Job, Progress, Target, TestVectors, Verification


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
    forms = _forms(path, target, dt_s, reset, quantize)
    _refuse_violations(target, forms.graph)
    samples = target.default_samples(forms.graph) if verify.samples is None else verify.samples
    inputs, data_notes = test_inputs(forms.record, forms.source, samples)
    job = _job(path, target, forms, inputs)
    place = out or path.parent / "deploy" / target.name
    with publishing(place) as folder:
        target.write(job, folder)
        seconds = {"read_and_lower": time.perf_counter() - started}
        accuracies, seconds["accuracy"] = _accuracies(forms, target, progress)
        cost = _cost(forms, target, inputs, accuracies, job.vectors)
        found = target.verify(job, folder, progress)
        checks = (nir_round_trip(forms.record, forms.source), *(() if cost is None else cost.checks), *found.checks)
        seconds |= {**found.seconds, "total": time.perf_counter() - started}
        again = _again(path, target, overrides)
        report = _report(path, target, forms, job, accuracies, checks, cost, found, data_notes, seconds, again)
        report = strict(report) if verify.strict else report
        write_report(report, folder, _evidence(forms, job, cost, found))
    return report, place


# -- the network ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Forms:
    """The network in every form that a deployment needs.

    Args:
        record: what the file says.
        source: the network of the file in real numbers.
        real_graph: the same as the target takes its time, in steps or as it is.
        graph: ``real_graph`` with the weights that the target holds.
        steps: what came of a network in continuous time on a target that advances in steps; else None.
        notes: sentences for the report.
    """

    record: NetworkRecord
    source: HardwareGraph
    real_graph: HardwareGraph
    graph: HardwareGraph
    steps: InSteps | None
    notes: tuple[str, ...]


def _forms(path: Path, target: Target, dt_s: float | None, reset: str | None, request: QuantizeRequest) -> _Forms:
    """Read a file, lower its network, round it, and bring it into steps where the target wants them."""
    record = with_reset(load_source(path, dt_s=dt_s), reset)
    source = lower(record.graph, record.metadata)
    stored = stored_integers(record, request, path)
    asked = widths(source, stored, request, target.default_spec)
    graph, notes = rounded_for(target, source, record, stored, request, asked)
    if source.time is not TimeBase.CONTINUOUS or target.discretisation is None:
        return _Forms(record=record, source=source, real_graph=source, graph=graph, steps=None, notes=notes)
    steps = in_steps(source, graph, asked, target.discretisation, dt_s)
    return _Forms(
        record=record,
        source=source,
        real_graph=steps.real_graph,
        graph=steps.graph,
        steps=steps,
        notes=(*notes, *steps.notes),
    )


def _refuse_violations(target: Target, graph: HardwareGraph) -> None:
    violations = target.check(graph)
    if violations:
        raise ConstraintError(target.name, violations)


# -- the proof -----------------------------------------------------------------------------------------------------


def _job(path: Path, target: Target, forms: _Forms, inputs: Inputs) -> Job:
    return Job(
        graph=forms.graph,
        real_graph=forms.real_graph,
        vectors=_vectors(forms.graph, inputs, target.arithmetic_for(forms.graph)),
        record=forms.record,
        source_sha256=file_sha256(path),
    )


def _vectors(graph: HardwareGraph, inputs: Inputs, arithmetic: Arithmetic) -> TestVectors:
    """Inputs as the graph takes them, and what the golden model makes of them."""
    if isinstance(inputs, SpikeTimeSet) and graph.time is TimeBase.CONTINUOUS:
        spikes = inputs.times
    else:
        assert arithmetic != "event"
        spikes = np.ascontiguousarray(raster_of(inputs, graph, arithmetic))
    expected = golden.run(graph, spikes, arithmetic=arithmetic, record=True)
    return TestVectors(spikes=spikes, expected=expected, labels=inputs.labels)


def _accuracies(forms: _Forms, target: Target, progress: Progress) -> tuple[Accuracy, float]:
    """Accuracy before and after rounding on the file's evaluation samples, and the seconds it took."""
    started = time.perf_counter()
    inputs = forms.record.evaluation
    if inputs is None:
        nothing = Accuracy(float_=None, quantized=None, artefact=None, samples=0, artefact_samples=0)
        return nothing, time.perf_counter() - started
    total = 2 * len(inputs)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        progress("golden model on the evaluation samples", done, total)

    unrounded: Arithmetic = "event" if forms.source.time is TimeBase.CONTINUOUS else "real"
    found = Accuracy(
        float_=accuracy(forms.source, inputs, unrounded, advance),
        quantized=accuracy(forms.graph, inputs, target.arithmetic_for(forms.graph), advance),
        artefact=None,
        samples=len(inputs),
        artefact_samples=0,
    )
    return found, time.perf_counter() - started


def _cost(
    forms: _Forms, target: Target, inputs: Inputs, accuracies: Accuracy, vectors: TestVectors
) -> StepsCost | None:
    if forms.steps is None:
        return None
    return steps_cost(forms.steps, forms.record.evaluation or inputs, accuracies, target, inputs, vectors)


# -- the report ----------------------------------------------------------------------------------------------------


def _report(
    path: Path,
    target: Target,
    forms: _Forms,
    job: Job,
    accuracies: Accuracy,
    checks: tuple[Check, ...],
    cost: StepsCost | None,
    found: Verification,
    data_notes: tuple[str, ...],
    seconds: dict[str, float],
    again: Command,
) -> Report:
    assert job.source_sha256 is not None
    record, expected = forms.record, job.vectors.expected
    resources = {} if cost is None else cost.resources
    return Report(
        target=target.name,
        source=Source(path=str(path), sha256=job.source_sha256),
        graph=summarise(forms.graph, expected),
        accuracy=_with_artefact(accuracies, found),
        checks=checks,
        resources={**found.resources, **resources},
        assumptions=(*record.metadata.assumptions, *forms.notes, *data_notes, *found.assumptions),
        seconds=seconds,
        capacity=found.capacity,
        reproduce=(again, *found.reproduce),
    )


def _again(path: Path, target: Target, overrides: Sequence[str]) -> Command:
    words = overrides or (f"target={target.name}",)
    line = shlex.join(["deploy", str(path), *words])
    return Command(what="deploy again, where this deployment was started", line=line)


def _evidence(forms: _Forms, job: Job, cost: StepsCost | None, found: Verification) -> Evidence:
    return Evidence(
        real_graph=forms.real_graph,
        graph=forms.graph,
        vectors=job.vectors,
        observed=found.observed,
        words=found.words,
        plots=(*_pictures(forms.record, cost), *found.plots),
    )


def _with_artefact(accuracies: Accuracy, found: Verification) -> Accuracy:
    share = found.accuracy
    if share is None:
        return accuracies
    return dataclasses.replace(accuracies, artefact=share.right, artefact_samples=share.samples)


def _pictures(record: NetworkRecord, cost: StepsCost | None) -> tuple[Plot, ...]:
    """Errors of spike times where steps made some; of a network converted from an ANN accuracy against time steps."""
    if cost is not None:
        return (cost.plot,)
    if record.curve is None:
        return ()
    from lightning_neuro.report.conversion_plots import accuracy_over_steps  # imported late: few networks need it

    curve = record.curve
    lines = {"spiking network, unrounded": np.array(curve.accuracy)}
    return (accuracy_over_steps(curve.steps, lines, curve.ann, curve.chosen),)
