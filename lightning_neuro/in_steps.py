"""A first-spike network on hardware that advances in steps: the two graphs that a target gets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_neuro.graph.first_spike_steps import Decay, Discretisation, discretise_first_spike, gain, step_length
from lightning_neuro.graph.hardware_graph import FirstSpike, HardwareGraph
from lightning_neuro.graph.quantize import choose_formats, quantize
from lightning_neuro.graph.relays import relay_counts, relay_skips
from lightning_neuro.graph.widths import Widths, covering
from lightning_neuro.report.wording import engineering


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
