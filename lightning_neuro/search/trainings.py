"""Trainings whose settings Optuna asks for: ``python train.py -m hydra/sweeper=optuna KEY=SPACE ...``.

Spaces are those of Hydra's command line: ``a,b`` and ``choice(a,b)``; ``range(start,stop,step)``, stop not included;
``interval(low,high)``, ``int(interval(low,high))`` for whole numbers; ``tag(log,...)`` for a logarithmic scale. The
study lies in the folder of the sweep. Trial n is run n: one that was killed is trained on in its folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from lightning_neuro.errors import ConfigError
from lightning_neuro.search.study import Direction, finished, open_study, sampler

if TYPE_CHECKING:
    import optuna

NAME = "trainings"
Space = dict[str, "optuna.distributions.BaseDistribution"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for; see ``conf/hydra/sweeper/optuna.yaml``.

    Args:
        trials: trainings in all, earlier ones included.
        batch: how many are launched together.
        metric: key of ``metrics.json``.
        direction: "maximize" or "minimize".
        seed: of the sampler.

    Raises:
        ConfigError: a value is out of range.
    """

    trials: int
    batch: int
    metric: str
    direction: Direction
    seed: int

    def __post_init__(self) -> None:
        whole = lambda value, least: isinstance(value, int) and value >= least  # noqa: E731
        rules = {
            "n_trials": (whole(self.trials, 1), self.trials, "an integer of at least 1", "20"),
            "n_jobs": (whole(self.batch, 1), self.batch, "an integer of at least 1", "2"),
            "seed": (whole(self.seed, 0), self.seed, "an integer of at least 0", "0"),
            "direction": (self.direction in DIRECTIONS, self.direction, " or ".join(DIRECTIONS), "maximize"),
        }
        for name, (holds, value, needed, example) in rules.items():
            if not holds:
                raise _refusal(f"{name}={value} must be {needed}", f"hydra.sweeper.{name}", f"={example}")


DIRECTIONS = ("maximize", "minimize")


def _refusal(what: str, where: str, example: str) -> ConfigError:
    return ConfigError(what, where=where, why="it says what Optuna looks for", next_command=where + example)


def search(
    how: Search,
    arguments: Sequence[str],
    config: DictConfig,
    launcher: Launcher,
    check: Callable[[Sequence[Sequence[str]]], None],
) -> float | None:
    """Train until the study has its trials; returns the best value, None without any.

    Args:
        how: what is looked for.
        arguments: overrides, spaces among them.
        config: of the sweep.
        launcher: runs jobs.
        check: raises where overrides do not fit the configuration.

    Raises:
        ConfigError: there is no space, or every training of a batch failed.
    """
    overrides = OverridesParser.create().parse_overrides(list(arguments))
    space = {o.get_key_element(): distribution(o) for o in overrides if o.is_sweep_override()}
    fixed = [f"{o.get_key_element()}={o.get_value_element_as_str()}" for o in overrides if not o.is_sweep_override()]
    if not space:
        raise _refusal("no setting has a space", "model.lr", "='tag(log,interval(1e-3,1e-1))'")
    folder = Path(config.hydra.sweep.dir)
    study = open_study(folder, NAME, (how.direction,), how.seed, "hydra/sweeper=optuna")
    _check_same_search(study, {"settings": sorted(fixed), "metric": how.metric, "direction": how.direction}, folder)
    for batch in _batches(study, space, how, folder):
        jobs = [[*fixed, *settings(trial.params)] for trial in batch]
        check(jobs)
        for first, last in _neighbours([trial.number for trial in batch]):
            results = launcher.launch(jobs[first:last], initial_job_idx=batch[first].number)
            for trial, result in zip(batch[first:last], results, strict=True):
                _tell(study, trial.number, result, how.metric)
    return _show_best(study, fixed, how, folder)


def _check_same_search(study: optuna.Study, asked: dict[str, object], folder: Path) -> None:
    """Note what a study is about, or raise where it is about something else."""
    for name, value in asked.items():
        known = study.user_attrs.get(name, value)
        if known != value:
            raise _other_search(folder, f"a search of other {name}: {known}, now {value}")
        study.set_user_attr(name, value)


def _other_search(folder: Path, what: str) -> ConfigError:
    return ConfigError(
        f"'{folder}' holds {what}",
        where="hydra.sweep.dir",
        why="a search goes on with what it was started with: other trainings cannot be compared with its own",
        next_command="another hydra.sweep.dir=FOLDER, or the earlier settings",
    )


def distribution(override: Override) -> optuna.distributions.BaseDistribution:
    """Return Optuna's form of a space.

    Raises:
        ConfigError: it has no values, or none on a logarithmic scale.
    """
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    value = override.value()
    key = override.get_key_element()
    log = "log" in getattr(value, "tags", ())
    try:
        if isinstance(value, IntervalSweep):
            low, high = value.start, value.end
            whole = isinstance(low, int) and isinstance(high, int)
            return IntDistribution(low, high, log=log) if whole else FloatDistribution(low, high, log=log)  # type: ignore[arg-type]
        numbers = [float(text) for text in override.sweep_string_iterator()] if isinstance(value, RangeSweep) else []
        if numbers and isinstance(value, RangeSweep):
            low, high = min(numbers), max(numbers)
            if all(isinstance(v, int) for v in (value.start, value.stop, value.step)):
                return IntDistribution(int(low), int(high), log=log, step=1 if log else abs(int(value.step)))
            return FloatDistribution(low, high, log=log, step=None if log else abs(float(value.step)))
        return CategoricalDistribution(list(override.sweep_string_iterator()))
    except ValueError as error:
        raise ConfigError(
            f"{override.input_line} is no space: {error}",
            where=key,
            why="Optuna takes its values from it",
            next_command=f"{key}='interval(0.1,1)'   (or choice(a,b), range(1,5), tag(log,interval(1e-3,1e-1)))",
        ) from error


def settings(parameters: dict[str, object]) -> list[str]:
    """Return the overrides of a trial."""
    return [f"{key}={value}" for key, value in parameters.items()]


def _ask(study: optuna.Study, space: Space, how: Search, folder: Path) -> optuna.trial.FrozenTrial:
    """A new trial. Its number is part of the seed: a sweep that goes on draws what it had drawn in one go."""
    study.sampler = sampler(how.seed + len(study.get_trials(deepcopy=False)))
    try:
        number = study.ask(space).number
    except ValueError as error:  # Optuna keeps one list of choices, and one kind of numbers, for a key
        raise _other_search(folder, f"trials of another space: {error}") from error
    return study.get_trials(deepcopy=False)[number]


def _batches(study: optuna.Study, space: Space, how: Search, folder: Path) -> Iterator[list[optuna.trial.FrozenTrial]]:
    """Trials that were begun and not ended, of a sweep that was killed, then new ones."""
    from optuna.trial import TrialState

    begun = study.get_trials(states=(TrialState.RUNNING,))
    left = [trial for trial in begun if set(trial.params) == set(space)]
    for trial in begun:
        if trial not in left:  # killed before it had settings, or of another space
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    for start in range(0, len(left), how.batch):
        yield left[start : start + how.batch]
    while (missing := how.trials - finished(study)) > 0:
        yield [_ask(study, space, how, folder) for _ in range(min(how.batch, missing))]


def _neighbours(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Begin and end of stretches without gap: a launcher counts jobs on from the first."""
    begin = 0
    for k in range(1, len(numbers) + 1):
        if k == len(numbers) or numbers[k] != numbers[k - 1] + 1:
            yield begin, k
            begin = k


def _tell(study: optuna.Study, number: int, result: JobReturn, metric: str) -> None:
    from optuna.trial import TrialState

    if result.status != JobStatus.COMPLETED:
        study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
        _raise_if_first(study, result)
        return
    numbers = json.loads((_folder_of(result) / "metrics.json").read_text())
    if metric not in numbers:
        what = f"the runs measure no {metric}, but {', '.join(numbers)}"
        raise _refusal(what, "hydra.sweeper.metric", "=val_accuracy")
    study.tell(number, float(numbers[metric]), skip_if_finished=True)


def _raise_if_first(study: optuna.Study, result: JobReturn) -> None:
    """Raise what a training raised, unless another one has succeeded: then the settings are to blame."""
    from optuna.trial import TrialState

    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        _ = result.return_value


def _folder_of(result: JobReturn) -> Path:
    return Path(str(OmegaConf.select(result.hydra_cfg, "hydra.runtime.output_dir")))  # type: ignore[arg-type]


def _show_best(study: optuna.Study, fixed: Sequence[str], how: Search, folder: Path) -> float | None:
    from optuna.trial import TrialState

    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        return None
    best = study.best_trial
    assert best.value is not None
    words = " ".join(f"'{word}'" if set(word) & set("[](){} ,$") else word for word in [*fixed, *settings(best.params)])
    console = Console(highlight=False)
    where = f"{how.metric} {best.value:.4g}, run {folder / str(best.number)}"
    console.print(f"\n[bold]{'best':<20}[/] {where}", soft_wrap=True)
    console.print(f"[bold]{'next':<20}[/] python train.py {words}\n", soft_wrap=True)
    return best.value
