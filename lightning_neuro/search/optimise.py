"""Optuna looks for points where there are too many to measure all: accuracy up, cost down, both at once.

The study lies in a file beside the points, so that it goes on after a kill and several processes, on one machine or on
many with a common file system, can work on it together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_neuro.graph.widths import QuantizeSpec, Widths, one_if_equal
from lightning_neuro.search.cost import PRICES
from lightning_neuro.search.journal import Journal
from lightning_neuro.search.measure import Point, Subject, measure
from lightning_neuro.search.parallel import in_threads
from lightning_neuro.search.space import Space
from lightning_neuro.search.study import finished, open_study, sampler
from lightning_neuro.targets.base import Progress

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisation:
    """How Optuna looks.

    Args:
        trials: points in all, earlier runs and other processes of the same study included.
        seed: of the sampler.
    """

    trials: int
    seed: int


def optimise(
    subject: Subject,
    journal: Journal,
    space: Space,
    how: Optimisation,
    price_name: str,
    workers: int,
    folder: Path,
    progress: Progress,
) -> list[Point]:
    """Measure the points that Optuna asks for.

    Args:
        subject: network and samples.
        journal: points measured before, which are not measured again.
        space: widths that are combined.
        how: trials and seed.
        price_name: which cost counts, a key of ``PRICES``; every price and space have a study of their own.
        workers: threads.
        folder: where the study is kept.
        progress: called with what is going on, trials done and trials in all.

    Returns:
        Every point of the journal, each once.

    Raises:
        ToolError: Optuna is not installed.
    """
    study = open_study(folder, f"{price_name} of {space}", ("maximize", "minimize"), how.seed, "method=optuna")
    price, what = PRICES[price_name].of, "points that Optuna asks for"
    asked = running = 0

    def tasks() -> Iterator[tuple[optuna.trial.Trial, Widths, Point | None]]:
        nonlocal asked, running
        while finished(study) + running < how.trials:
            trial = study.ask()
            if asked == 0:  # processes that share the study draw other numbers, and so does one that goes on
                study.sampler = sampler(how.seed + trial.number)
            asked, running = asked + 1, running + 1
            widths = _suggested(trial, space, subject.populations)
            journal.refresh()
            known = (point for point in journal.points if point.widths == widths)
            yield trial, widths, next(known, None)

    def work(task: tuple[optuna.trial.Trial, Widths, Point | None]) -> Point:
        return task[2] or measure(subject, task[1])

    progress(what, min(finished(study), how.trials), how.trials)
    for (trial, _, _), point in in_threads(work, tasks(), workers):
        journal.add(point)
        study.tell(trial, (point.accuracy, price(point)))
        running -= 1
        progress(what, min(finished(study), how.trials), how.trials)
    return list(journal.points)


def _suggested(trial: optuna.trial.Trial, space: Space, populations: tuple[str, ...]) -> Widths:
    names = populations if space.per_layer else ("network",)

    def choose(name: str, axis: str) -> int:
        candidates = sorted(set(getattr(space, axis)))
        return candidates[trial.suggest_int(f"{name}.{axis}", 0, len(candidates) - 1)]  # an index: wider is more

    specs = {
        name: QuantizeSpec(
            weight_bits=choose(name, "weight_bits"),
            state_bits=choose(name, "state_bits"),
            leak_bits=choose(name, "leak_bits"),
        )
        for name in names
    }
    return one_if_equal(specs)
