"""The table of a sweep: what differs between runs, their numbers, mean and deviation."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import pytest
from rich.console import Console

from lightning_neuro.sweep import RECORDS, Job, table, without_common, write_csv
from lightning_neuro.train import main

JOBS = [
    Job(overrides=("seed=0", "model=lif"), numbers={"test_accuracy": 0.9, "seconds": 10.0}),
    Job(overrides=("seed=1", "model=lif"), numbers={"test_accuracy": 0.96, "seconds": 12.0}),
]


def text(jobs: list[Job]) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table(jobs))
    return console.export_text()


def test_overrides_that_all_runs_have_are_left_out():
    assert [job.overrides for job in without_common(JOBS)] == [("seed=0",), ("seed=1",)]
    assert without_common(JOBS[:1]) == JOBS[:1]


def test_the_table_has_mean_and_standard_deviation():
    lines = {
        line.split("  ")[0].strip(): line.split() for line in text(without_common(JOBS)).splitlines() if line.strip()
    }
    assert lines["seed=1"][1:] == ["96", "12"]
    assert lines["mean"][1:] == ["93", "11"]
    assert lines["standard deviation"][2:] == ["4.243", "1.414"]


def test_a_failed_run_says_so_and_does_not_spoil_the_mean():
    shown = text([*JOBS, Job(overrides=("seed=2",), numbers={})])
    assert "failed" in shown and "93" in shown


def test_the_csv_holds_every_number(tmp_path):
    write_csv(JOBS, tmp_path / "new" / "sweep.csv")
    rows = list(csv.DictReader((tmp_path / "new" / "sweep.csv").open()))
    assert rows[1] == {"overrides": "seed=1 model=lif", "test_accuracy": "0.96", "seconds": "12.0"}


SETTINGS = ("trainer=debug", "callbacks.quantize=null", "callbacks.nir=null")


def sweep(folder: Path, *options: str) -> list[dict[str, str]]:
    """Train with two seeds; returns the rows of the table in ``folder``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder.parent)
        patch.setattr(sys, "argv", ["train.py", "-m", "seed=0,1", *SETTINGS, f"hydra.sweep.dir={folder}", *options])
        main()
    return list(csv.DictReader((folder / "sweep.csv").open()))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, str]]]:
    """Folder of a sweep whose earlier start had more runs, and its table."""
    folder = tmp_path_factory.mktemp("swept") / "sweep"
    records = folder / RECORDS
    records.mkdir(parents=True)
    for number, accuracy in ((0, 2.0), (7, 0.5)):
        record = {"overrides": [f"seed={number}", *SETTINGS], "numbers": {"test_accuracy": accuracy}}
        (records / f"{number:06}.json").write_text(json.dumps(record))
    return folder, sweep(folder)


def test_a_sweep_over_seeds_ends_with_its_table(swept: tuple[Path, list[dict[str, str]]]) -> None:
    folder, rows = swept
    assert [row["overrides"] for row in rows] == ["seed=0", "seed=1", "seed=7"]
    assert all(0 < float(row["test_accuracy"]) < 1 for row in rows)
    assert len(list((folder / RECORDS).iterdir())) == 3


def test_runs_side_by_side_have_the_numbers_of_runs_in_a_row(
    swept: tuple[Path, list[dict[str, str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    """One of them is there already: only the other one needs a process that imports torch."""
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    folder, before = swept
    shutil.rmtree(folder / "1")
    rows = sweep(folder, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    assert (folder / "1" / "metrics.json").is_file()
    for name in ("overrides", "test_accuracy", "test_loss"):
        assert [row[name] for row in rows] == [row[name] for row in before]
    assert "standard deviation" in capsys.readouterr().out
