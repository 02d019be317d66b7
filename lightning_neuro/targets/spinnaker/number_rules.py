"""Whether the machine's numbers can hold a network, given the sums that calibration data bring."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lightning_neuro.errors import Violation
from lightning_neuro.targets.spinnaker.accum import ACCUM_MAX, to_accum
from lightning_neuro.targets.spinnaker.constraints import Limits
from lightning_neuro.targets.spinnaker.plan import PopulationPlan
from lightning_neuro.targets.spinnaker.scaling import ScaledPlan, stored_weights, unit

LEAST_THRESHOLD = 256
"""Thresholds below this many units of 2**-15 drown in the cut-off of each step."""


def check_numbers(scaled: ScaledPlan, limits: Limits) -> tuple[Violation, ...]:
    """Every layer whose numbers the machine cannot hold, given what calibration data bring."""
    return tuple(v for population in scaled.plan.populations for v in _numbers(scaled, population, limits))


def _numbers(scaled: ScaledPlan, population: PopulationPlan, limits: Limits) -> Iterator[Violation]:
    cell, scale = population.cell, population.scale
    largest = max(float(np.abs(values).max(initial=0.0)) for values in (cell.threshold, cell.v_reset)) * scale
    if cell.spiking and largest >= ACCUM_MAX:
        yield Violation(
            where=population.name,
            what="threshold and reset",
            needed=f"{largest:.4g}",
            available=f"less than {ACCUM_MAX:g} (signed 16.15)",
            remedy="model.threshold=1.0   (train again)",
        )
    if cell.spiking and (to_accum(cell.threshold * scale)[cell.threshold > 0] < LEAST_THRESHOLD).any():
        yield Violation(
            where=population.name,
            what="membrane resolution",
            needed=f"{float(cell.threshold.min()) * scale:.3g} as threshold",
            available=f"{LEAST_THRESHOLD} steps of 2^-15 or more, beside sums of {ACCUM_MAX:g}",
            remedy="model.beta=SMALLER or model.weight_clip=1   (train again)",
        )
    error = weight_error(scaled, population)
    if error > limits.weight_error:
        yield Violation(
            where=population.name,
            what="weights",
            needed=f"{error:.2%} lost in 16 bits beside sums of {max(scaled.buffers[population.name].expected):.4g}",
            available=f"at most {limits.weight_error:.2%}",
            remedy="quantize.weight_bits=SMALLER   (or target.weight_error=LARGER)",
        )


def weight_error(scaled: ScaledPlan, population: PopulationPlan) -> float:
    """Root mean square of what 16 bits change in the weights of a layer, relative to that of the weights."""
    shifts = scaled.buffers[population.name].shifts
    lost = total = 0.0
    for projection in scaled.plan.into(population.name):
        wanted = projection.connection.weight.real * population.scale
        counts = stored_weights(wanted, shifts)
        units = np.where(wanted > 0, unit(shifts[0]), unit(shifts[1]))
        lost += float(((counts * units - wanted) ** 2).sum())
        total += float((wanted**2).sum())
    return float(np.sqrt(lost / total)) if total else 0.0
