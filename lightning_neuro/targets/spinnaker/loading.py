"""A plan rounded to what SpiNNaker's cores hold: 16-bit weights, parameters in signed 16.15, constants of the chip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.blocks import strong_components
from lightning_neuro.graph.connections import Apply, prepare_fixed, with_weight
from lightning_neuro.graph.hardware_graph import Connection, Values
from lightning_neuro.targets.spinnaker.accum import (
    divide,
    membrane_constants,
    refractory_steps,
    synapse_constants,
    to_accum,
)
from lightning_neuro.targets.spinnaker.cells import cell_parameters
from lightning_neuro.targets.spinnaker.plan import UNTIL_THE_END, CellPlan, PopulationPlan, ProjectionPlan
from lightning_neuro.targets.spinnaker.scaling import ScaledPlan, stored_weights
from lightning_neuro.targets.spinnaker.timing import Backend, CellKind

RING_BUFFER_MAX = 65535


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Constants:
    """Constants of a layer's neurons as the chip has them, raw; in the order of ``advance_cells``."""

    delta: bool
    input_scale: int
    syn_decay: NDArray[np.int64]
    syn_gain: NDArray[np.int64]
    resistance: NDArray[np.int64]
    mem_decay: NDArray[np.int64]
    offset: NDArray[np.int64]
    threshold: NDArray[np.int64]
    v_reset: NDArray[np.int64]
    refractory: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entrance:
    """Synapses of one projection: what spikes add to the ring buffers of each receptor."""

    pre: str
    steps: int
    connection: Connection
    receptors: tuple[Apply, Apply]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """A layer as it is loaded onto cores.

    Args:
        plan: population with its factor.
        constants: of its neurons.
        shifts: ring buffer to 16.15, excitatory and inhibitory.
        entrances: projections into it.
        biases: steps and counts per receptor of sources that spike whatever the input is.
    """

    plan: PopulationPlan
    constants: Constants
    shifts: tuple[int, int]
    entrances: tuple[Entrance, ...]
    biases: tuple[tuple[slice, NDArray[np.int64], NDArray[np.int64]], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedNetwork:
    """All layers as they are loaded, and the groups that feed back on themselves."""

    scaled: ScaledPlan
    layers: tuple[Layer, ...]
    groups: tuple[tuple[Layer, ...], ...]


def load_network(scaled: ScaledPlan) -> LoadedNetwork:
    """Round a plan to what the machine holds."""
    layers = tuple(_layer(scaled, p) for p in scaled.plan.populations)
    by_name = {layer.plan.name: layer for layer in layers}
    after: dict[str, list[str]] = {name: [] for name in by_name}
    for projection in scaled.plan.projections:
        if projection.pre in after:
            after[projection.pre].append(projection.post)
    order = list(by_name)
    found = strong_components(order, after)
    groups = tuple(tuple(by_name[name] for name in sorted(group, key=order.index)) for group in found)
    return LoadedNetwork(scaled=scaled, layers=layers, groups=groups)


def load_constants(cell: CellPlan, scale: float, timestep_ms: float) -> Constants:
    """Constants of a layer's neurons: PyNN's parameters rounded by the host, then what the chip makes of them."""
    given = cell_parameters(
        cell.kind.value,
        cell.decay_mem,
        cell.decay_syn,
        cell.threshold,
        cell.v_reset,
        refractory_steps=cell.refractory_steps,
        spiking=cell.spiking,
        scale=scale,
        step_ms=timestep_ms,
        backend=Backend.SPINNAKER.value,
    )
    parameters = {name: np.broadcast_to(np.asarray(value, np.float64), (cell.size,)) for name, value in given.items()}
    resistance, mem_decay = membrane_constants(parameters["tau_m"], parameters["cm"], timestep_ms)
    delta = cell.kind is CellKind.DELTA
    none = np.zeros(cell.size, np.int64)
    syn_decay, syn_gain = (none, none) if delta else synapse_constants(parameters["tau_syn_E"], timestep_ms)
    refractory = float(parameters["tau_refrac"].max(initial=0.0))
    return Constants(
        delta=delta,
        input_scale=int(divide(to_accum(1.0), to_accum(timestep_ms))),
        syn_decay=syn_decay,
        syn_gain=syn_gain,
        resistance=resistance,
        mem_decay=mem_decay,
        offset=to_accum(parameters["i_offset"]),
        threshold=to_accum(parameters["v_thresh"]),
        v_reset=to_accum(parameters["v_reset"]),
        refractory=-1 if cell.refractory_steps == UNTIL_THE_END else refractory_steps(refractory, timestep_ms),
    )


def _layer(scaled: ScaledPlan, population: PopulationPlan) -> Layer:
    shifts = scaled.buffers[population.name].shifts
    return Layer(
        plan=population,
        constants=load_constants(population.cell, population.scale, scaled.plan.timestep_ms),
        shifts=shifts,
        entrances=tuple(_entrance(p, population.scale, shifts) for p in scaled.plan.into(population.name)),
        biases=tuple(
            (b.window, *_split(stored_weights(b.values * population.scale, shifts))) for b in population.biases
        ),
    )


def _entrance(projection: ProjectionPlan, scale: float, shifts: tuple[int, int]) -> Entrance:
    counts = _split(stored_weights(projection.connection.weight.real * scale, shifts))
    excitatory, inhibitory = (prepare_fixed(_counting(projection.connection, part)) for part in counts)
    return Entrance(
        pre=projection.pre,
        steps=projection.steps,
        connection=projection.connection,
        receptors=(excitatory, inhibitory),
    )


def _split(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Magnitudes by receptor; a row of the synaptic matrix has 16 bits for each."""
    return np.maximum(counts, 0) & RING_BUFFER_MAX, np.maximum(-counts, 0) & RING_BUFFER_MAX


def _counting(connection: Connection, counts: NDArray[np.int64]) -> Connection:
    return with_weight(connection, Values(real=counts, raw=counts))
