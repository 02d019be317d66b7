"""A sweep of jobs in other processes whose first process is killed, started again with the same command.

Of its four jobs two are finished by then, one is killed too, and one lives on, as jobs on a cluster do.
"""

from __future__ import annotations

import csv
import os
import signal
import subprocess
from pathlib import Path

import pytest

from lightning_neuro.history import History
from tests.parallel.starting import ROOT, finish, start, state, wait_until

FINISHED, HELD = ("0", "2"), ("1", "3")  # numbers of the jobs of one epoch, and of two


def command(sweep: Path, gate: Path) -> list[str]:
    return [
        str(ROOT / "train.py"),
        "-m",
        "hydra/launcher=submitit_local",
        f"hydra.sweep.dir={sweep}",
        "seed=0,1",
        "trainer=debug",
        "trainer.max_epochs=1,2",
        "callbacks.quantize=null",
        "callbacks.nir=null",
        "callbacks.progress=null",
        "+callbacks.gate._target_=tests.parallel.gate.Gate",
        f"+callbacks.gate.folder={gate}",
        "+callbacks.gate.seed=${seed}",
    ]


def said_by_jobs(sweep: Path) -> str:
    return "".join(path.read_text() for path in (sweep / ".submitit").rglob("*_log.out"))


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def epochs(folder: Path) -> list[float]:
    return [epoch["epoch"] for epoch in state(folder)["callbacks"][History.__name__]["epochs"]]


def begin_and_kill(words: list[str], sweep: Path, gate: Path, log: Path) -> None:
    """Start a sweep; kill its first process and the job of seed 1 when the jobs of two epochs wait at the gate."""
    process = start(words, log)

    def half_way() -> bool:
        ended = all((sweep / job / "metrics.json").is_file() for job in FINISHED)
        return ended and all((gate / f"seed{seed}").is_file() for seed in (0, 1))

    wait_until(half_way, process, log)
    kill(process.pid)
    process.wait()
    kill(int((gate / "seed1").read_text()))


def go_on(words: list[str], sweep: Path, gate: Path, log: Path) -> str:
    """Start the sweep again; open the gate when a new job waits for the one that lives on."""
    process: subprocess.Popen[bytes] = start(words, log)
    wait_until(lambda: "another process trains in" in said_by_jobs(sweep), process, log)
    (gate / "open").touch()
    return finish(process, log)


def test_a_killed_sweep_goes_on_where_it_stopped(tmp_path: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    sweep, gate, log = tmp_path / "sweep", tmp_path / "gate", tmp_path / "log"
    gate.mkdir()
    words = command(sweep, gate)
    begin_and_kill(words, sweep, gate, log)
    assert not any((sweep / job / "metrics.json").exists() for job in HELD)
    before = {job: (sweep / job / "best.ckpt").stat().st_mtime_ns for job in FINISHED}
    numbers = {job: (sweep / job / "metrics.json").read_bytes() for job in FINISHED}

    said = go_on(words, sweep, gate, log)
    assert {job: (sweep / job / "best.ckpt").stat().st_mtime_ns for job in FINISHED} == before
    assert {job: (sweep / job / "metrics.json").read_bytes() for job in FINISHED} == numbers
    assert [epochs(sweep / job) for job in HELD] == [[0.0, 1.0], [0.0, 1.0]]
    rows = list(csv.DictReader((sweep / "sweep.csv").open()))
    wanted = [f"seed={seed} trainer.max_epochs={n}" for seed in (0, 1) for n in (1, 2)]
    assert [row["overrides"] for row in rows] == wanted and all(row["test_accuracy"] for row in rows)
    assert said.count("standard deviation") == 1 and "failed" not in said
    # two were finished, and the one that lived on had finished when its turn came
    assert said_by_jobs(sweep).count("nothing is trained again") == 3
