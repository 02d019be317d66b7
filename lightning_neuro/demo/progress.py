"""What is going on, in words: of a cell for the live table, of a job for plain lines."""

from __future__ import annotations

from dataclasses import dataclass

from lightning_neuro.demo.plan import Cell, Job, Plan
from lightning_neuro.demo.running import JobState, Phase, States
from lightning_neuro.progress_lines import EPOCH, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What a cell or a job is at.

    Args:
        phase: of its job that counts now.
        words: in words.
        share: of the activity that is done, 0..1; None where it cannot be told.
        seconds: that its jobs have taken so far.
    """

    phase: Phase
    words: str
    share: float | None
    seconds: float


def cell_activity(plan: Plan, cell: Cell, states: States) -> Activity:
    """Where a cell is: its trainings first, then its deployment.

    Args:
        plan: all of it.
        cell: which.
        states: of all jobs.
    """
    names = [*(training.name for training in plan.lineage(cell)), cell.name]
    seconds = sum(states[name].seconds for name in names)
    for name in names:
        state = states[name]
        if state.phase is not Phase.DONE and name != cell.name:
            lost = state.phase.ended
            phase = Phase.BLOCKED if lost else state.phase
            words = f"training {state.phase.value}" if lost else training_words(state)
            return Activity(phase=phase, words=words, share=_share(state.step), seconds=seconds)
    state = states[cell.name]
    return Activity(
        phase=state.phase, words=deployment_words(state), share=_share(state.step, state.phase), seconds=seconds
    )


def training_words(state: JobState) -> str:
    """What a training is at."""
    if state.phase is Phase.WAITING:
        return "waiting"
    if state.phase is not Phase.RUNNING:
        return state.phase.value
    if state.step is None:
        return "training: starting"
    if state.step.what != EPOCH:
        return f"training: {state.step.what}"
    if state.step.done >= state.step.total:
        return "training: measuring and writing the best network"
    return f"training, epoch {state.step.done + 1}/{state.step.total}"


def deployment_words(state: JobState) -> str:
    """What a deployment is at."""
    if state.phase is Phase.WAITING:
        return "trained, waiting"
    if state.phase is Phase.REFUSED:
        return "refused by the target"
    if state.phase is not Phase.RUNNING:
        return state.phase.value
    return f"deploying: {'reading the network' if state.step is None else state.step.what}"


def job_line(job: Job, state: JobState) -> str:
    """What a job is at, for a log: nothing that changes with every epoch."""
    if state.phase is Phase.RUNNING and job.arguments[0] == "train":
        return f"{job.name}: training"
    words = deployment_words(state)
    if state.phase.ended:
        words = f"{words}, {state.seconds:.1f} s"
    return f"{job.name}: {words}"


def _share(step: Step | None, phase: Phase = Phase.RUNNING) -> float | None:
    if phase.ended:
        return 1.0
    return None if step is None or step.total <= 0 else step.done / step.total
