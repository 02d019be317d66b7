"""Hydra finds its plugins in packages of this place: the sweeper ``hydra/sweeper=optuna`` of lightning_neuro."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class OptunaSweeper(Sweeper):
    """Trainings whose settings Optuna asks for; the work is in ``lightning_neuro.search.trainings``.

    Args:
        n_trials: trainings in all, earlier ones in the same folder included.
        n_jobs: trainings that are launched together.
        metric: key of ``metrics.json`` that is judged.
        direction: "maximize" or "minimize".
        seed: of the sampler.
    """

    def __init__(self, n_trials: int, n_jobs: int, metric: str, direction: str, seed: int) -> None:
        self.options = {
            "trials": n_trials,
            "batch": n_jobs,
            "metric": metric,
            "direction": direction,
            "seed": seed,
        }
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None
        self.hydra_context: HydraContext | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Remember the job and make its launcher."""
        self.config, self.hydra_context = config, hydra_context
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: Sequence[str]) -> Any:
        """Train until there are enough runs."""
        from lightning_neuro.search.trainings import Search, search  # imported late: Hydra loads every plugin it finds

        assert self.config is not None and self.launcher is not None and self.hydra_context is not None
        return search(Search(**self.options), arguments, self.config, self.launcher, self.validate_batch_is_legal)
