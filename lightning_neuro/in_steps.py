"""A first-spike network on hardware that advances in steps: the two graphs a target gets, and what the steps cost."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.graph import golden
from lightning_neuro.graph.evaluate import accuracy, classes_of
from lightning_neuro.graph.event import Times, population_times
from lightning_neuro.graph.first_spike_steps import (
    Decay,
    Discretisation,
    discretise_first_spike,
    gain,
    step_length,
    times_of,
)
from lightning_neuro.graph.hardware_graph import FirstSpike, HardwareGraph
from lightning_neuro.graph.inputs import raster_of
from lightning_neuro.graph.quantize import choose_formats, quantize
from lightning_neuro.graph.relays import relay_counts, relay_skips
from lightning_neuro.graph.widths import Widths, covering
from lightning_neuro.report import Accuracy, Check, Outcome
from lightning_neuro.report.wording import engineering

CHECK = "first_spike_accuracy"
MOST_LOST = 0.01  # accuracy that steps and rounding together may cost
SAMPLES = 256  # whose spike times are compared one by one
MORE_SAMPLES = 2000  # on which steps and rounding are told apart


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InSteps:
    """What a target that advances in steps gets for a network in continuous time.

    Args:
        analytic: the network in continuous time, unrounded.
        rounded: the same with rounded weights.
        real_graph: ``analytic`` in steps.
        graph: ``rounded`` in steps, with integer membranes too.
        notes: sentences for the report.
    """

    analytic: HardwareGraph
    rounded: HardwareGraph
    real_graph: HardwareGraph
    graph: HardwareGraph
    notes: tuple[str, ...]


def in_steps(
    analytic: HardwareGraph, rounded: HardwareGraph, widths: Widths, how: Discretisation, dt_s: float | None
) -> InSteps:
    """Bring both forms of a network into steps.

    Args:
        analytic: network in continuous time.
        rounded: the same with rounded weights; its integers are those of the result.
        widths: of membranes and leaks.
        how: what the target wants.
        dt_s: step that the user asks for, in seconds; None leaves it to the target.

    Raises:
        ConfigError: dt does not suit the target, or membranes are too narrow for it.
    """
    dt = step_length(analytic, how, dt_s)
    plain, stepped = (discretise_first_spike(graph, dt, how.decay) for graph in (analytic, rounded))
    real_graph = relay_skips(plain) if how.relays else plain
    chained = relay_skips(stepped) if how.relays else stepped
    chosen = covering(widths, [p.name for p in chained.populations])
    lsb = _stepped_lsb(rounded, dt, how.decay)
    formats = choose_formats(chained, chosen, membrane_range={}, weight_lsb=lsb)
    return InSteps(
        analytic=analytic,
        rounded=rounded,
        real_graph=real_graph,
        graph=quantize(chained, formats),
        notes=_notes(analytic, plain, real_graph, how),
    )


def _stepped_lsb(rounded: HardwareGraph, dt_s: float, decay: Decay) -> dict[str, float]:
    """LSB of every population's weights with their gain, where all its neurons have the same."""
    found = {}
    for population in rounded.populations:
        assert isinstance(population.neuron, FirstSpike)
        gains = np.unique(gain(population.neuron, dt_s, decay))
        weight = rounded.into(population.name)[0].connection.weight.format
        assert weight is not None
        if len(gains) == 1:
            found[population.name] = weight.lsb * float(gains[0])
    return found


def _notes(
    analytic: HardwareGraph, plain: HardwareGraph, chained: HardwareGraph, how: Discretisation
) -> tuple[str, ...]:
    dt, neurons = plain.dt_s, [p.neuron for p in analytic.populations if isinstance(p.neuron, FirstSpike)]
    tau = min(float(tau_s.min()) for n in neurons for tau_s in (n.tau_syn_s, n.tau_mem_s))
    horizon = analytic.horizon_s or 0.0
    decay = {Decay.SHIFT: "1 - dt / tau, a bit shift", Decay.EXACT: "exp(-dt / tau), exact"}[how.decay]
    notes = [
        f"time advances in steps of dt = {engineering(dt, 's')} ({tau / dt:.4g} in the shortest time constant of "
        f"{engineering(tau, 's')}), {plain.steps} in a sample of {engineering(horizon, 's')}; decays are {decay}",
        f"an input spike at time t acts {_ACTS[how.decay]}; of spikes within one step the lowest class wins",
    ]
    if any(p.delays_s is not None for p in analytic.projections):
        notes.append("delays are rounded to whole steps")
    notes += [
        f"{name}: the last {count} neuron(s) are relays, which pass input lines on to later layers within the step"
        for name, count in relay_counts(plain, chained).items()
    ]
    return tuple(notes)


_ACTS = {
    Decay.SHIFT: "at the beginning of its step, floor(t / dt)",
    Decay.EXACT: "at the beginning of a step that is nearest to it",
}


# -- what it costs -----------------------------------------------------------------------------------------------


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
