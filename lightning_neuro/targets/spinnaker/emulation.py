"""The proof in the machine's arithmetic: every recorded sample, compared with the network as it is meant."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.checkpoint import Inputs
from lightning_neuro.cores import on_cores
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.graph import golden
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.graph.inputs import raster_of
from lightning_neuro.report import Check, Outcome
from lightning_neuro.targets.base import Share, share_right
from lightning_neuro.targets.spinnaker.emulator import Emulation, chunks, run_samples
from lightning_neuro.targets.spinnaker.loading import LoadedNetwork, load_network
from lightning_neuro.targets.spinnaker.plan import BiasPlan, SpinnakerPlan
from lightning_neuro.targets.spinnaker.scaling import ScaledPlan, stored_weights, unit

EMULATOR = "fixed_point_emulator"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """What the machine's arithmetic changed, on all samples.

    Args:
        classes, reference: class of every sample on the machine and in the network.
        labels: -1 where unknown.
        agreement: spikes that both have, as a share of those that either has, by layer (Jaccard index).
        compared: spikes that either has, by layer.
        spikes: spikes per sample of the input, of every layer and of always-on sources, on average, by name.
        saturations: ring buffers that were full, by layer.
        overflows: membranes that left signed 16.15, by layer.
        weights_changed: share of the weights that 16 bits cannot hold exactly, by layer.
    """

    classes: NDArray[np.int64]
    reference: NDArray[np.int64]
    labels: NDArray[np.int64]
    agreement: Mapping[str, float]
    compared: Mapping[str, int]
    spikes: Mapping[str, float]
    saturations: Mapping[str, int]
    overflows: Mapping[str, int]
    weights_changed: Mapping[str, float]

    @property
    def machine_right(self) -> Share | None:
        """How often the machine was right; None when no label is known."""
        return share_right(self.classes, self.labels)

    @property
    def network_right(self) -> Share | None:
        """How often the network was right."""
        return share_right(self.reference, self.labels)

    @property
    def same_class(self) -> float:
        """Share of the samples with the same class."""
        return float((self.classes == self.reference).mean()) if len(self.classes) else 1.0

    @property
    def points(self) -> float:
        """Percentage points by which the machine is worse (or better); without labels, how many classes differ."""
        machine, network = self.machine_right, self.network_right
        if machine is None or network is None:
            return 100.0 * (1.0 - self.same_class)
        return 100.0 * abs(network.right - machine.right)


def compare_with_machine(
    scaled: ScaledPlan,
    graph: HardwareGraph,
    inputs: Inputs,
    progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Run every sample on the emulated machine and in the golden model.

    Args:
        scaled: plan of the graph with factors and ring buffers.
        graph: the network as it is meant; runs in float64 with its own weights.
        inputs: samples.
        progress: called with the number of samples just finished.
    """
    loaded = load_network(scaled)
    names = [p.name for p in scaled.plan.populations]
    steps = _steps(scaled.plan, inputs)
    parts: list[_Part] = []
    for part in on_cores(lambda c: _run_both(loaded, graph, inputs.take(c)), chunks(scaled, len(inputs), steps)):
        parts.append(part)
        if progress is not None:
            progress(len(part.reference))
    machine = [part.machine for part in parts]
    both = {name: sum(part.both[name] for part in parts) for name in names}
    either = {name: sum(part.either[name] for part in parts) for name in names}
    return Comparison(
        classes=_joined([m.classes for m in machine]),
        reference=_joined([part.reference for part in parts]),
        labels=inputs.labels,
        agreement={name: both[name] / either[name] if either[name] else 1.0 for name in names},
        compared=either,
        spikes=_spikes_per_sample(loaded, machine, sum(part.sent for part in parts), len(inputs), steps),
        saturations={name: sum(m.saturations[name] for m in machine) for name in names},
        overflows={name: sum(m.overflows[name] for m in machine) for name in names},
        weights_changed=weights_changed(scaled),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Part:
    """Some samples: what the machine did, the network's classes, input spikes, common and all spikes by layer."""

    machine: Emulation
    reference: NDArray[np.int64]
    sent: int
    both: dict[str, int]
    either: dict[str, int]


def _run_both(loaded: LoadedNetwork, graph: HardwareGraph, inputs: Inputs) -> _Part:
    """Run some samples; their rasters are forgotten."""
    raster = raster_of(inputs, graph, "real")
    meant = golden.run(graph, raster, arithmetic="real", record=True)
    found = run_samples(loaded, raster, record=True)
    pairs = {name: (meant.spikes[name].astype(bool), found.spikes[name].astype(bool)) for name in found.spikes}
    return _Part(
        machine=_without_rasters(found),
        reference=meant.classes,
        sent=int(raster.sum(dtype=np.int64)),
        both={name: int((a & b).sum()) for name, (a, b) in pairs.items()},
        either={name: int((a | b).sum()) for name, (a, b) in pairs.items()},
    )


def _joined(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(0, np.int64), *parts])


def _without_rasters(found: Emulation) -> Emulation:
    return Emulation(
        spikes={},
        membrane={},
        scores=found.scores,
        classes=found.classes,
        spike_counts=found.spike_counts,
        saturations=found.saturations,
        overflows=found.overflows,
    )


def _steps(plan: SpinnakerPlan, inputs: Inputs) -> int:
    """Steps of a sample; spike times say nothing about it."""
    presented = inputs.spikes.shape[1] if isinstance(inputs, SpikeSet) else 1
    return max(presented, plan.steps or 1)


def _spikes_per_sample(
    loaded: LoadedNetwork, machine: list[Emulation], sent: int, samples: int, steps: int
) -> dict[str, float]:
    plan, samples = loaded.scaled.plan, max(samples, 1)
    counts = {plan.input.name: sent / samples}
    for population in plan.populations:
        counts[population.name] = sum(m.spike_counts[population.name] for m in machine) / samples
        for bias in population.biases:
            counts[_source_words(population.name, bias)] = float(bias.steps(steps))
    return counts


def _source_words(name: str, bias: BiasPlan) -> str:
    if bias.initial:
        return f"initial membranes of {name}"
    return f"bias of {name} from step {bias.onset}" + ("" if bias.until is None else f" to {bias.until - 1}")


def weights_changed(scaled: ScaledPlan) -> dict[str, float]:
    """Share of the weights into every layer, zeros aside, that 16 bits cannot hold as well as float64 does."""
    shares = {}
    for population in scaled.plan.populations:
        shifts = scaled.buffers[population.name].shifts
        changed = total = 0
        for projection in scaled.plan.into(population.name):
            wanted = projection.connection.weight.real * population.scale
            stored = stored_weights(wanted, shifts) * np.where(wanted > 0, unit(shifts[0]), unit(shifts[1]))
            changed += int((np.abs(stored - wanted) > 1e-9 * np.abs(wanted)).sum())
            total += int((wanted != 0).sum())
        shares[population.name] = changed / total if total else 0.0
    return shares


# -- the check ---------------------------------------------------------------------------------------------------


def emulator_check(found: Comparison, tolerance: float, seconds: float) -> Check:
    """Whether the machine's arithmetic keeps the accuracy of the network.

    Args:
        found: comparison on all recorded samples.
        tolerance: largest difference of accuracies, in percentage points.
        seconds: wall time.
    """
    passed = found.points <= tolerance and not any(found.overflows.values())
    return Check(
        name=EMULATOR,
        outcome=Outcome.PASSED if passed else Outcome.FAILED,
        expected=f"accuracy within {tolerance:g} points of the network's",
        got=_got(found),
        detail=_detail(found),
        seconds=seconds,
    )


def _got(found: Comparison) -> str:
    machine, network = found.machine_right, found.network_right
    if machine is None or network is None:
        return f"{found.same_class:.2%} of the classes agree (no labels)"
    return f"{found.points:.2f} points: {machine.right:.2%} on the machine, {network.right:.2%} in the network"


def _detail(found: Comparison) -> str:
    agreement = ", ".join(f"{name} {share:.4f} of {found.compared[name]:,}" for name, share in found.agreement.items())
    words = [f"{len(found.classes):,} samples, {found.same_class:.2%} same class; common spikes: {agreement}"]
    for what, counts in (("saturated ring buffers", found.saturations), ("overflowed membranes", found.overflows)):
        words.append(f"{sum(counts.values())} {what}")
    changed = {name: share for name, share in found.weights_changed.items() if share}
    listed = ", ".join(f"{name} {share:.1%}" for name, share in changed.items())
    words.append(f"weights rounded by 16 bits: {listed or 'none'}")
    return "; ".join(words)


def emulator_resources(found: Comparison) -> dict[str, object]:
    """Numbers for the report."""
    return {
        "emulator": {
            "samples": len(found.classes),
            "same_class": found.same_class,
            "spike_agreement": dict(found.agreement),
            "spikes_compared": dict(found.compared),
            "saturations": dict(found.saturations),
            "overflows": dict(found.overflows),
            "weights_changed": dict(found.weights_changed),
            "spikes_per_sample": dict(found.spikes),
        }
    }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EmulatorRun:
    """The check, its numbers, and how often the machine was right."""

    check: Check
    resources: Mapping[str, object]
    share: Share | None
    comparison: Comparison


def prove_emulated(
    scaled: ScaledPlan,
    graph: HardwareGraph,
    inputs: Inputs,
    *,
    tolerance: float,
    progress: Callable[[int], None] | None = None,
) -> EmulatorRun:
    """Compare on all samples and judge.

    Args:
        scaled, graph, inputs: as ``compare_with_machine``.
        tolerance: largest difference of accuracies, in percentage points.
        progress: called with the number of samples just finished.
    """
    start = time.perf_counter()
    found = compare_with_machine(scaled, graph, inputs, progress)
    check = emulator_check(found, tolerance, time.perf_counter() - start)
    return EmulatorRun(check=check, resources=emulator_resources(found), share=found.machine_right, comparison=found)
