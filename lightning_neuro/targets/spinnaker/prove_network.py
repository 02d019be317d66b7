"""The proofs that the script is the network: its arrays in float64, and the script itself on NEST."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.golden import Recording
from lightning_neuro.report import Outcome
from lightning_neuro.targets.proofs import counted
from lightning_neuro.targets.spinnaker import nest
from lightning_neuro.targets.spinnaker.artefact import TESTSET, WEIGHTS
from lightning_neuro.targets.spinnaker.plan import SpinnakerPlan
from lightning_neuro.targets.spinnaker.proof import Proof, Subject, made, skipped, timed
from lightning_neuro.targets.spinnaker.reference import run_reference
from lightning_neuro.targets.spinnaker.script import MEMBRANE_TOLERANCE
from lightning_neuro.targets.spinnaker.timing import Backend

# -- the files, in float64 --------------------------------------------------------------------------------------

REFERENCE = "float_reference"
NO_MISMATCH = "0 mismatching spikes"


def prove_reference(subject: Subject) -> Proof:
    """The arrays of the artefact, advanced cell by cell in float64, must spike as the golden model did."""
    start = time.perf_counter()
    with np.load(subject.artefact / WEIGHTS) as weights, np.load(subject.artefact / TESTSET) as testset:
        found = run_reference(subject.plan, dict(weights), testset["spikes"])
    wrong, words = mismatches(subject.plan, found, subject.job.vectors.expected)
    samples = f"{len(subject.job.vectors.spikes)} sample(s), weights.npz in float64 without a simulator"
    check = made(
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


# -- NEST -------------------------------------------------------------------------------------------------------

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
    check = made(NEST, outcome, NO_MISMATCH, got, words, run.seconds)
    return Proof(checks=(check,), resources=counted(NEST, expected, run.mismatches))


def _too_late(plan: SpinnakerPlan) -> str:
    loops = ", ".join(p.name for p in plan.projections if p.steps > 0)
    return (
        f"NEST adds a spike to a synaptic current one step after it arrives, so that {loops} would act a step late; "
        "the other checks cover this network (to enable: use delta synapses, or a delay of two steps)"
    )
