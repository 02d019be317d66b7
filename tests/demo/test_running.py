"""Jobs as child processes: order, room, failures, refusals, and that none survives an interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lightning_neuro.demo.plan import Job
from lightning_neuro.demo.running import Phase, blocked, child_environment, last_words, phase_of, ready, run_jobs
from lightning_neuro.progress_lines import VARIABLE, Refusal

CHILD = Path(__file__).with_name("mock_child.sh")
ROOT = Path(__file__).parents[2]


def job(name: str, mode: str = "works", after: tuple[str, ...] = ()) -> Job:
    return Job(name=name, arguments=(mode, name), after=after)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run jobs whose children are the mock."""
    monkeypatch.setattr(sys, "executable", str(CHILD))
    logs = tmp_path / "logs"
    logs.mkdir()

    def run_(*jobs: Job, slots: int = 2, show=lambda _: None):
        return run_jobs(jobs, slots=slots, cwd=tmp_path, logs=logs, show=show)

    return run_


def gone(pid: int) -> bool:
    """A killed process is gone a moment later, or waits as a zombie for whoever adopted it."""
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.1)
    return False


def test_jobs_run_after_those_they_need(run, tmp_path):
    seen = []

    def show(states):
        seen.append((states["deploy"].phase, (tmp_path / "train").exists()))

    states = run(job("deploy", after=("train",)), job("train"), show=show)
    assert {state.phase for state in states.values()} == {Phase.DONE}
    assert all(trained for phase, trained in seen if phase is not Phase.WAITING)
    assert (tmp_path / "deploy").exists()


def test_no_more_than_the_slots_run_at_a_time(run):
    most = []
    run(*(job(f"j{i}") for i in range(3)), slots=1, show=lambda s: most.append(
        sum(state.phase is Phase.RUNNING for state in s.values())
    ))  # fmt: skip
    assert max(most) == 1


def test_a_failed_child_gives_its_last_words_and_blocks_what_needs_it_and_nothing_else(run, tmp_path):
    states = run(job("bad", "fails"), job("cell", after=("bad",)), job("other"))
    assert states["bad"].phase is Phase.FAILED
    assert states["bad"].words == "first line\nno such simulator"
    assert states["cell"].phase is Phase.BLOCKED
    assert states["cell"].words == "bad failed: first line\nno such simulator"
    assert states["other"].phase is Phase.DONE
    assert not (tmp_path / "cell").exists()
    assert (tmp_path / "logs" / "bad.log").read_text() == "first line\nno such simulator\n"


def test_a_child_that_fails_without_a_word_is_told_by_its_exit_status(run):
    assert run(job("bad", "mute"))["bad"].words == "it ended with exit status 3 and said nothing"


def test_a_refusal_arrives_with_reason_and_remedy(run):
    state = run(job("cell", "refuses"))["cell"]
    assert state.phase is Phase.REFUSED
    assert state.refusal == Refusal(reason="no spikes", remedy="model=lif")


def test_files_of_progress_do_not_stay(run, tmp_path):
    steps = []
    run(job("train"), show=lambda s: steps.append(s["train"].step))
    assert steps[-1] is not None and (steps[-1].done, steps[-1].total) == (2, 5)
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["train.log"]


def test_an_interruption_ends_children_and_what_they_started(run, tmp_path):
    pids = tmp_path / "pids"

    def show(_):
        if pids.exists():
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(job("stays", "stays"), show=show)
    assert all(gone(int(pid)) for pid in pids.read_text().split())
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupted_demo_ends_its_children_and_keeps_nothing(tmp_path):
    out = tmp_path / "results" / "demo"
    demo = subprocess.Popen(
        [sys.executable, "-m", "lightning_neuro.demo", "--quick", f"--out={out}"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert demo.stdout is not None
    assert "lif: training" in demo.stdout.readline()
    children = psutil.Process(demo.pid).children(recursive=True)
    assert children
    time.sleep(0.5)
    demo.send_signal(signal.SIGINT)
    _, said = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "interrupted" in said and "Traceback" not in said
    assert all(gone(child.pid) for child in children)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("rc", "refusal", "phase"),
    [
        (None, None, Phase.RUNNING),
        (0, None, Phase.DONE),
        (1, None, Phase.FAILED),
        (2, None, Phase.FAILED),
        (2, Refusal(reason="r", remedy="m"), Phase.REFUSED),
        (-9, Refusal(reason="r", remedy="m"), Phase.FAILED),
    ],
)
def test_phases_of_exit_statuses(rc, refusal, phase):
    assert phase_of(rc, refusal) is phase


def test_ready_and_blocked_follow_the_jobs_before(run):
    states = run(job("bad", "refuses"), job("good"))
    jobs = [job("a", after=("good",)), job("b", after=("good", "bad"))]
    waiting = states | {name: type(states["bad"])(phase=Phase.WAITING) for name in ("a", "b")}
    assert [found.name for found in ready(jobs, waiting)] == ["a"]
    assert list(blocked(jobs, waiting)) == ["b"]


def test_children_compute_on_one_thread_and_import_this_package():
    found = child_environment({"PYTHONPATH": "elsewhere", "HOME": "h"}, Path("logs/a.progress"))
    assert found["OMP_NUM_THREADS"] == "1" and found["HOME"] == "h"
    assert found[VARIABLE] == "logs/a.progress"
    assert found["PYTHONPATH"] == f"{ROOT}{os.pathsep}elsewhere"


def test_last_words_are_the_end_without_empty_lines():
    assert last_words("".join(f"line {i}\n\n" for i in range(40)), 1).splitlines()[0] == "line 28"
