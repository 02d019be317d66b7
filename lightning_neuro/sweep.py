"""What a sweep (``python train.py -m seed=0,1,2``) found: one table in the terminal and in ``sweep.csv``."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from lightning_neuro.parallel.first import is_first

RECORDS = ".runs"  # in the folder of a sweep
COLUMNS = {
    "test_accuracy": ("test (%)", 100.0),
    "quantized_test_accuracy": ("rounded (%)", 100.0),
    "val_accuracy": ("validation (%)", 100.0),
    "seconds_per_epoch": ("s per epoch", 1.0),
    "seconds": ("s", 1.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of a sweep.

    Args:
        overrides: ``key=value`` strings that only some runs have.
        numbers: of its ``metrics.json``; empty when it failed.
    """

    overrides: tuple[str, ...]
    numbers: dict[str, float]


class SweepTable(Callback):
    """Hydra's callback: remembers each run of a sweep, and shows all at its end.

    Runs may happen in other processes and on other machines (joblib, submitit), where Hydra gives them a copy of this
    callback: each leaves a small file in the folder of the sweep. The files stay there, so that a sweep that was killed
    and started again shows the runs of both times.
    """

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Remember a run."""
        if config.hydra.mode != RunMode.MULTIRUN or not is_first():
            return  # a single run, or a further process of a run
        folder = Path(OmegaConf.select(job_return.hydra_cfg, "hydra.runtime.output_dir") or ".")  # type: ignore[arg-type]
        done = job_return.status == JobStatus.COMPLETED
        numbers = json.loads((folder / "metrics.json").read_text()) if done else {}
        path = Path(config.hydra.sweep.dir) / RECORDS / f"{config.hydra.job.num:06}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"overrides": list(job_return.overrides or ()), "numbers": numbers}))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Show the runs, write ``sweep.csv`` beside their folders."""
        if not is_first():
            return
        folder = Path(config.hydra.sweep.dir)
        jobs = without_common(collect(folder))
        write_csv(jobs, folder / "sweep.csv")
        Console(highlight=False).print(table(jobs))


def collect(folder: Path) -> list[Job]:
    """Return what the runs of a sweep have left, in order."""
    records = [json.loads(path.read_text()) for path in sorted((folder / RECORDS).glob("*.json"))]
    return [Job(overrides=tuple(plain["overrides"]), numbers=plain["numbers"]) for plain in records]


def without_common(jobs: list[Job]) -> list[Job]:
    """Return the jobs without the overrides that all of them have."""
    common = set.intersection(*(set(job.overrides) for job in jobs)) if len(jobs) > 1 else set()
    return [Job(overrides=tuple(o for o in job.overrides if o not in common), numbers=job.numbers) for job in jobs]


def table(jobs: list[Job]) -> Table:
    """Return the jobs as rows, and their mean and standard deviation."""
    names = [name for name in COLUMNS if any(name in job.numbers for job in jobs)]
    shown = Table("run", *(COLUMNS[name][0] for name in names), box=None)
    for job in jobs:
        shown.add_row(" ".join(job.overrides), *(_cell(job.numbers.get(name), name) for name in names))
    for label, statistic in (("mean", mean), ("standard deviation", stdev)):
        columns = [[job.numbers[name] for job in jobs if name in job.numbers] for name in names]
        if all(len(values) > 1 for values in columns):
            cells = (_cell(statistic(values), name) for values, name in zip(columns, names, strict=True))
            shown.add_row(label, *cells, style="bold")
    return shown


def _cell(value: float | None, name: str) -> str:
    return "failed" if value is None else f"{COLUMNS[name][1] * value:.4g}"


def write_csv(jobs: list[Job], path: Path) -> None:
    """Write one line per job: its overrides and every number it measured."""
    names = list(dict.fromkeys(name for job in jobs for name in job.numbers))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["overrides", *names])
        for job in jobs:
            writer.writerow([" ".join(job.overrides), *(job.numbers.get(name, "") for name in names)])
