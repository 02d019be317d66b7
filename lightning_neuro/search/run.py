"""The search: points are measured in parallel and kept as they come; the recommended one goes into the checkpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from threadpoolctl import threadpool_limits

from lightning_neuro.checkpoint import KEY, NetworkRecord, first_samples, load_checkpoint, write_checkpoint
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.digest import graph_sha256
from lightning_neuro.graph.evaluate import accuracy
from lightning_neuro.graph.hardware_graph import TimeBase
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.widths import Widths
from lightning_neuro.search.choice import front, recommend
from lightning_neuro.search.cost import PRICES
from lightning_neuro.search.journal import Heading, Journal, inputs_digest
from lightning_neuro.search.measure import Point, Subject, measure, rounded
from lightning_neuro.search.optimise import Optimisation, optimise
from lightning_neuro.search.parallel import in_threads
from lightning_neuro.search.profile import LayerProfile, profile
from lightning_neuro.search.space import Space, grid, numbers
from lightning_neuro.source import load_source
from lightning_neuro.targets.base import Progress
from lightning_neuro.targets.fpga.lanes import Lanes

JOURNAL = "points.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What to search for.

    Args:
        space: widths that are combined.
        optimisation: how Optuna looks for points; None measures all of them.
        price: which cost counts: a key of ``PRICES``.
        tolerance: accuracy that the recommended point may lose against float, 0..1.
        samples: evaluation samples; None takes all.
        lanes: the FPGA target's setting, for the area.
        workers: threads that measure points.
        keep: write the recommended widths and integers into the checkpoint.
    """

    space: Space
    optimisation: Optimisation | None
    price: str
    tolerance: float
    samples: int | None
    lanes: Lanes
    workers: int
    keep: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What a search found.

    Args:
        subject: network and samples.
        float_accuracy: of the network in real numbers.
        points: all that were measured, in order of measurement.
        front: points that no other beats in accuracy and cost at once.
        recommended: the cheapest within the tolerance; None when there is none.
        profile: the recommended integers beside the real network, layer by layer; empty without a recommendation, in
            continuous time and without calibration samples.
        request: what was asked.
        resumed: points that were measured by an earlier run.
    """

    subject: Subject
    float_accuracy: float
    points: tuple[Point, ...]
    front: tuple[Point, ...]
    recommended: Point | None
    profile: tuple[LayerProfile, ...]
    request: SearchRequest
    resumed: int


def search(path: Path, out: Path, request: SearchRequest, progress: Progress) -> Found:
    """Measure the points of a space and recommend one.

    Args:
        path: ``.ckpt`` (or ``.nir`` that holds labelled samples).
        out: folder; points that are there already are not measured again.
        request: what to search for.
        progress: called with what is going on, points done and points in all.

    Raises:
        ConfigError: no labelled samples, a journal of another network, or an unknown price.
    """
    record = load_source(path, dt_s=None).record
    subject = _subject(record, path, request)
    price = PRICES[request.price].of
    heading = Heading(
        sha256=graph_sha256(subject.graph),
        samples=len(subject.evaluation),
        inputs=inputs_digest(subject.evaluation, subject.calibration),
        lanes=request.lanes,
        populations=subject.populations,
    )
    journal = Journal(out / JOURNAL, heading)
    resumed = len(journal.points)
    arithmetic = "event" if subject.graph.time is TimeBase.CONTINUOUS else "real"
    float_accuracy = accuracy(subject.graph, subject.evaluation, arithmetic)
    assert float_accuracy is not None
    with threadpool_limits(1 if request.workers > 1 else None):
        if request.optimisation is None:
            points = _measure_all(subject, journal, grid(request.space, subject.populations), request.workers, progress)
        else:
            points = optimise(
                subject, journal, request.space, request.optimisation, request.price, request.workers, out, progress
            )
    best = recommend(points, price, float_accuracy, request.tolerance)
    if best is not None and request.keep and path.suffix == ".ckpt":
        _keep(path, subject, best)
    return Found(
        subject=subject,
        float_accuracy=float_accuracy,
        points=tuple(points),
        front=front(points, price),
        recommended=best,
        profile=() if best is None else _profile(subject, best),
        request=request,
        resumed=resumed,
    )


def _subject(record: NetworkRecord, path: Path, request: SearchRequest) -> Subject:
    inputs = record.evaluation
    if inputs is None or not (inputs.labels >= 0).any():
        raise ConfigError(
            "there are no labelled samples in this file",
            where=str(path),
            why="widths are chosen by the accuracy they leave, on the samples that a checkpoint carries",
            next_command="search a checkpoint that was trained with a data module (python train.py ...)",
        )
    if request.price not in PRICES:
        raise ConfigError(
            f"price={request.price} is unknown",
            where="price",
            why=f"there are {', '.join(PRICES)}",
            next_command="price=bits",
        )
    return Subject(
        graph=lower(record.graph, record.metadata),
        evaluation=inputs if request.samples is None else first_samples(inputs, request.samples),
        calibration=record.calibration,
        lanes=request.lanes,
    )


def _measure_all(
    subject: Subject, journal: Journal, wanted: Sequence[Widths], workers: int, progress: Progress
) -> list[Point]:
    """All points of a grid, those of the journal included, in the grid's order.

    They are measured in an order of chance: processes that share the folder then seldom measure the same point.
    """
    what = "points of the grid"

    def missing() -> Iterator[Widths]:
        for widths in SystemRandom().sample(wanted, len(wanted)):
            journal.refresh()
            if widths not in journal:
                yield widths

    progress(what, sum(widths in journal for widths in wanted), len(wanted))
    for _, point in in_threads(lambda widths: measure(subject, widths), missing(), workers):
        journal.add(point)
        progress(what, sum(widths in journal for widths in wanted), len(wanted))
    known = {_key(point.widths, subject): point for point in journal.points}
    return [known[_key(widths, subject)] for widths in wanted]


def _key(widths: Widths, subject: Subject) -> str:
    return str(numbers(widths, subject.populations))


def _profile(subject: Subject, best: Point) -> tuple[LayerProfile, ...]:
    if not isinstance(subject.calibration, SpikeSet) or subject.graph.time is TimeBase.CONTINUOUS:
        return ()
    integers, _ = rounded(subject, best.widths)
    return profile(subject.graph, integers, subject.calibration, best.saturation)


def _keep(path: Path, subject: Subject, best: Point) -> None:
    """Add the integers of the recommended point to the checkpoint, in one move."""
    checkpoint = load_checkpoint(path)
    _, stored = rounded(subject, best.widths)
    checkpoint[KEY]["recommended"] = stored.to_plain()
    write_checkpoint(checkpoint, path)
