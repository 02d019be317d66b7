"""What a network will take before anything is run: cores, memory, chips, boards, and how fast the cores must be.

A virtual board knows nothing of time. A core that gets more synaptic events in a step than it can work off falls
behind, and spikes come late; sPyNNaker's remedy is ``time_scale_factor``, which gives a step more real time. The model
of a core's work: 13 million synaptic events per second (what sPyNNaker reckons with, ``synapse_dynamics_static.py``),
200 cycles of a 200 MHz core per row that is fetched (``transfer_overhead_clocks``), and half of each step kept free
for the neurons themselves and for input and output: 256 of them are updated in half a step of 1 ms, so a tenth of them
in half a step of 0.1 ms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.golden import delayed
from lightning_neuro.targets.spinnaker.energy import CORES_PER_BOARD, CORES_PER_CHIP, count_cores
from lightning_neuro.targets.spinnaker.maps import NEURONS_PER_CORE, is_convolution
from lightning_neuro.targets.spinnaker.plan import LINES_PER_CORE, PopulationPlan, ProjectionPlan, SpinnakerPlan
from lightning_neuro.targets.spinnaker.reference import synapse_list
from lightning_neuro.targets.spinnaker.timing import Backend, CellKind

EVENTS_PER_SECOND = 13e6
ROW_SECONDS = 200 / 200e6
SYNAPSES_SHARE = 0.5  # of a step
NEURON_SECONDS = 0.5e-3 / NEURONS_PER_CORE  # a full core updates its neurons in the other half of a step of 1 ms
RING_BUFFER_BITS = 14  # of neuron, receptor and delay together
SPIKE_BUFFER = 256  # packets that a core can queue, sPyNNaker's default
_HEADER_BYTES, _SYNAPSE_BYTES = 12, 4  # of a row
_CORE_BYTES, _SOURCE_BYTES = 1_000, 600  # tables and provenance
_NEURON_BYTES = {CellKind.DELTA: 462, CellKind.EXP: 530}  # parameters, initial values, and what generates them


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What a network takes on the machine.

    Args:
        cores: that run it.
        chips: at least.
        boards: of 48 chips.
        sdram_bytes: synapses, parameters and tables, without recordings.
    """

    cores: int
    chips: int
    boards: int
    sdram_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreLoad:
    """The busiest step of the cores of a layer.

    Args:
        layer: name.
        events: synaptic events of one core.
        spikes: packets that reach it.
        share: of a step in real time that the synapses take.
        neurons: of a step in real time that the neurons take.
    """

    layer: str
    events: float
    spikes: int
    share: float
    neurons: float = 0.0


def predict(plan: SpinnakerPlan) -> Fit:
    """Cores, chips, boards and memory of a network."""
    cores = count_cores(plan) + delay_cores(plan)
    running = sum(cores_of(p) for p in plan.populations)
    sdram = sum(cores_of(p) * _core_bytes(plan, p) for p in plan.populations) + (cores - running) * _SOURCE_BYTES
    return Fit(cores=cores, chips=-(-cores // CORES_PER_CHIP), boards=-(-cores // CORES_PER_BOARD), sdram_bytes=sdram)


def delay_cores(plan: SpinnakerPlan) -> int:
    """Cores that hold spikes back for delays beyond a ring buffer: one for each core of such a source."""
    late = {e.pre for e in plan.projections if e.delay[Backend.SPINNAKER] > ring_slots(plan.population(e.post))}
    lines = -(-plan.input.size // LINES_PER_CORE)
    return sum(lines if name == plan.input.name else cores_of(plan.population(name)) for name in late)


def ring_slots(population: PopulationPlan) -> int:
    """Steps that the ring buffers of a layer reach ahead."""
    neuron_bits = (portion_of(population) - 1).bit_length()
    return 1 << (RING_BUFFER_BITS - 1 - max(1, neuron_bits))


def cores_of(population: PopulationPlan) -> int:
    """Cores of a layer."""
    return -(-population.size // portion_of(population))


def portion_of(population: PopulationPlan) -> int:
    """Neurons of a layer's fullest core."""
    return min(population.size, NEURONS_PER_CORE) if population.tile is None else math.prod(population.tile)


def _core_bytes(plan: SpinnakerPlan, population: PopulationPlan) -> int:
    """Memory of one core: sPyNNaker reserves for the fullest one on all of them."""
    rows = sum(_row_bytes(plan, edge) for edge in plan.into(population.name))
    return _CORE_BYTES + portion_of(population) * _NEURON_BYTES[population.cell.kind] + rows


def by_connector(plan: SpinnakerPlan, edge: ProjectionPlan) -> bool:
    """Whether a projection is a connector, which has no rows in SDRAM."""
    return plan.population(edge.post).tile is not None and is_convolution(edge.connection)


def _row_bytes(plan: SpinnakerPlan, edge: ProjectionPlan) -> int:
    """Rows of a projection on one core: a row per source neuron and receptor, all as long as the longest.

    A source population of several cores counts as if all of them were full.
    """
    if by_connector(plan, edge):
        return 0
    pre, _, weight = synapse_list(edge.connection, edge.connection.weight.real)
    limit = portion_of(plan.population(edge.post))
    total = 0
    for chosen in (weight > 0, weight < 0):
        if chosen.any():
            longest = min(limit, int(np.bincount(pre[chosen]).max()))
            total += _lines(plan, edge.pre) * (_HEADER_BYTES + _SYNAPSE_BYTES * longest)
    return total


def _lines(plan: SpinnakerPlan, name: str) -> int:
    """Neurons of a source, the empty places of its last core included."""
    if name == plan.input.name:
        return plan.input.size
    source = plan.population(name)
    return cores_of(source) * portion_of(source)


def core_loads(plan: SpinnakerPlan, rasters: Mapping[str, NDArray[Any]]) -> tuple[CoreLoad, ...]:
    """The busiest step of every layer in recorded activity.

    Args:
        plan: network.
        rasters: spikes of the input and of every layer, [sample, step, neuron].
    """
    return tuple(_core_load(plan, population, rasters) for population in plan.populations)


def _core_load(plan: SpinnakerPlan, population: PopulationPlan, rasters: Mapping[str, NDArray[Any]]) -> CoreLoad:
    samples, steps = rasters[plan.input.name].shape[:2]
    cores = cores_of(population)
    events, packets, rows = np.zeros((samples, steps)), np.zeros((samples, steps)), np.zeros((samples, steps))
    for edge in plan.into(population.name):
        raster = delayed(rasters[edge.pre], edge.steps)
        pre, _, _ = synapse_list(edge.connection, edge.connection.weight.real)
        fan_out = np.bincount(pre, minlength=raster.shape[2])
        events += raster @ (fan_out / cores)
        packets += raster @ (fan_out > 0)
        rows += 0.0 if by_connector(plan, edge) else 2 * (raster @ (fan_out > 0))
    for bias in population.biases:
        events[:, bias.window] += np.count_nonzero(bias.values) / cores
        packets[:, bias.window] += 1
    synapses = float((events / EVENTS_PER_SECOND + rows * ROW_SECONDS).max(initial=0.0))
    neurons = portion_of(population) * NEURON_SECONDS
    return CoreLoad(
        layer=population.name,
        events=float(events.max(initial=0.0)),
        spikes=int(packets.max(initial=0.0)),
        share=synapses / (plan.timestep_ms * 1e-3),
        neurons=neurons / (plan.timestep_ms * 1e-3),
    )


def time_scale_factor(loads: tuple[CoreLoad, ...]) -> int:
    """How many times slower than real time the machine has to run for its busiest core to keep up.

    >>> time_scale_factor((CoreLoad(layer="a", events=13_000, spikes=100, share=1.0),))
    2
    """
    most = max((max(load.share, load.neurons) for load in loads), default=0.0)
    return max(1, math.ceil(most / SYNAPSES_SHARE - 1e-9))


def spike_buffer(loads: tuple[CoreLoad, ...]) -> int:
    """Packets that a core must be able to queue: twice the most that arrive in a step, a power of two."""
    most = max((load.spikes for load in loads), default=0)
    return max(SPIKE_BUFFER, 1 << (2 * most - 1).bit_length() if most else 0)


def real_time(loads: tuple[CoreLoad, ...]) -> dict[str, object]:
    """Numbers for the report: how busy the busiest core is, and what that asks of ``spynnaker.cfg``."""
    busiest = max(loads, key=lambda load: max(load.share, load.neurons))
    return {
        "busiest_layer": busiest.layer,
        "events_in_a_step": round(busiest.events),
        "packets_in_a_step": max(load.spikes for load in loads),
        "share_of_a_step": round(busiest.share, 4),
        "neurons_share_of_a_step": round(busiest.neurons, 4),
        "time_scale_factor": time_scale_factor(loads),
        "incoming_spike_buffer_size": spike_buffer(loads),
        "kind": "model, not measured",
    }
