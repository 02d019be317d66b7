"""The proofs of a SpiNNaker artefact, in order: float64 reference, NEST, the machine's arithmetic, a virtual board."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.checkpoint import Inputs
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.errors import ToolError
from lightning_neuro.graph.golden import Recording
from lightning_neuro.report import Check, Outcome, Plot
from lightning_neuro.targets.base import Job, Progress, Share
from lightning_neuro.targets.spinnaker import nest
from lightning_neuro.targets.spinnaker.artefact import TESTSET, WEIGHTS
from lightning_neuro.targets.spinnaker.emulation import EMULATOR, prove_emulated
from lightning_neuro.targets.spinnaker.energy import Activity, energy_per_inference
from lightning_neuro.targets.spinnaker.estimates import core_loads, real_time, time_scale_factor
from lightning_neuro.targets.spinnaker.expectation import expect_board
from lightning_neuro.targets.spinnaker.gap import period_overhead
from lightning_neuro.targets.spinnaker.placement import placement_plot
from lightning_neuro.targets.spinnaker.plan import SpinnakerPlan
from lightning_neuro.targets.spinnaker.reference import run_reference
from lightning_neuro.targets.spinnaker.scaling import ScaledPlan
from lightning_neuro.targets.spinnaker.script import MEMBRANE_TOLERANCE
from lightning_neuro.targets.spinnaker.timing import Backend
from lightning_neuro.targets.spinnaker.virtual_board import VIRTUAL_BOARD, board_resources, prove_on_virtual_board


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proof:
    """Checks that belong together and what they found besides.

    Args:
        checks: outcomes.
        resources: numbers for the report.
        share: how often the artefact was right; None when it was not run for that.
        plots: pictures for the report.
    """

    checks: tuple[Check, ...]
    resources: Mapping[str, object] = field(default_factory=dict)
    share: Share | None = None
    plots: tuple[Plot, ...] = ()


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


def skipped(name: str, expected: str, reason: str) -> Proof:
    """A check that could not run."""
    return Proof(checks=(_check(name, Outcome.SKIPPED, expected, None, reason, 0.0),))


def timed(name: str, expected: str, work: Callable[[Path], Proof]) -> Proof:
    """Run one proof in a temporary folder; a tool that fails or takes too long fails the check with its words."""
    start = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="lightning-neuro-") as folder:
            return work(Path(folder))
    except (ToolError, OSError) as error:
        words = f"{error.what}: {error.why.strip()[-600:]}" if isinstance(error, ToolError) else str(error)
        return Proof(checks=(_check(name, Outcome.FAILED, expected, None, words, time.perf_counter() - start),))


def _check(name: str, outcome: Outcome, expected: str, got: str | None, detail: str, seconds: float) -> Check:
    return Check(name=name, outcome=outcome, expected=expected, got=got, detail=detail, seconds=seconds)


# -- 1. the files, in float64 --------------------------------------------------------------------------------------

REFERENCE = "float_reference"
NO_MISMATCH = "0 mismatching spikes"


def prove_reference(subject: Subject) -> Proof:
    """The arrays of the artefact, advanced cell by cell in float64, must spike as the golden model did."""
    start = time.perf_counter()
    with np.load(subject.artefact / WEIGHTS) as weights, np.load(subject.artefact / TESTSET) as testset:
        found = run_reference(subject.plan, dict(weights), testset["spikes"])
    wrong, words = mismatches(subject.plan, found, subject.job.vectors.expected)
    samples = f"{len(subject.job.vectors.spikes)} sample(s), weights.npz in float64 without a simulator"
    check = _check(
        REFERENCE,
        Outcome.FAILED if wrong else Outcome.PASSED,
        NO_MISMATCH,
        f"{wrong} mismatching spikes",
        words or samples,
        time.perf_counter() - start,
    )
    return Proof(checks=(check,))


def mismatches(plan: SpinnakerPlan, found: Mapping[str, NDArray[np.generic]], expected: Recording) -> tuple[int, str]:
    """How many spikes (and membranes of read-outs) differ from the golden model's, and where the first one is."""
    count, words = 0, ""
    for population in plan.populations:
        name = population.name
        golden = expected.spikes[name] if population.cell.spiking else expected.membrane[name]
        allowed = 0.0 if population.cell.spiking else MEMBRANE_TOLERANCE * np.abs(golden).max(initial=0.0)
        differ = np.argwhere(np.abs(found[name].astype(np.float64) - golden) > allowed)
        count += len(differ)
        if len(differ) and not words:
            sample, step, neuron = differ[0]
            words = f"{name}: {len(differ)} differ, the first at sample {sample}, step {step}, neuron {neuron}"
    return count, words


# -- 2. NEST -------------------------------------------------------------------------------------------------------

NEST = "nest_spikes"


def prove_nest(subject: Subject) -> Proof:
    """``network.py --backend nest --check``: every spike of every layer, after the fixed shift of the layer."""
    if reason := nest.missing():
        return skipped(NEST, NO_MISMATCH, reason)
    if not subject.plan.runs_on(Backend.NEST):
        return skipped(NEST, NO_MISMATCH, _too_late(subject.plan))
    return timed(NEST, NO_MISMATCH, lambda work: _nest(subject, work))


def _nest(subject: Subject, work: Path) -> Proof:
    run = nest.run_on_nest(subject.artefact, work, subject.timeout_s)
    expected = sum(layer["expected"] for layer in run.layers.values() if layer["what"] == "spikes")
    shifts = ", ".join(f"{p.name} +{p.shift[Backend.NEST]}" for p in subject.plan.populations)
    passed = f"{len(run.classes)} sample(s), {expected:,} spikes; steps behind the input: {shifts}"
    pulses = ", ".join(f"{p.name}: {p.pulses}" for p in subject.plan.populations if p.pulses)
    passed += f"; currents in loops as delayed pulses, one per step ({pulses})" if pulses else ""
    outcome = Outcome.FAILED if run.mismatches else Outcome.PASSED
    words = run.first_difference() or passed
    got = f"{run.mismatches} mismatching spikes"
    return Proof(checks=(_check(NEST, outcome, NO_MISMATCH, got, words, run.seconds),))


def _too_late(plan: SpinnakerPlan) -> str:
    loops = ", ".join(p.name for p in plan.projections if p.steps > 0)
    return (
        f"NEST adds a spike to a synaptic current one step after it arrives, so that {loops} would act a step late; "
        "the other checks cover this network (to enable: use delta synapses, or a delay of two steps)"
    )


# -- 3. the machine's arithmetic -----------------------------------------------------------------------------------


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


# -- 4. a virtual board --------------------------------------------------------------------------------------------


def prove_board(subject: Subject) -> Proof:
    """sPyNNaker maps ``network.py`` on a virtual board; what would be loaded is compared with the plan."""
    vectors, plan = subject.job.vectors, subject.plan
    expected = expect_board(subject.scaled, vectors.spikes, subject.boards)
    run = prove_on_virtual_board(subject.artefact, expected, subject.timeout_s)
    if run.image is None:
        return Proof(checks=run.checks)
    spikes = float(sum(raster.sum(dtype=np.int64) for raster in (vectors.spikes, *vectors.expected.spikes.values())))
    steps = vectors.spikes.shape[1]
    sources = sum(max(0, steps - bias.onset) for p in plan.populations for bias in p.biases)
    activity = Activity(
        steps=steps + period_overhead(plan),
        spikes=spikes / len(vectors.spikes) + sources,
        chips_per_spike=float(run.image.used_chips),
    )
    loads = core_loads(plan, {plan.input.name: vectors.spikes, **vectors.expected.spikes})
    energy = energy_per_inference(
        activity,
        cores=len(run.image.cores),
        chips=run.image.used_chips,
        boards=run.image.boards,
        timestep_ms=plan.timestep_ms * time_scale_factor(loads),
    )
    return Proof(
        checks=run.checks,
        resources={
            **board_resources(run.image),
            "real_time": real_time(loads),
            "energy_per_inference": energy,
        },
        plots=(placement_plot(run.image),),
    )


PROOFS: Sequence[tuple[str, str, Callable[[Subject], Proof]]] = (
    (REFERENCE, "the artefact's arrays in float64", prove_reference),
    (NEST, "NEST: running network.py", prove_nest),
    (EMULATOR, "SpiNNaker's arithmetic", prove_emulator),
    (VIRTUAL_BOARD, "sPyNNaker: mapping on a virtual board", prove_board),
)
