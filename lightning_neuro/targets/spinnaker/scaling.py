"""One factor per layer and one shift per receptor, such that 16-bit weights lose as little as possible.

sPyNNaker stores a weight as a 16-bit magnitude in units of 2**(shift - 15), and sums what arrives in one step in a
16-bit ring buffer of the same unit. It takes the shift from ``max_expected_summed_weight``; left alone, it assumes
that every synapse spikes at once. A layer is unchanged when its weights, biases, threshold and reset potential are
multiplied by one factor, so the factor is free: weights of a quantised network are integers times an lsb, and the
factor makes that lsb a power of two that the ring buffer can count in. It is the largest one that keeps the
membrane in signed 16.15, since the membrane's resolution is fixed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.connections import add_drive, drive_of, input_size, prepare_real, with_weight
from lightning_neuro.graph.golden import delayed
from lightning_neuro.graph.hardware_graph import Values
from lightning_neuro.targets.spinnaker.accum import ACCUM_MAX, ACCUM_RESOLUTION
from lightning_neuro.targets.spinnaker.plan import UNTIL_THE_END, PopulationPlan, ProjectionPlan, SpinnakerPlan

WEIGHT_BITS = 16
HEADROOM = 2.0  # room in signed 16.15 beyond what calibration data reach, where the worst case leaves too few digits
ENOUGH = 16.0  # a threshold of this size has its digits: the membrane's resolution is 2e-6 of it
MARGIN = 1.25  # on the largest sum seen; the ring buffer itself holds twice the sum that sPyNNaker is told
_JUST_BELOW = 1 - 2.0**-20


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What arrives at the neurons of a layer at most, network units.

    Args:
        exc, inh: sum of the positive and of the negative weights of one step.
        current: |synaptic current| that drives the membrane.
    """

    exc: float
    inh: float
    current: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RingBuffers:
    """What sPyNNaker is told about the sums of a layer, and what it makes of it; excitatory, then inhibitory.

    Args:
        expected: ``max_expected_summed_weight``, in the layer's scaled units.
        shifts: unit of a weight is 2**(shift - 15), the ring buffer saturates just below 2**(shift + 1).
    """

    expected: tuple[float, float]
    shifts: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScaledPlan:
    """A plan with its factors, and the ring buffers of every layer by name."""

    plan: SpinnakerPlan
    buffers: Mapping[str, RingBuffers]


# -- sPyNNaker's own arithmetic ----------------------------------------------------------------------------------


def ring_buffer_shift(expected: float) -> int:
    """Left shift from ring buffer to signed 16.15 that sPyNNaker chooses (``PopulationVertex.get_ring_buffer_shifts``).

    Args:
        expected: largest sum of weights expected in one step.

    >>> [ring_buffer_shift(w) for w in (0.0, 0.3, 1.0, 3.9, 4.0)]
    [0, 0, 1, 2, 3]
    """
    power = 0 if expected <= 0 else math.ceil(max(0.0, math.log2(expected)))
    return power + 1 if 2.0**power <= expected else power


def unit(shift: int) -> float:
    """Weight of one count of a ring buffer."""
    return 2.0 ** (shift - (WEIGHT_BITS - 1))


def stored_weights(weights: NDArray[Any], shifts: tuple[int, int]) -> NDArray[np.int64]:
    """Signed counts that stand for weights: magnitudes rounded half to even, in the unit of their receptor.

    Args:
        weights: any shape, in the layer's scaled units.
        shifts: excitatory, inhibitory.
    """
    counts = np.where(weights > 0, weights / unit(shifts[0]), weights / unit(shifts[1]))
    return np.rint(counts).astype(np.int64)


# -- what arrives ------------------------------------------------------------------------------------------------


def loads_of(plan: SpinnakerPlan, rasters: Mapping[str, NDArray[Any]]) -> dict[str, Load]:
    """Largest input of every layer in recorded activity.

    Args:
        plan: network.
        rasters: spikes of the input and of every layer, [sample, step, neuron], as the network has them.
    """
    return {p.name: _load(plan, p, rasters) for p in plan.populations}


def worst_sums(plan: SpinnakerPlan, population: PopulationPlan) -> tuple[float, float]:
    """Sums of all positive and of all negative weights into the neuron that has most, biases included."""
    sums = []
    for sign in (1.0, -1.0):
        total = np.zeros(population.size)
        for projection in plan.into(population.name):
            every = np.ones((1, input_size(projection.connection)))
            total += drive_of(projection.connection, _part(projection, sign), every)[0]
        for bias in population.biases:
            total += np.maximum(sign * bias.values, 0.0)
        sums.append(float(total.max(initial=0.0)))
    return sums[0], sums[1]


def arriving(
    plan: SpinnakerPlan, population: PopulationPlan, rasters: Mapping[str, NDArray[Any]], sign: float
) -> NDArray[np.float64]:
    """Sum of the weights of one sign that reach each neuron in each step, [sample, step, neuron], not negative."""
    samples, steps = rasters[plan.input.name].shape[:2]
    total = np.zeros((samples, steps, population.size))
    for projection in plan.into(population.name):
        raster = delayed(rasters[projection.pre], projection.steps)
        rows = raster.reshape(-1, raster.shape[-1])
        part = with_weight(projection.connection, Values(real=_part(projection, sign)))
        add_drive(total.reshape(len(rows), -1), part, prepare_real(part), rows)
    for bias in population.biases:
        total[:, bias.window] += np.maximum(sign * bias.values, 0.0)
    return total


def _part(projection: ProjectionPlan, sign: float) -> NDArray[np.float64]:
    return np.maximum(sign * projection.connection.weight.real, 0.0)


def _load(plan: SpinnakerPlan, population: PopulationPlan, rasters: Mapping[str, NDArray[Any]]) -> Load:
    exc, inh = (arriving(plan, population, rasters, sign) for sign in (1.0, -1.0))
    decay = population.cell.decay_syn
    current, most = np.zeros(exc.shape[::2]), 0.0
    for t in range(exc.shape[1]):
        x = exc[:, t] - inh[:, t]
        current = x if decay is None else decay * current + x
        most = max(most, float(np.abs(current).max(initial=0.0)))
    return Load(exc=float(exc.max(initial=0.0)), inh=float(inh.max(initial=0.0)), current=most)


# -- the factor --------------------------------------------------------------------------------------------------


def scale_plan(plan: SpinnakerPlan, loads: Mapping[str, Load]) -> ScaledPlan:
    """Choose the factor and the ring buffers of every layer.

    Args:
        plan: network, unscaled.
        loads: what calibration data bring, by layer (``loads_of``).
    """
    scales = {p.name: choose_scale(plan, p, loads[p.name]) for p in plan.populations}
    populations = tuple(dataclasses.replace(p, scale=scales[p.name]) for p in plan.populations)
    scaled = dataclasses.replace(plan, populations=populations)
    return ScaledPlan(
        plan=scaled, buffers={p.name: choose_buffers(scaled, p, loads[p.name]) for p in scaled.populations}
    )


def choose_scale(plan: SpinnakerPlan, population: PopulationPlan, load: Load) -> float:
    """Factor of a layer: at most what fits signed 16.15, with an lsb of the weights that is a power of two."""
    most = largest_scale(plan, population, load)
    lsb = common_lsb(plan, population)
    if lsb is None:
        largest = max(_needed(plan, population, load))
        return _JUST_BELOW * 2.0 ** math.floor(math.log2(most * largest)) / largest if largest else most
    return 2.0 ** math.floor(math.log2(most * lsb)) / lsb


def largest_scale(plan: SpinnakerPlan, population: PopulationPlan, load: Load) -> float:
    """Largest factor with which no input overflows; where that leaves too few digits, none like calibration data."""
    cell = population.cell
    size = float(np.abs(cell.threshold).max(initial=0.0)) if cell.spiking else load.current
    slowest = 0.0 if cell.decay_syn is None else float(cell.decay_syn.max(initial=0.0))
    never = max(worst_sums(plan, population)) / (1.0 - slowest)
    safe, seen = (ACCUM_MAX / reach(population, current) for current in (never, HEADROOM * load.current))
    every_digit = not size or cell.refractory_steps == UNTIL_THE_END  # when a neuron spikes says more than how often
    return max(safe, seen if every_digit else min(seen, ENOUGH / size))


def reach(population: PopulationPlan, current: float) -> float:
    """Largest magnitude in a layer's arithmetic for a given largest current, network units.

    The binaries compute ``v <- a - A (a - v)`` with the asymptote ``a = i / (1 - A)``: besides threshold and reset
    potential, ``a - v`` must fit, which is at most twice the largest asymptote.
    """
    cell = population.cell
    kept = 1.0 - min(float(cell.decay_mem.max(initial=0.0)), 1.0 - 2 * ACCUM_RESOLUTION)
    fixed = max(float(np.abs(values).max(initial=0.0)) for values in (cell.threshold, cell.v_reset))
    fixed = HEADROOM * fixed if cell.spiking else 0.0
    room = 2.0 if cell.spiking else 2.5  # the membrane of a read-out stays below its unreachable threshold, too
    return max(room * current / kept + fixed, ACCUM_RESOLUTION)


def choose_buffers(plan: SpinnakerPlan, population: PopulationPlan, load: Load) -> RingBuffers:
    """Sums to tell sPyNNaker of: the largest seen with a margin, widened to the worst case while that costs no bit."""
    lsb, scale = common_lsb(plan, population), population.scale
    expected = []
    for needed, worst in zip(_needed(plan, population, load), worst_sums(plan, population), strict=True):
        exact = 0.0 if lsb is None else _JUST_BELOW * lsb * scale * 2.0 ** (WEIGHT_BITS - 1)
        expected.append(max(needed * scale, min(worst * scale, exact)))
    shifts = ring_buffer_shift(expected[0]), ring_buffer_shift(expected[1])
    return RingBuffers(expected=(expected[0], expected[1]), shifts=shifts)


def _needed(plan: SpinnakerPlan, population: PopulationPlan, load: Load) -> tuple[float, float]:
    """Sums that each ring buffer must hold: the largest seen, with a margin, and every single weight."""
    exc, inh = (largest_weight(plan, population, sign) for sign in (1.0, -1.0))
    return max(load.exc * MARGIN, exc), max(load.inh * MARGIN, inh)


def largest_weight(plan: SpinnakerPlan, population: PopulationPlan, sign: float) -> float:
    """Largest weight (or bias) of one sign into a layer, 0 where there is none."""
    values = [e.connection.weight.real for e in plan.into(population.name)] + [b.values for b in population.biases]
    return max((float((sign * v).max(initial=0.0)) for v in values), default=0.0)


def common_lsb(plan: SpinnakerPlan, population: PopulationPlan) -> float | None:
    """Number that all weights into a layer are integer multiples of; None for a network in real numbers."""
    formats = [p.connection.weight.format for p in plan.into(population.name)]
    known = [f.lsb for f in formats if f is not None]
    if not known or len(known) < len(formats):
        return None
    least = min(known)
    return least if all(math.isclose(lsb / least, round(lsb / least), rel_tol=1e-12) for lsb in known) else None
