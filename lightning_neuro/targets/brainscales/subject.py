"""What is proved of a BrainScaleS-2 artefact, and within which limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lightning_neuro.checkpoint import Inputs, first_samples
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.graph.hardware_graph import TimeBase
from lightning_neuro.neurons.chip_profiles import ChipProfile
from lightning_neuro.targets.base import Progress
from lightning_neuro.targets.brainscales.chip_network import SpikeEvents
from lightning_neuro.targets.brainscales.prepared import Prepared, events_on_grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """How accuracy on chips is predicted.

    Args:
        profile_name, profile: of the virtual chips.
        chips: how many.
        seed: of their draws.
        samples: most test samples for each.
        points: largest loss of accuracy from the ideal chip to the mean of the virtual ones, in percentage points.
    """

    profile_name: str
    profile: ChipProfile
    chips: int
    seed: int
    samples: int
    points: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """What is proved.

    Args:
        prepared: the artefact's content.
        artefact: its folder.
        prediction: settings of the virtual chips.
        steps_points: largest loss of accuracy from steps to continuous time, in percentage points.
        timeout_s: most seconds of one run of a script.
        progress: called with what is going on, steps done and steps in all.
    """

    prepared: Prepared
    artefact: Path
    prediction: Prediction
    steps_points: float
    timeout_s: float
    progress: Progress

    @property
    def evaluation(self) -> Inputs:
        """Recorded test samples of the file, at most ``prediction.samples``; those of the proof where it has none."""
        job = self.prepared.job
        stored = None if job.record is None else job.record.evaluation
        if stored is not None and len(stored):
            return first_samples(stored, self.prediction.samples)
        spikes, labels = job.vectors.spikes, job.vectors.labels
        if job.graph.time is TimeBase.CONTINUOUS:
            return SpikeTimeSet(times=spikes, labels=labels)
        return SpikeSet(spikes=spikes, labels=labels)


def events_of_inputs(subject: Subject, inputs: Inputs) -> SpikeEvents:
    """Recorded inputs as the FPGA plays them."""
    spikes = inputs.times if isinstance(inputs, SpikeTimeSet) else inputs.spikes
    return events_on_grid(subject.prepared.job.graph, spikes, subject.prepared.options)
