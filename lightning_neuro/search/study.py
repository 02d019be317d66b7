"""Optuna's memory: a study in a journal file, which goes on after a kill and which several processes can share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lightning_neuro.extras import require

if TYPE_CHECKING:
    import optuna

Direction = Literal["minimize", "maximize"]
STUDY = "optuna.log"


def open_study(folder: Path, name: str, directions: Sequence[Direction], seed: int, where: str) -> optuna.Study:
    """Return a study that lies in ``folder``, as far as it has come.

    Args:
        folder: made when it does not exist.
        name: one file may hold several studies.
        directions: "maximize" or "minimize" for each value.
        seed: of the sampler.
        where: the setting that asked for it, for the message.

    Raises:
        ToolError: Optuna is not installed.
    """
    require("optuna", where=where, otherwise="without it")
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        study_name=name,
        storage=optuna.storages.JournalStorage(JournalFileBackend(str(folder / STUDY))),
        directions=directions,
        sampler=sampler(seed),
        load_if_exists=True,
    )


def sampler(seed: int) -> optuna.samplers.BaseSampler:
    """Return the sampler of all searches: tree-structured Parzen estimators, parameters taken together."""
    import optuna  # imported late: a search over a grid does without

    return optuna.samplers.TPESampler(seed=seed, multivariate=True)


def finished(study: optuna.Study) -> int:
    """Return how many trials have ended, well or not."""
    return sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))
