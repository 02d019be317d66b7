"""How long silence has to last until a sample leaves nothing behind for the next one."""

from __future__ import annotations

import math

import numpy as np

from lightning_neuro.graph.connections import drive_of, input_size
from lightning_neuro.targets.spinnaker.plan import PopulationPlan, SpinnakerPlan
from lightning_neuro.targets.spinnaker.timing import Backend

LEAD_STEPS = 4
"""Silent steps before a sample: a simulator has to deliver a bias that begins a few steps before its layer does."""

DRAIN_MARGIN = 4
"""Steps beyond the longest delay and refractory period until nothing is under way."""

REMAINDER = 2.0**-40
"""What may be left of a membrane, relative to the largest weight's push; far below every margin to a threshold."""

LONGEST_GAP = 20_000
"""Steps; beyond it silence is no way to separate samples."""


def gap_steps(plan: SpinnakerPlan) -> int | None:
    """Silent steps after which every membrane and current is below ``REMAINDER``; None when there is no bound.

    A layer's input is silent at last when the layers before it are. Then its current, at most ``I`` by its weights,
    falls as ``B^k``, its membrane, at most ``V``, as the slower of both, and once ``V`` is below the threshold the
    layer is silent as well. Loops and neurons without leak have no such bound.
    """
    positions = {p.name: k for k, p in enumerate(plan.populations)}
    if any(positions[x.post] <= positions.get(x.pre, -1) for x in plan.projections):
        return None
    silent: dict[str, float] = {plan.input.name: 0.0}
    longest = 0.0
    for population in plan.populations:
        arrivals = [silent[x.pre] + max(x.delay.values(), default=1) for x in plan.into(population.name)]
        begins = max(arrivals, default=0.0)
        to_threshold, to_nothing = _decay_steps(plan, population)
        silent[population.name] = begins + to_threshold
        longest = max(longest, begins + to_nothing)
    if not longest <= LONGEST_GAP:
        return None
    return math.ceil(longest) + plan.longest_refractory + DRAIN_MARGIN


def _decay_steps(plan: SpinnakerPlan, population: PopulationPlan) -> tuple[float, float]:
    """Steps of silence until a layer cannot spike any more, and until nothing is left."""
    cell = population.cell
    drive = np.sum([np.abs(b.values) for b in population.biases], axis=0) if population.biases else np.zeros(cell.size)
    for x in plan.into(population.name):
        lines = np.ones((1, input_size(x.connection)))
        drive = drive + drive_of(x.connection, np.abs(x.connection.weight.real), lines)[0]
    slow = cell.decay_mem if cell.decay_syn is None else np.maximum(cell.decay_mem, cell.decay_syn)
    if (slow >= 1).any():
        return math.inf, math.inf
    reach = drive / (1 - cell.decay_mem)
    if cell.decay_syn is not None:
        reach = reach / (1 - cell.decay_syn)
    # |v| <= (reach + |v_reset|) (k + 1) slow^k covers equal decays of current and membrane, too
    reach = np.maximum(reach + np.abs(cell.v_reset), np.finfo(float).tiny)
    unit = np.maximum(np.abs(cell.threshold), drive) if cell.spiking else np.maximum(drive, np.finfo(float).tiny)
    to_nothing = max(_steps_until(r, s, u * REMAINDER) for r, s, u in zip(reach, slow, unit, strict=True))
    if not cell.spiking:
        return 0.0, to_nothing
    if (cell.threshold <= 0).any():
        return math.inf, math.inf
    return max(_steps_until(r, s, t) for r, s, t in zip(reach, slow, cell.threshold, strict=True)), to_nothing


def _steps_until(reach: float, decay: float, bound: float) -> float:
    """Steps k from which on ``reach (k + 1) decay^k <= bound``: the larger root, approached from above."""
    if decay <= 0:
        return 1.0
    k = 1e12
    for _ in range(64):
        k = max(0.0, (math.log(reach / bound) + math.log1p(k)) / -math.log(decay))
    return math.ceil(k) + 1.0


def period_overhead(plan: SpinnakerPlan) -> int:
    """Steps of a sample on the machine beyond its own: the lead, the layers' shift, and the silence after it."""
    latest = max(p.shift[Backend.SPINNAKER] for p in plan.populations)
    return LEAD_STEPS + latest + (gap_steps(plan) or 0) + ((plan.steps or 0) if plan.once else 0)
