"""Optuna looks for points where there are too many to measure all: accuracy up, cost down, both at once.

The study lies in a file beside the points, so that it goes on after a kill and several processes, on one machine or on
many with a common file system, can work on it together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.quantize import QuantizeSpec, Widths, one_if_equal
from lightning_neuro.search.choice import Price
from lightning_neuro.search.journal import Journal
from lightning_neuro.search.measure import Point, Subject, measure
from lightning_neuro.search.parallel import in_threads
from lightning_neuro.search.space import Space, numbers
from lightning_neuro.targets.base import Progress

if TYPE_CHECKING:
    import optuna

STUDY = "optuna.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimisation:
    """How Optuna looks.

    Args:
        trials: points in all, earlier runs of the same study included.
        seed: of the sampler.
    """

    trials: int
    seed: int


def optimise(
    subject: Subject,
    journal: Journal,
    space: Space,
    how: Optimisation,
    price: Price,
    workers: int,
    folder: Path,
    progress: Progress,
) -> list[Point]:
    """Measure the points that Optuna asks for.

    Args:
        subject: network and samples.
        journal: points measured before; they are told to a new study and not measured again.
        space: widths that are combined.
        how: trials and seed.
        price: cost of a point.
        workers: threads.
        folder: where the study is kept.
        progress: called with what is going on, trials done and trials in all.

    Returns:
        Every point of the journal, each once.

    Raises:
        ConfigError: Optuna is not installed.
    """
    study = _study(folder, how)
    known = {_key(point.widths, subject): point for point in journal.points}
    finished = sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
    what = "points that Optuna asks for"
    progress(what, finished, how.trials)

    def work(task: tuple[optuna.trial.Trial, Widths]) -> Point:
        return known.get(_key(task[1], subject)) or measure(subject, task[1])

    for (trial, widths), point in in_threads(work, _asked(study, space, subject, how.trials - finished), workers):
        if _key(widths, subject) not in known:
            known[_key(widths, subject)] = point
            journal.add(point)
        study.tell(trial, (point.accuracy, price(point)))
        finished += 1
        progress(what, finished, how.trials)
    return list(known.values())


def _asked(
    study: optuna.Study, space: Space, subject: Subject, count: int
) -> Iterator[tuple[optuna.trial.Trial, Widths]]:
    for _ in range(count):
        trial = study.ask()
        yield trial, _suggested(trial, space, subject.populations)


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


def _study(folder: Path, how: Optimisation) -> optuna.Study:
    try:
        import optuna
        from optuna.storages.journal import JournalFileBackend
    except ImportError as error:
        raise ConfigError(
            "this search needs Optuna",
            where="method=optuna",
            why="it is not installed",
            next_command="pip install 'lightning-neuro[search]'   (or method=grid)",
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        study_name="widths",
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(folder / STUDY))),
        directions=("maximize", "minimize"),
        sampler=optuna.samplers.TPESampler(seed=how.seed, multivariate=True),
        load_if_exists=True,
    )


def _key(widths: Widths, subject: Subject) -> str:
    return str(numbers(widths, subject.populations))
