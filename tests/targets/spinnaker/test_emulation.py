"""The check of the emulated machine: what it counts, when it passes, when it fails."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.graph import golden
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.report import Outcome
from lightning_neuro.targets.spinnaker.emulation import EMULATOR, EmulatorRun, compare_with_machine, prove_emulated
from lightning_neuro.targets.spinnaker.scaling import RingBuffers, ScaledPlan
from tests.graph.networks import chain
from tests.targets.spinnaker.small_graphs import one_neuron, rounded, scaled, spikes_for

GRAPH = rounded(chain([40, 60, 10], beta=0.9))
SPIKES = spikes_for(GRAPH, samples=60)
CLASSES = golden.run(GRAPH, SPIKES, arithmetic="real").classes.astype(np.int64)


def samples(labels: np.ndarray = CLASSES) -> SpikeSet:
    return SpikeSet(spikes=SPIKES, labels=labels)


def prove(plan: ScaledPlan, inputs: SpikeSet, graph: HardwareGraph = GRAPH, tolerance: float = 0.5) -> EmulatorRun:
    return prove_emulated(plan, graph, inputs, tolerance=tolerance)


def coarse(plan: ScaledPlan, shift: int) -> ScaledPlan:
    """The plan with ring buffers in a far too coarse unit."""
    buffers = {name: RingBuffers(expected=b.expected, shifts=(shift, shift)) for name, b in plan.buffers.items()}
    return dataclasses.replace(plan, buffers=buffers)


def test_a_good_plan_passes_with_all_samples_and_the_machines_accuracy() -> None:
    seen: list[int] = []
    run = prove_emulated(scaled(GRAPH, SPIKES), GRAPH, samples(), tolerance=0.5, progress=seen.append)
    assert run.check.name == EMULATOR and run.check.outcome is Outcome.PASSED
    assert run.share is not None and run.share.samples == 60 == sum(seen)
    assert run.comparison.points == pytest.approx(100 * (1 - run.share.right))
    assert min(run.comparison.agreement.values()) > 0.98
    assert "weights rounded by 16 bits: none" in run.check.detail and "0 saturated" in run.check.detail


def test_weights_that_round_to_nothing_fail() -> None:
    run = prove(coarse(scaled(GRAPH, SPIKES), 24), samples())
    assert run.check.outcome is Outcome.FAILED
    assert run.comparison.weights_changed == {"layer1": 1.0, "layer2": 1.0}
    assert run.comparison.agreement["layer2"] < 0.5
    assert run.share is not None and run.share.right < 0.9


def test_full_ring_buffers_are_counted_and_fail() -> None:
    plan = scaled(GRAPH, SPIKES)
    run = prove(coarse(plan, plan.buffers["layer1"].shifts[0] - 4), samples())
    assert run.check.outcome is Outcome.FAILED and run.comparison.saturations["layer1"] > 0


def test_the_tolerance_is_a_setting() -> None:
    inputs = samples(np.where(np.arange(60) < 50, CLASSES, -1))
    wrong = coarse(scaled(GRAPH, SPIKES), 24)
    assert prove(wrong, inputs, tolerance=0.5).check.outcome is Outcome.FAILED
    assert prove(wrong, inputs, tolerance=100.0).check.outcome is Outcome.PASSED


def test_overflow_fails_whatever_the_accuracy() -> None:
    graph = one_neuron([1.0], beta=0.875, threshold=1.0)
    spikes = np.ones((2, 8, 1), np.uint8)
    plan = scaled(graph, spikes)
    loud = tuple(dataclasses.replace(p, scale=16000.0) for p in plan.plan.populations)
    plan = dataclasses.replace(plan, plan=dataclasses.replace(plan.plan, populations=loud))
    run = prove(coarse(plan, 14), SpikeSet(spikes=spikes, labels=np.zeros(2, np.int64)), graph)
    assert run.comparison.points == 0 and run.check.outcome is Outcome.FAILED
    assert "overflowed membranes" in run.check.detail


def test_without_labels_classes_are_compared() -> None:
    run = prove(scaled(GRAPH, SPIKES), samples(np.full(60, -1)))
    assert run.share is None and run.check.outcome is Outcome.PASSED
    assert "of the classes agree (no labels)" in str(run.check.got)


def test_spikes_are_counted_for_the_energy() -> None:
    found = compare_with_machine(scaled(GRAPH, SPIKES), GRAPH, samples())
    assert found.spikes["input"] == SPIKES.sum() / 60
    assert set(found.spikes) == {"input", "layer1", "layer2"}
