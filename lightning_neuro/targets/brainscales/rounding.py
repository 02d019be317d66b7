"""A hardware graph with the weights that the chip holds: what the golden model runs as "quantised".

The chip's LSB has a size (``mapping``), so weights are rounded there once, not to the integers of the other targets.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import Dense, HardwareGraph, Population, Projection, Values
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork
from lightning_neuro.targets.brainscales.chip_resources import LARGEST_WEIGHT
from lightning_neuro.targets.brainscales.mapping_cells import MappingOptions, cell_of


def with_chip_weights(graph: HardwareGraph, network: ChipNetwork, options: MappingOptions) -> HardwareGraph:
    """The graph with every weight replaced by the one that its LSB on the chip stand for.

    Args:
        graph: what ``network`` was made of.
        network: the chip's form of it.
        options: of the mapping.
    """
    projections = []
    for population in graph.populations:
        factor = lsb_per_weight(graph, population, network, options)
        written: set[str] = set()
        for projection in graph.into(population.name):
            first = projection.pre not in written  # several projections of a pair are one on the chip
            written.add(projection.pre)
            projections.append(_rounded(projection, network, factor, first))
    order = {id(p): k for k, p in enumerate(graph.projections)}
    sources = [p for population in graph.populations for p in graph.into(population.name)]
    ranked = sorted(range(len(sources)), key=lambda k: order[id(sources[k])])
    return dataclasses.replace(graph, projections=tuple(projections[k] for k in ranked))


def lsb_per_weight(
    graph: HardwareGraph, population: Population, network: ChipNetwork, options: MappingOptions
) -> NDArray[np.float64]:
    """LSB on the chip per unit of a graph's weight, [neuron].

    Args:
        graph: what ``network`` was made of.
        population: of the graph.
        network: the chip's form of it.
        options: of the mapping.
    """
    cell, layer = cell_of(graph, population, options), network.layer(population.name)
    fold = layer.threshold / cell.threshold if cell.spiking else np.ones(population.size)
    return layer.weight_scale * cell.jump * fold


def unrounded_lsb(
    graph: HardwareGraph, network: ChipNetwork, options: MappingOptions
) -> dict[tuple[str, str], NDArray[np.float64]]:
    """Weights of a graph in LSB of the chip, before rounding, [post, pre] by pair of populations.

    Args:
        graph: with unrounded weights.
        network: the chip's form of it.
        options: of the mapping.
    """
    found: dict[tuple[str, str], NDArray[np.float64]] = {}
    for population in graph.populations:
        factor = lsb_per_weight(graph, population, network, options)
        for projection in graph.into(population.name):
            pair = projection.pre, population.name
            found[pair] = found.get(pair, 0.0) + projection.connection.weight.real * factor[:, None]
    return found


def _rounded(projection: Projection, network: ChipNetwork, factor: NDArray[np.float64], first: bool) -> Projection:
    raw = next(p.weights for p in network.into(projection.post) if p.pre == projection.pre)
    raw = raw if first else np.zeros_like(raw)
    lsb = 1.0 / factor
    same = float(np.ptp(lsb)) <= 1e-12 * float(lsb.max())
    bits = max(LARGEST_WEIGHT.bit_length(), math.ceil(math.log2(int(np.abs(raw).max(initial=0)) + 1))) + 1
    values = Values(
        real=raw * lsb[:, None],
        raw=raw if same else None,
        format=Format(bits=bits, lsb=float(lsb[0])) if same else None,
    )
    return dataclasses.replace(projection, connection=Dense(weight=values))
