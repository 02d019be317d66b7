"""The artefact's arrays in float64, cell by cell: the shortest proof that the mapping means the same network.

Reads what ``network.py`` reads, the two .npz files, with the script's own lists of synapses, and advances PyNN's
cells in the network's time. It shares no line with the golden model that recorded the expected spikes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from lightning_neuro.graph.hardware_graph import Connection, Convolution, Dense
from lightning_neuro.targets.spinnaker import synapses
from lightning_neuro.targets.spinnaker.bundles import bundles, weight_of
from lightning_neuro.targets.spinnaker.plan import UNTIL_THE_END, PopulationPlan, SpinnakerPlan
from lightning_neuro.targets.spinnaker.script import bias_key

Arrays = Mapping[str, NDArray[Any]]


@dataclass(slots=True, kw_only=True, eq=False)
class Cells:
    """State of a layer, [sample, neuron]; ``rest`` counts the refractory steps that are left."""

    v: NDArray[np.float64]
    i: NDArray[np.float64]
    rest: NDArray[np.int64]


def run_reference(plan: SpinnakerPlan, weights: Arrays, spikes: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Spikes of every layer, membranes of read-outs, [sample, step, neuron], by name.

    Args:
        plan: structure of the network.
        weights: arrays of ``weights.npz``.
        spikes: input spikes, [sample, step, line].
    """
    samples, steps = spikes.shape[:2]
    matrices = {
        p.name: _matrix(p.connection, weight_of(b, p, dict(weights)), plan.population(p.post).size, _size(plan, p.pre))
        for b in bundles(plan)
        for p in b.parts
    }
    rasters: dict[str, NDArray[Any]] = {plan.input.name: spikes.astype(np.float64)}
    rasters |= {p.name: np.zeros((samples, steps, p.size)) for p in plan.populations}
    states = {p.name: _fresh(samples, p.size) for p in plan.populations}
    for t in range(steps):
        for population in plan.populations:
            drive = np.zeros((samples, population.size))
            for bias in population.biases:
                if t in range(steps)[bias.window]:
                    kept = weights[f"{population.label}.decay_mem"] if bias.initial else 1.0
                    drive += kept * weights[bias_key(population, bias)]
            for p in plan.into(population.name):
                if t >= p.steps:
                    drive += (matrices[p.name] @ rasters[p.pre][:, t - p.steps].T).T
            rasters[population.name][:, t] = _advance(population, weights, states[population.name], drive, steps)
    kept = {p.name: rasters[p.name].astype(np.uint8) if p.cell.spiking else rasters[p.name] for p in plan.populations}
    return kept


def _advance(
    population: PopulationPlan, weights: Arrays, cells: Cells, drive: NDArray[np.float64], steps: int
) -> NDArray[Any]:
    """One step of a layer: its spikes, or its membrane where it has none."""
    key, cell = population.label, population.cell
    decay_syn = weights.get(f"{key}.decay_syn")
    cells.i = drive if decay_syn is None else decay_syn * cells.i + drive
    resting = cells.rest > 0
    v = np.where(resting, weights[f"{key}.v_reset"], weights[f"{key}.decay_mem"] * cells.v + cells.i)
    cells.rest = np.maximum(cells.rest - 1, 0)
    if not cell.spiking:
        cells.v = v
        return v
    fired = ~resting & (v > weights[f"{key}.threshold"])
    cells.v = np.where(fired, weights[f"{key}.v_reset"], v)
    cells.rest[fired] = steps if cell.refractory_steps == UNTIL_THE_END else cell.refractory_steps
    return fired


def _fresh(samples: int, size: int) -> Cells:
    shape = (samples, size)
    return Cells(v=np.zeros(shape), i=np.zeros(shape), rest=np.zeros(shape, np.int64))


def _size(plan: SpinnakerPlan, name: str) -> int:
    return plan.input.size if name == plan.input.name else plan.population(name).size


def _matrix(connection: Connection, weight: NDArray[Any], post: int, pre: int) -> csr_array:
    i, j, value = synapse_list(connection, weight)
    return csr_array((value, (j, i)), shape=(post, pre))


def synapse_list(connection: Connection, weight: NDArray[Any]) -> synapses.Synapses:
    """Synapses of a connection as ``network.py`` lists them: pre, post, weight."""
    if isinstance(connection, Dense):
        return synapses.dense(weight)
    window = connection.window if isinstance(connection, Convolution) else connection.pool
    geometry: dict[str, Any] = {
        "input_shape": window.input_shape,
        "stride": window.stride,
        "padding": window.padding,
        "dilation": window.dilation,
    }
    if isinstance(connection, Convolution):
        return synapses.convolution(weight, groups=connection.groups, **geometry)
    return synapses.pooled(synapse_list(connection.then, weight), kernel=window.kernel, **geometry)
