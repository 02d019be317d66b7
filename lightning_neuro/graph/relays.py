"""Projections that skip layers, made into a chain: relay neurons pass single lines on within the step.

A relay neuron takes one line with a weight far above its own threshold, so it spikes in the step in which the line
does, and the layer behind it sees the line as if it came directly. Targets that take chains of layers get bias
spikes of later layers this way.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    Dense,
    HardwareGraph,
    Leak,
    Population,
    Projection,
    Values,
)

MARGIN = 8.0  # weight of a relay's line over its threshold: survives the clipping of the largest weights


def relay_skips(graph: HardwareGraph) -> HardwareGraph:
    """Route every projection that skips layers through relay neurons in the layers between.

    Args:
        graph: stepped feed-forward graph of dense projections, in real numbers; its populations make one chain in
            their order.

    Returns:
        A graph in which every population is fed by the one before alone; populations grow by their relays, which
        come last. The spikes of all other neurons stay the same.
    """
    names = [graph.input.name, *(p.name for p in graph.populations)]
    for post in range(len(names) - 1, 1, -1):  # from the back, so that a line moves one layer forward at a time
        for pre in names[: post - 1]:  # lines that neurons and relays of a layer share need one relay
            graph = _joined(graph, pre, names[post])
        for projection in graph.into(names[post]):
            if names.index(projection.pre) < post - 1:
                graph = _one_layer_on(graph, projection, names[post - 1])
    for pre, post_name in itertools.pairwise(names):
        graph = _joined(graph, pre, post_name)
    return graph


def relay_counts(before: HardwareGraph, after: HardwareGraph) -> dict[str, int]:
    """Relay neurons of every population that got some."""
    grown = {p.name: p.size - before.population(p.name).size for p in after.populations}
    return {name: count for name, count in grown.items() if count}


def _one_layer_on(graph: HardwareGraph, projection: Projection, via: str) -> HardwareGraph:
    """Replace a projection by relay neurons in the layer ``via`` and a projection from them."""
    weight = projection.connection.weight.real
    lines = np.flatnonzero(weight.any(axis=0))
    old = graph.population(via)
    strength = max((float(p.connection.weight.real.max(initial=0.0)) for p in graph.into(via)), default=0.0) or 1.0
    enter = np.zeros((old.size + lines.size, weight.shape[1]))
    enter[old.size + np.arange(lines.size), lines] = strength
    leave = np.zeros((len(weight), old.size + lines.size))
    leave[:, old.size :] = weight[:, lines]
    grown = _grown(old, lines.size, strength / MARGIN)
    projections = [_resized(p, via, grown.size) for p in graph.projections if p is not projection]
    projections.append(Projection(pre=projection.pre, post=via, connection=_dense(enter), delay=0))
    projections.append(Projection(pre=via, post=projection.post, connection=_dense(leave), delay=projection.delay))
    populations = tuple(grown if p.name == via else p for p in graph.populations)
    return dataclasses.replace(graph, populations=populations, projections=_ordered(graph, projections))


def _grown(population: Population, count: int, threshold: float) -> Population:
    neuron = population.neuron
    assert isinstance(neuron, CubaLif)

    def longer(values: NDArray[np.float64], more: float) -> NDArray[np.float64]:
        return np.concatenate([values, np.full(count, more)])

    return dataclasses.replace(
        population,
        shape=(population.size + count,),
        neuron=dataclasses.replace(
            neuron,
            leak_syn=Leak(beta=longer(neuron.leak_syn.beta, float(neuron.leak_syn.beta[0]))),
            leak_mem=Leak(beta=longer(neuron.leak_mem.beta, float(neuron.leak_mem.beta[0]))),
            threshold=Values(real=longer(neuron.threshold.real, threshold)),
            v_reset=Values(real=longer(neuron.v_reset.real, 0.0)),
            v_init=Values(real=longer(neuron.v_init.real, 0.0)),
        ),
        bias=Values(real=longer(population.bias.real, 0.0)),
    )


def _dense(weight: NDArray[np.float64]) -> Dense:
    return Dense(weight=Values(real=weight))


def _resized(projection: Projection, name: str, size: int) -> Projection:
    """The projection with zeros for new neurons of a population at either end."""
    weight = projection.connection.weight.real
    rows = size - len(weight) if projection.post == name else 0
    columns = size - weight.shape[1] if projection.pre == name else 0
    if not rows and not columns:
        return projection
    return dataclasses.replace(projection, connection=_dense(np.pad(weight, ((0, rows), (0, columns)))))


def _joined(graph: HardwareGraph, pre: str, post: str) -> HardwareGraph:
    """Projections of equal delay between two populations as one."""
    between = [p for p in graph.into(post) if p.pre == pre]
    delays = sorted({p.delay for p in between})
    joined = [
        Projection(
            pre=pre,
            post=post,
            connection=_dense(np.sum([p.connection.weight.real for p in between if p.delay == delay], axis=0)),
            delay=delay,
        )
        for delay in delays
    ]
    others = [p for p in graph.projections if p not in between]
    return dataclasses.replace(graph, projections=_ordered(graph, [*others, *joined]))


def _ordered(graph: HardwareGraph, projections: list[Projection]) -> tuple[Projection, ...]:
    order = {p.name: k for k, p in enumerate(graph.populations)}
    return tuple(sorted(projections, key=lambda p: order[p.post]))
