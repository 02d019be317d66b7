"""What steps cost a first-spike network: its spike times and its accuracy against continuous time."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.checkpoint import Inputs
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.first_spike_check import analytic_first_spikes
from lightning_neuro.graph import golden
from lightning_neuro.graph.evaluate import accuracy, classes_of
from lightning_neuro.graph.event import Times, population_times
from lightning_neuro.graph.first_spike_steps import Decay, times_of
from lightning_neuro.graph.inputs import raster_of
from lightning_neuro.in_steps import InSteps
from lightning_neuro.report import Accuracy, Check, Outcome, Plot, plots
from lightning_neuro.targets.base import Target, TestVectors

CHECK = "first_spike_accuracy"
MOST_LOST = 0.01  # accuracy that steps and rounding together may cost
SAMPLES = 256  # whose spike times are compared one by one
MORE_SAMPLES = 2000  # on which steps and rounding are told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsCost:
    """What steps cost a network in continuous time, as parts of a report.

    Args:
        checks: of accuracy and, with exact decays, of every first spike.
        resources: errors of spike times by population.
        plot: their distribution.
    """

    checks: tuple[Check, ...]
    resources: dict[str, object]
    plot: Plot


def steps_cost(
    steps: InSteps, inputs: Inputs, accuracies: Accuracy, target: Target, proof: Inputs, vectors: TestVectors
) -> StepsCost:
    """Compare the network in steps with the one in continuous time.

    Args:
        steps: all forms of the network.
        inputs: all samples.
        accuracies: of the analytic network and of the one in steps, on all labelled samples.
        target: hardware that takes the steps.
        proof: samples that run through the artefact; with exact decays every first spike of theirs is compared.
        vectors: the same as rasters, with their golden recording.
    """
    assert isinstance(inputs, SpikeTimeSet) and isinstance(proof, SpikeTimeSet)
    errors = time_errors(steps, inputs)
    arithmetic = target.arithmetic_for(steps.graph)
    checks = [accuracy_check(steps, inputs, accuracies, arithmetic)]
    how = target.discretisation
    if how is not None and how.decay is Decay.EXACT and arithmetic == "real":
        rasters = {steps.graph.input.name: vectors.spikes, **vectors.expected.spikes}
        checks.append(analytic_first_spikes(steps.rounded, steps.graph, proof.times, rasters))
    return StepsCost(
        checks=tuple(checks),
        resources={"first spikes": {e.name: e.numbers() for e in errors}},
        plot=plots.spike_time_errors({e.name: e.errors for e in errors}),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimeErrors:
    """First spikes of one population in steps against continuous time.

    Args:
        name: population.
        errors: end of the step of the spike minus the analytic time, in steps, of all neurons that spike in both.
        changed: share of (sample, neuron) pairs that spike in one and not in the other.
        own: share of pairs right within one step when the analytic neuron gets the rounded times that this one got.
    """

    name: str
    errors: NDArray[np.float64]
    changed: float
    own: float

    def numbers(self) -> dict[str, object]:
        """What a report says about them."""
        spread = np.quantile(self.errors, (0.05, 0.5, 0.95)).tolist() if self.errors.size else [0.0] * 3
        return {
            "error in steps": dict(zip(("5 %", "median", "95 %"), spread, strict=True)),
            "spike in one form alone": f"{100 * self.changed:.2f} %",
            "within a step, given their inputs": f"{100 * self.own:.2f} %",
        }


def time_errors(steps: InSteps, inputs: SpikeTimeSet) -> tuple[TimeErrors, ...]:
    """Compare unrounded networks, with and without steps, on the first ``SAMPLES`` samples."""
    some = inputs.take(slice(SAMPLES))
    times = some.times
    wanted = golden.run(steps.analytic, times, arithmetic="event").times
    graph = steps.real_graph
    assert graph.steps is not None
    raster = raster_of(some, graph, "real")
    found = golden.run(graph, raster, arithmetic="real", record=True).spikes
    starts: dict[str, Times] = {graph.input.name: times_of(raster, graph.dt_s) - graph.dt_s}
    errors = []
    for population in steps.analytic.populations:
        name = population.name
        got = times_of(found[name][:, :, : population.size], graph.dt_s)
        own = population_times(steps.analytic, population, starts)
        errors.append(_errors(name, got, wanted[name], own, graph.dt_s, graph.dt_s * graph.steps))
        starts[name] = got - graph.dt_s  # a spike acts at the beginning of its step
    return tuple(errors)


def _errors(name: str, got: Times, wanted: Times, own: Times, dt_s: float, end_s: float) -> TimeErrors:
    both = np.isfinite(got) & np.isfinite(wanted)
    wanted, own = (np.where(t > end_s, np.inf, t) for t in (wanted, own))
    with np.errstate(invalid="ignore"):
        right = (np.abs(got - own) <= dt_s * (1 + 1e-9)) | (np.isinf(got) & np.isinf(own))
    return TimeErrors(
        name=name,
        errors=(got[both] - wanted[both]) / dt_s,
        changed=float((np.isfinite(got) != np.isfinite(wanted)).mean()),
        own=float(right.mean()),
    )


def accuracy_check(steps: InSteps, inputs: SpikeTimeSet, accuracies: Accuracy, arithmetic: golden.Arithmetic) -> Check:
    """Whether the network in steps and integers still answers like the one in continuous time.

    Args:
        steps: all forms of the network.
        inputs: samples with their labels, or made-up ones.
        accuracies: of the analytic network and of the integers, on all labelled samples.
        arithmetic: of the target.
    """
    start = time.perf_counter()
    some = inputs.take(slice(MORE_SAMPLES))
    detail = f"of {len(some)} samples: {_told_apart(steps, some, arithmetic)}"
    if accuracies.float_ is None or accuracies.quantized is None:
        lost = _disagreement(steps, some, arithmetic)
        got = f"{100 * lost:.1f} % of made-up samples get another class"
        lost = 0.0  # nothing is known about what the classes should be
    else:
        lost = accuracies.float_ - accuracies.quantized
        form = "integers" if arithmetic == "fixed" else "rounded weights"
        got = f"{100 * accuracies.quantized:.1f} % in steps and {form}, {100 * accuracies.float_:.1f} % analytic"
    passed = lost <= MOST_LOST + 1e-9
    remedy = "" if passed else f"dt={steps.graph.dt_s / 2:.12g} quantize.weight_bits=12 quantize.state_bits=30; "
    return Check(
        name=CHECK,
        outcome=Outcome.PASSED if passed else Outcome.FAILED,
        expected=f"at most {100 * MOST_LOST:g} point below the analytic network",
        got=got,
        detail=("" if passed else f"try {remedy}") + detail,
        seconds=time.perf_counter() - start,
    )


def _told_apart(steps: InSteps, inputs: SpikeTimeSet, arithmetic: golden.Arithmetic) -> str:
    if (inputs.labels >= 0).any():
        shares = [
            accuracy(steps.analytic, inputs, "event"),
            accuracy(steps.real_graph, inputs, "real"),
            accuracy(steps.rounded, inputs, "event"),
        ]
        texts = [f"{100 * share:.1f} %" for share in shares if share is not None]
        return f"analytic {texts[0]}, steps with unrounded weights {texts[1]}, rounded weights without steps {texts[2]}"
    return f"{100 * _disagreement(steps, inputs, arithmetic):.1f} % get another class in steps"


def _disagreement(steps: InSteps, inputs: SpikeTimeSet, arithmetic: golden.Arithmetic) -> float:
    first = classes_of(steps.analytic, inputs, "event")
    return float((first != classes_of(steps.graph, inputs, arithmetic)).mean())
