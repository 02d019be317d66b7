"""The proofs that the machine can run the script: its arithmetic on all samples, and its memory on a virtual board."""

from __future__ import annotations

import numpy as np

from lightning_neuro.checkpoint import Inputs
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.targets.base import Job
from lightning_neuro.targets.spinnaker.board_image import BoardImage
from lightning_neuro.targets.spinnaker.emulation import prove_emulated
from lightning_neuro.targets.spinnaker.energy import Activity, energy_per_inference
from lightning_neuro.targets.spinnaker.estimates import core_loads, predict, real_time, time_scale_factor
from lightning_neuro.targets.spinnaker.expectation import expect_board
from lightning_neuro.targets.spinnaker.gap import gap_steps, period_overhead
from lightning_neuro.targets.spinnaker.placement import placement_plot
from lightning_neuro.targets.spinnaker.proof import Proof, Subject
from lightning_neuro.targets.spinnaker.virtual_board import board_resources, prove_on_virtual_board


def prove_emulator(subject: Subject) -> Proof:
    """All recorded samples in SpiNNaker's fixed-point numbers, compared with the network in float64."""
    inputs = evaluation_set(subject.job)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        subject.progress("emulating SpiNNaker's arithmetic", done, len(inputs))

    run = prove_emulated(subject.scaled, subject.job.graph, inputs, tolerance=subject.points, progress=advance)
    return Proof(checks=(run.check,), resources=run.resources, share=run.share)


def evaluation_set(job: Job) -> Inputs:
    """All samples that the file holds, or those of the proof where it holds none."""
    stored = job.record.evaluation if job.record is not None else None
    if stored is not None and len(stored):
        return stored
    return SpikeSet(spikes=job.vectors.spikes, labels=job.vectors.labels)


def prove_board(subject: Subject) -> Proof:
    """sPyNNaker maps ``network.py`` on a virtual board; what would be loaded is compared with the plan."""
    expected = expect_board(subject.scaled, subject.job.vectors.spikes, subject.boards)
    run = prove_on_virtual_board(subject.artefact, expected, subject.timeout_s)
    found = board_resources(run.image) if run.image is not None else estimated_resources(subject)
    plots = () if run.image is None else (placement_plot(run.image),)
    return Proof(checks=run.checks, resources={**found, **costs(subject, run.image)}, plots=plots)


def estimated_resources(subject: Subject) -> dict[str, object]:
    """What the network takes by our own reckoning, where sPyNNaker did not map it."""
    fit = predict(subject.plan)
    return {
        "application_cores_estimated": fit.cores,
        "chips_estimated": fit.chips,
        "boards_estimated": fit.boards,
        "sdram_bytes_estimated": fit.sdram_bytes,
    }


def costs(subject: Subject, image: BoardImage | None) -> dict[str, object]:
    """Time and energy of a sample on the machine: a model."""
    vectors, plan = subject.job.vectors, subject.plan
    fit = predict(plan)
    rasters = {plan.input.name: vectors.spikes, **vectors.expected.spikes}
    steps = vectors.spikes.shape[1]
    sources = sum(bias.steps(steps) for p in plan.populations for bias in p.biases)
    loads = core_loads(plan, rasters)
    chips = fit.chips if image is None else image.used_chips
    activity = Activity(
        steps=steps + period_overhead(plan),
        spikes=sum(float(raster.sum(dtype=np.int64)) for raster in rasters.values()) / len(vectors.spikes) + sources,
        chips_per_spike=float(chips),
    )
    energy = energy_per_inference(
        activity,
        cores=fit.cores if image is None else len(image.cores),
        chips=chips,
        boards=fit.boards if image is None else image.boards,
        timestep_ms=plan.timestep_ms * time_scale_factor(loads),
    )
    return {
        "real_time": real_time(loads),
        "steps_per_sample": {"network": steps, "silence_between": gap_steps(plan) or 0},
        "seconds_per_sample_s": energy["seconds"],
        "energy_per_sample_j": energy["joules"],
        "energy_per_sample_whole_boards_j": energy["joules_boards"],
    }
