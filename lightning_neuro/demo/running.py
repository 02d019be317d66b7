"""Runs the jobs of a plan as child processes, some at a time, and ends them all when it is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import lightning_neuro
from lightning_neuro.demo.plan import Job
from lightning_neuro.errors import NeuroError
from lightning_neuro.progress_lines import NOTHING, VARIABLE, Refusal, Step, read_told

POLL_S = 0.2
GRACE_S = 10.0  # that children have to end their own simulators
ONE_THREAD = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")  # as many jobs as cores run at a time
LAST_LINES = 12


class Phase(str, Enum):
    """Where a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    BLOCKED = "blocked"

    @property
    def ended(self) -> bool:
        """Nothing more will happen."""
        return self not in (Phase.WAITING, Phase.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """A job at one moment.

    Args:
        phase: where it is.
        seconds: since it started, or that it took.
        step: what it last told; None before.
        refusal: why it took nothing; None otherwise.
        words: the last lines of a job that failed, or why it could not start.
    """

    phase: Phase
    seconds: float = 0.0
    step: Step | None = None
    refusal: Refusal | None = None
    words: str = ""


States = Mapping[str, JobState]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    process: subprocess.Popen[bytes]
    started: float
    told: Path
    log: Path


def run_jobs(
    jobs: Sequence[Job], *, slots: int, cwd: Path, logs: Path, show: Callable[[States], None]
) -> dict[str, JobState]:
    """Run all jobs, each when those it needs have succeeded; returns how they ended.

    Args:
        jobs: the earlier ones first where several could start.
        slots: most at a time.
        cwd: folder that they run in.
        logs: existing folder for what they say.
        show: called with all states several times a second.
    """
    states = {job.name: JobState(phase=Phase.WAITING) for job in jobs}
    running: dict[str, _Running] = {}
    try:
        while not all(state.phase.ended for state in states.values()):
            states |= {name: _look(child) for name, child in running.items()}
            running = {name: child for name, child in running.items() if not states[name].phase.ended}
            states |= blocked(jobs, states)
            for job in ready(jobs, states)[: slots - len(running)]:
                running[job.name] = _start(job, cwd, logs)
                states[job.name] = JobState(phase=Phase.RUNNING)
            show(states)
            time.sleep(POLL_S)
    finally:
        end_all([child.process for child in running.values()])
        for told in logs.glob("*.progress"):
            told.unlink()
    return states


def ready(jobs: Sequence[Job], states: States) -> list[Job]:
    """Jobs that wait for nothing."""
    return [
        job
        for job in jobs
        if states[job.name].phase is Phase.WAITING and all(states[name].phase is Phase.DONE for name in job.after)
    ]


def blocked(jobs: Sequence[Job], states: States) -> dict[str, JobState]:
    """Jobs that can never start, because one that they need has failed."""
    lost = (Phase.FAILED, Phase.REFUSED, Phase.BLOCKED)
    return {
        job.name: JobState(phase=Phase.BLOCKED, words=f"{name} {states[name].phase.value}: {states[name].words}")
        for job in jobs
        for name in job.after
        if states[job.name].phase is Phase.WAITING and states[name].phase in lost
    }


def _start(job: Job, cwd: Path, logs: Path) -> _Running:
    log, told = logs / f"{job.name}.log", logs / f"{job.name}.progress"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "lightning_neuro.cli", *job.arguments],
            cwd=cwd,
            env=child_environment(os.environ, told.resolve()),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process alone, which ends its children in order
        )
    return _Running(process=process, started=time.perf_counter(), told=told, log=log)


def child_environment(environment: Mapping[str, str], told: Path) -> dict[str, str]:
    """Variables of a child: one thread, a file for its progress, and this very package.

    Args:
        environment: of this process.
        told: file of progress.
    """
    package = str(Path(lightning_neuro.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [package, environment.get("PYTHONPATH")]))
    installed = Path(package).name in ("site-packages", "dist-packages")  # found anyway, and not before the library
    own = {} if installed else {"PYTHONPATH": path}
    return {**environment, **dict.fromkeys(ONE_THREAD, "1"), **own, VARIABLE: str(told), "COLUMNS": "120"}


def _look(child: _Running) -> JobState:
    rc = child.process.poll()
    told = read_told(child.told) if child.told.exists() else NOTHING
    phase = phase_of(rc, told.refusal)
    words = "" if phase in (Phase.RUNNING, Phase.DONE) else last_words(child.log.read_text(errors="replace"), rc)
    seconds = time.perf_counter() - child.started
    return JobState(phase=phase, seconds=seconds, step=told.step, refusal=told.refusal, words=words)


def phase_of(rc: int | None, refusal: Refusal | None) -> Phase:
    """Where a child is.

    Args:
        rc: its exit status; None while it runs.
        refusal: that it has told.
    """
    if rc is None:
        return Phase.RUNNING
    if rc == 0:
        return Phase.DONE
    return Phase.REFUSED if rc == NeuroError.exit_code and refusal is not None else Phase.FAILED


def last_words(log: str, rc: int | None) -> str:
    """The end of what a program said."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    return "\n".join(lines[-LAST_LINES:]) or f"it ended with exit status {rc} and said nothing"


def end_all(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End processes as Ctrl-C does, so that each ends what it has started, and with force after a while."""
    with _deaf():
        _end_all(processes)


@contextmanager
def _deaf() -> Iterator[None]:
    """A second Ctrl-C shall not keep children alive."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end_all(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    alive = [process for process in processes if process.poll() is None]
    _signal_groups(alive, signal.SIGINT)
    deadline = time.monotonic() + GRACE_S
    for process in alive:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
    _signal_groups(alive, signal.SIGKILL)  # a simulator may be deaf to Ctrl-C and outlive what started it
    for process in alive:
        process.wait()


def _signal_groups(processes: Sequence[subprocess.Popen[bytes]], sign: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
