"""Deployment: a checkpoint or NIR file becomes an artefact that was compared with the golden model.

``deploy`` is the one function behind the command, the callback and the tests. The artefact is written into a
temporary folder beside its place and moved there at the end, so there is never half an artefact.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lightning_neuro.checkpoint import NetworkRecord
from lightning_neuro.errors import ConstraintError, GraphError
from lightning_neuro.graph import golden
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.digest import graph_sha256
from lightning_neuro.graph.evaluate import accuracy
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.quantize import QuantizeSpec
from lightning_neuro.publish import publishing
from lightning_neuro.report import Accuracy, GraphSummary, Report, Source, strict
from lightning_neuro.report.write import write_report
from lightning_neuro.source import file_sha256, load_source, nir_round_trip, test_inputs, with_reset
from lightning_neuro.summary import summarise
from lightning_neuro.targets.base import Job, Progress, Share, Target, TestVectors


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeRequest:
    """Widths asked for at deployment; None keeps what the checkpoint holds, else the defaults."""

    weight_bits: int | None
    state_bits: int | None
    leak_bits: int | None


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
) -> tuple[Report, Path]:
    """Write the artefact of a network for a target and prove it.

    Args:
        path: ``.ckpt`` or ``.nir`` file.
        target: what to write for.
        out: folder of the artefact; None means ``<folder of path>/deploy/<target>``.
        dt_s: step in seconds, for a NIR file without metadata.
        reset: "zero" or "subtract", likewise; None is NIR's own, to v_reset.
        quantize: widths.
        verify: samples and strictness.
        progress: called with what is going on, steps done and steps in all.

    Returns:
        The report and the artefact's folder.

    Raises:
        NeuroError: the input is refused; nothing is left behind.
    """
    started = time.perf_counter()
    source = load_source(path, dt_s=dt_s)
    record = with_reset(source, reset)
    real_graph = lower(record.graph, record.metadata)
    graph, note = quantized_graph(real_graph, record, quantize, target.default_spec)
    violations = target.check(graph)
    if violations:
        raise ConstraintError(target.name, violations)
    samples = target.default_samples if verify.samples is None else verify.samples
    inputs, data_notes = test_inputs(record, graph, samples)
    expected = golden.run(graph, inputs.spikes, arithmetic=target.arithmetic, record=True)
    vectors = TestVectors(spikes=inputs.spikes, expected=expected, labels=inputs.labels)
    digest = file_sha256(path)
    job = Job(graph=graph, real_graph=real_graph, vectors=vectors, record=record, source_sha256=digest)
    place = out or path.parent / "deploy" / target.name
    with publishing(place) as folder:
        target.write(job, folder)
        seconds = {"read_and_lower": time.perf_counter() - started}
        accuracies, seconds["accuracy"] = _timed(
            lambda: _accuracies(real_graph, graph, record, target.arithmetic, progress)
        )
        found = target.verify(job, folder, progress)
        report = Report(
            target=target.name,
            source=Source(path=str(path), sha256=digest),
            graph=GraphSummary(sha256=graph_sha256(graph), populations=summarise(graph, expected)),
            accuracy=_with_artefact(accuracies, found.accuracy),
            checks=(nir_round_trip(record, real_graph), *found.checks),
            resources=found.resources,
            assumptions=(*record.metadata.assumptions, *note, *data_notes, *found.assumptions),
            seconds={**seconds, **found.seconds, "total": time.perf_counter() - started},
        )
        report = strict(report) if verify.strict else report
        write_report(report, folder, real_graph=real_graph, graph=graph, vectors=vectors, more=found.plots)
    return report, place


def quantized_graph(
    graph: HardwareGraph, record: NetworkRecord, request: QuantizeRequest, default: QuantizeSpec
) -> tuple[HardwareGraph, tuple[str, ...]]:
    """The integer graph: the checkpoint's own integers where the widths agree, else rounded now, saying so.

    Args:
        graph: network in real numbers.
        record: where it came from.
        request: widths that the user named.
        default: widths where neither the file nor the user names any.

    Raises:
        GraphError: the stored integers do not belong to the stored weights.
    """
    stored = record.quantized
    base = stored.spec if stored is not None else default
    asked = {name: value for name, value in dataclasses.asdict(request).items() if value is not None}
    spec: QuantizeSpec = dataclasses.replace(base, **asked)
    if stored is not None and spec == stored.spec:
        try:
            return stored.apply(graph), ()
        except (ValueError, KeyError) as error:
            raise GraphError(
                f"the checkpoint's integers and its weights contradict each other: {error}",
                where="quantised network in the checkpoint",
                why="the file was changed after it was quantised",
                next_command=f"quantize.weight_bits={spec.weight_bits - 1 or 2}   (rounds the weights anew)",
            ) from error
    quantized, _ = quantize_network(graph, spec, record.calibration)
    words = f"{spec.weight_bits}-bit weights, {spec.state_bits}-bit membranes, leaks in 1/{2**spec.leak_bits}"
    return quantized, (f"weights were rounded at deployment, not in training: {words}",)


def _accuracies(
    real_graph: HardwareGraph,
    graph: HardwareGraph,
    record: NetworkRecord,
    arithmetic: golden.Arithmetic,
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
        float_=accuracy(real_graph, inputs, "real", advance),
        quantized=accuracy(graph, inputs, arithmetic, advance),
        artefact=None,
        samples=len(inputs),
        artefact_samples=0,
    )


def _with_artefact(accuracies: Accuracy, share: Share | None) -> Accuracy:
    if share is None:
        return accuracies
    return dataclasses.replace(accuracies, artefact=share.right, artefact_samples=share.samples)


def _timed(work: Callable[[], Accuracy]) -> tuple[Accuracy, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start
