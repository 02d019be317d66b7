"""What is proved of a SpiNNaker artefact, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lightning_neuro.targets.base import Job, Progress
from lightning_neuro.targets.proofs import Proof, made, skipped, timed
from lightning_neuro.targets.spinnaker.plan import SpinnakerPlan
from lightning_neuro.targets.spinnaker.scaling import ScaledPlan

__all__ = ["Proof", "Subject", "made", "skipped", "timed"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """What is proved, and within which limits.

    Args:
        job: network and recorded samples.
        scaled: its plan, factors and shifts included.
        artefact: folder.
        boards: most boards of 48 chips.
        points: largest difference of accuracies that the machine's arithmetic may make, in percentage points.
        timeout_s: most seconds of one run of a simulator.
        progress: called with what is going on, steps done and steps in all.
    """

    job: Job
    scaled: ScaledPlan
    artefact: Path
    boards: int
    points: float
    timeout_s: float
    progress: Progress

    @property
    def plan(self) -> SpinnakerPlan:
        """The network as PyNN has it."""
        return self.scaled.plan
