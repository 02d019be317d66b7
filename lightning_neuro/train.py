"""The command that trains; imports nothing heavy: help, mistakes, and runs that are finished need no torch."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from lightning_neuro.explain import explain_errors
from lightning_neuro.go_on import alone, earlier
from lightning_neuro.parallel.first import is_first


def train_once(cfg: DictConfig, folder: Path) -> dict[str, float]:
    """Train unless the folder holds the finished run already; one that was interrupted goes on.

    Args:
        cfg: composed ``conf/train.yaml``.
        folder: of the run.

    Raises:
        NeuroError: the folder holds a run of other settings, or anything else that the user can mend.
    """
    with alone(folder) if is_first() else nullcontext():
        found = earlier(cfg, folder)
        if found.metrics is None:
            return _train(cfg, folder, found.checkpoint)
        print(f"{folder} is finished; nothing is trained again", flush=True)
        return found.metrics


def _train(cfg: DictConfig, folder: Path, interrupted: Path | None = None) -> dict[str, float]:
    from lightning_neuro.training import train  # imported late: a sweep asks other processes to train

    return train(cfg, folder, interrupted)


@hydra.main(config_path="pkg://lightning_neuro.conf", config_name="train", version_base="1.3")
def _job(cfg: DictConfig) -> float:
    job = HydraConfig.get()
    of_sweep = job.mode == RunMode.MULTIRUN
    run = train_once if (of_sweep if cfg.resume is None else cfg.resume) else _train
    with nullcontext() if of_sweep else explain_errors():  # a single run: Hydra says a line of its own about errors
        metrics = run(cfg, Path(job.runtime.output_dir))
    return metrics.get("val_accuracy", metrics.get("test_accuracy", 0.0))


def main() -> None:
    """Train with the command line's overrides; a mistake in them is one message and exit code 2."""
    with explain_errors():
        _job()


if __name__ == "__main__":
    main()
