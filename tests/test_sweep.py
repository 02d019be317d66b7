"""The table of a sweep: what differs between runs, their numbers, mean and deviation."""

from __future__ import annotations

import csv
import io
import json
import sys

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


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_sweep_over_seeds_ends_with_its_table(monkeypatch, tmp_path, capsys, launcher):
    if launcher != "basic":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    monkeypatch.chdir(tmp_path)
    settings = ["trainer=debug", "callbacks.quantize=null", "callbacks.nir=null"]
    options = [f"hydra.sweep.dir={tmp_path / 'sweep'}", f"hydra/launcher={launcher}"]
    records = tmp_path / "sweep" / RECORDS
    records.mkdir(parents=True)
    for number, accuracy in ((0, 2.0), (7, 0.5)):  # an earlier start of the sweep had more runs: they stay in the table
        record = {"overrides": [f"seed={number}", *settings], "numbers": {"test_accuracy": accuracy}}
        (records / f"{number:06}.json").write_text(json.dumps(record))
    monkeypatch.setattr(sys, "argv", ["train.py", "-m", "seed=0,1", *settings, *options])
    main()
    rows = list(csv.DictReader((tmp_path / "sweep" / "sweep.csv").open()))
    assert [row["overrides"] for row in rows] == ["seed=0", "seed=1", "seed=7"]
    assert all(0 < float(row["test_accuracy"]) < 1 for row in rows)
    assert len(list(records.iterdir())) == 3
    assert "standard deviation" in capsys.readouterr().out
