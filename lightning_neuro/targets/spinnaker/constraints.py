"""What SpiNNaker can take: limits as data, and one small named rule per constraint.

The rules need the network alone; what calibration data say about sizes of sums is judged by ``number_rules``. Limits
of the machine: sPyNNaker 7.4.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from lightning_neuro.errors import Violation
from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    HardwareGraph,
    ResetKind,
)
from lightning_neuro.graph.quantize import counts
from lightning_neuro.targets.rules import (
    MEMBRANE_READOUTS,
    binary_input,
    neuron_kind,
    neurons_of,
    populated,
    resets_to_value,
    silent_layers,
    stepped_time,
)
from lightning_neuro.targets.spinnaker.energy import CORES_PER_BOARD, count_cores
from lightning_neuro.targets.spinnaker.maps import NEURONS_PER_CORE
from lightning_neuro.targets.spinnaker.plan import (
    SHORTEST_STEP_MS,
    SpinnakerPlan,
    machine_step_ms,
    plan_network,
    was_continuous,
)
from lightning_neuro.targets.spinnaker.timing import Backend

RING_BUFFER_BITS = 14  # neuron, receptor and delay share them
DELAY_STAGES = 8  # of one delay-extension core, each as long as a ring buffer
LONGEST_STEP_MS = 1000.0
# What a converted network loses by resets to zero, higher thresholds and more steps give back; a bias cannot.
RESETS_TO_ZERO = (
    "model.conversion.reset=zero model.conversion.threshold_stretch=4 model.conversion.steps=64 "
    "model.conversion.bias_samples=0"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Settings of the target that bound a network.

    Args:
        boards: most boards of 48 chips.
        timestep_ms: step of the machine in ms; None is the network's own.
        weight_error: largest root mean square error of the stored weights of a layer, relative to that of the weights.
    """

    boards: int
    timestep_ms: float | None
    weight_error: float


def check_graph(graph: HardwareGraph, limits: Limits) -> tuple[Violation, ...]:
    """Every constraint that a graph breaks.

    Args:
        graph: quantised or not.
        limits: settings.

    Returns:
        All violations. Rules that need a plan run only when neurons, resets and time are right.
    """
    found = tuple(violation for rule in STRUCTURE_RULES for violation in rule(graph))
    found += tuple(_timestep(graph, limits))
    if found:
        return found
    plan = plan_network(graph, limits.timestep_ms)
    return tuple(violation for rule in PLAN_RULES for violation in rule(plan, limits))


# -- structure ---------------------------------------------------------------------------------------------------


def resets(graph: HardwareGraph) -> Iterator[Violation]:
    """To v_reset: no shipped neuron subtracts its threshold."""
    yield from resets_to_value(graph, _other_reset(graph))


def _other_reset(graph: HardwareGraph) -> str:
    if counts(graph):
        return f"{RESETS_TO_ZERO}   (train again)"
    return "model.reset=zero   (train again; SpiNNaker2 can subtract: lightning-neuro export, network.nir)"


def schedules(graph: HardwareGraph) -> Iterator[Violation]:
    """A cell may spike in every step, and a source can bring delta cells alone to an initial membrane."""
    for population, neuron in neurons_of(graph):
        if population.fires_from or population.fires_until is not None:
            end = "the last" if population.fires_until is None else str(population.fires_until - 1)
            yield Violation(
                where=population.name,
                what="steps with spikes",
                needed=f"{population.fires_from} to {end}",
                available="all",
                remedy="model.conversion.schedule=synchronous   (or pipelined; train again)",
            )
        if isinstance(neuron, CubaLif) and neuron.v_init.real.any():
            yield Violation(
                where=population.name,
                what="initial membrane",
                needed="other than 0 with exponential synapses",
                available="other than 0 with delta synapses",
                remedy="v_init of 0 in the metadata of the file",
            )


def membrane_readout(graph: HardwareGraph) -> Iterator[Violation]:
    """The machine resets at once; a network that resets in the next step shows another membrane at each spike."""
    for population, neuron in neurons_of(graph):
        read = population.name == graph.output and graph.readout in MEMBRANE_READOUTS
        if read and neuron.reset.kind is not ResetKind.NONE and neuron.reset.delay:
            yield Violation(
                where=population.name,
                what="membrane read-out",
                needed="membrane before a delayed reset",
                available="membrane after the reset",
                remedy="model.readout=spike_count   (or model.reset_delay=0; train again)",
            )


def decays(graph: HardwareGraph) -> Iterator[Violation]:
    """A membrane keeps 0 to 1 of itself per step, a synaptic current less than 1."""
    for population, neuron in neurons_of(graph):
        kept = [("membrane decay", neuron.leak_mem.beta, True)]
        if isinstance(neuron, CubaLif):
            kept.append(("synapse decay", neuron.leak_syn.beta, False))
        for what, values, one_allowed in kept:
            low, high = float(np.min(values)), float(np.max(values))
            if not (low >= 0 and (high <= 1 if one_allowed else high < 1)):
                yield Violation(
                    where=population.name,
                    what=what,
                    needed=f"{low:.4g} to {high:.4g}",
                    available="0 to 1" + ("" if one_allowed else ", 1 exclusive"),
                    remedy="model.beta=0.9   (train again)" if one_allowed else "model.tau_syn=5e-3   (train again)",
                )


def rest(graph: HardwareGraph) -> Iterator[Violation]:
    """A neuron rests at 0 until its layer's first step, so 0 must not be above its threshold."""
    for population, neuron in neurons_of(graph):
        lowest = float(np.min(neuron.threshold.real, initial=np.inf))
        if neuron.reset.kind is not ResetKind.NONE and lowest < 0:
            yield Violation(
                where=population.name,
                what="threshold",
                needed=f"{lowest:.4g}",
                available="0 or more: neurons rest at 0 before the first input",
                remedy="model.threshold=1.0   (train again)",
            )


STRUCTURE_RULES: tuple[Callable[[HardwareGraph], Iterator[Violation]], ...] = (
    stepped_time,
    populated,
    binary_input,
    neuron_kind,
    resets,
    schedules,
    silent_layers,
    membrane_readout,
    decays,
    rest,
)


def _timestep(graph: HardwareGraph, limits: Limits) -> Iterator[Violation]:
    """The machine's step is the network's, in whole microseconds; only continuous time can be stretched."""
    own, free = graph.dt_s * 1000.0, was_continuous(graph)
    step = machine_step_ms(graph) if limits.timestep_ms is None else limits.timestep_ms
    if not free and not np.isclose(step, own, rtol=1e-9):
        yield Violation(
            where="target.timestep_ms",
            what="simulation step",
            needed=f"{step:g} ms",
            available=f"{own:g} ms, the step that the network was trained with",
            remedy="target.timestep_ms=null",
        )
    elif not SHORTEST_STEP_MS <= step <= LONGEST_STEP_MS or not np.isclose(step * 1000, round(step * 1000), atol=1e-6):
        yield Violation(
            where="network",
            what="simulation step",
            needed=f"{step:g} ms",
            available=f"{SHORTEST_STEP_MS:g} to {LONGEST_STEP_MS:g} ms in whole microseconds",
            remedy="target.timestep_ms=0.1" if free else "model.dt=1e-3   (train again; for a .nir file dt=1e-3)",
        )


# -- the plan ----------------------------------------------------------------------------------------------------


def loops(plan: SpinnakerPlan, limits: Limits) -> Iterator[Violation]:
    """A spike needs a step for every projection of a loop."""
    if not plan.runs_on(Backend.SPINNAKER):
        yield Violation(
            where="network",
            what="delay of a loop",
            needed="less than a step per projection",
            available="a step or more for every projection of a loop",
            remedy="give each projection of the loop a delay of one step   (train again)",
        )


def delays(plan: SpinnakerPlan, limits: Limits) -> Iterator[Violation]:
    """From one step to what ring buffer and delay extension hold."""
    if not plan.runs_on(Backend.SPINNAKER):
        return
    for projection in plan.projections:
        steps = projection.delay[Backend.SPINNAKER]
        most = longest_delay(plan.population(projection.post).size)
        if not 1 <= steps <= most:
            yield Violation(
                where=projection.name,
                what="delay",
                needed=f"{steps} steps",
                available=f"1 to {most} steps into {plan.population(projection.post).size} neurons",
                remedy=f"a delay of at most {projection.steps - steps + most} steps   (train again)",
            )


def longest_delay(neurons: int) -> int:
    """Longest delay into a population, in steps: slots of a core's ring buffer, and the stages before it.

    >>> longest_delay(128), longest_delay(300)
    (576, 288)
    """
    neuron_bits = max(0, (min(neurons, NEURONS_PER_CORE) - 1).bit_length())
    return (1 + DELAY_STAGES) << (RING_BUFFER_BITS - 1 - neuron_bits)


def boards(plan: SpinnakerPlan, limits: Limits) -> Iterator[Violation]:
    """The virtual machine grows without a word; a real one does not."""
    cores = count_cores(plan)
    needed = -(-cores // CORES_PER_BOARD)
    if needed > limits.boards:
        yield Violation(
            where="network",
            what="boards",
            needed=f"{needed} ({cores} cores)",
            available=f"{limits.boards} of {CORES_PER_BOARD} cores",
            remedy=f"target.boards={needed}",
        )


PLAN_RULES: tuple[Callable[[SpinnakerPlan, Limits], Iterator[Violation]], ...] = (loops, delays, boards)
