"""What a report should say about a network that SpiNNaker takes."""

from __future__ import annotations

import numpy as np

from lightning_neuro.graph.hardware_graph import CubaLif, HardwareGraph, Lif, Population, ResetKind
from lightning_neuro.report.wording import engineering
from lightning_neuro.targets.rules import neurons_of
from lightning_neuro.targets.spinnaker.plan import SpinnakerPlan, was_continuous
from lightning_neuro.targets.spinnaker.timing import Backend

TIE_TOLERANCE = 1e-9  # of an lsb: closer thresholds count as reached exactly


def notes(graph: HardwareGraph, plan: SpinnakerPlan) -> tuple[str, ...]:
    """Sentences for the report about what is allowed but should be known."""
    found = [note for population, neuron in neurons_of(graph) if (note := _tie(graph, population, neuron))]
    if was_continuous(graph) and plan.timestep_ms > 1.001e3 * graph.dt_s:
        step, longer = engineering(graph.dt_s, "s"), plan.timestep_ms / (1e3 * graph.dt_s)
        found.append(
            f"a step of the network, {step}, is a step of {plan.timestep_ms:g} ms on the machine, where time "
            f"constants are {longer:.4g} times as long"
        )
    if not plan.runs_on(Backend.NEST):
        found.append(
            "NEST cannot run loops of current-based neurons with a delay of one step (its shortest is two); "
            "recurrent spikes are checked by the emulator and the reference alone"
        )
    if any((p.cell.decay_mem >= 1).any() for p in plan.populations):
        found.append("neurons without leak lose up to 2^-14 of their membrane per step on SpiNNaker")
    return tuple(found)


def _tie(graph: HardwareGraph, population: Population, neuron: Lif | CubaLif) -> str | None:
    formats = [p.connection.weight.format for p in graph.into(population.name)]
    if neuron.reset.kind is ResetKind.NONE or not formats or any(f is None for f in formats):
        return None
    lsb = min(f.lsb for f in formats if f is not None)
    ratio = neuron.threshold.real / lsb
    if not (np.abs(ratio - np.rint(ratio)) < TIE_TOLERANCE * np.maximum(1.0, ratio)).any():
        return None
    return (
        f"{population.name}: thresholds are whole multiples of the weights' lsb, so sums can meet them exactly; the "
        "network then stays silent (v > threshold), and SpiNNaker is given the next higher number as threshold"
    )
