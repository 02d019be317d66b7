"""Which layers SpiNNaker gets as maps: one grid of neurons per channel, joined by sPyNNaker's ``ConvolutionConnector``.

A connector holds the kernel once, in the fast memory of each core, instead of one synapse per position in SDRAM. It
exists for ``IF_curr_exp`` only, and a layer that one connector feeds can be fed by nothing else. Everything that it
cannot express becomes a list of synapses, which is exact for every geometry and for delta cells too:

* strides and kernels of an even size: the program of sPyNNaker 7.4.1 computes something else (``kernels.reached``
  follows its instructions), although the connector accepts them;
* dilation, padding that differs between the two sides of an axis, one-dimensional windows;
* pooling whose windows overlap, are padded, or leave a rest: the connector divides coordinates by the stride and
  lets the rest in;
* maps that no rectangle of at most 256 neurons divides evenly: sPyNNaker then numbers the neurons of the cores at the
  edge wrongly wherever a list of synapses leaves the map (``ApplicationVertex.get_key_ordered_indices`` multiplies
  by a fraction).

``PoolDenseConnector`` is not used: it needs the layer behind it to have no other input, holds at most 32,767 weights
per core and pair of maps, and what the program makes of its pooling cannot be seen on the host.

Source: sPyNNaker 7.4.1, ``connectors/convolution_connector.py``, ``connectors/pool_dense_connector.py``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from enum import Enum

from lightning_neuro.errors import Violation
from lightning_neuro.graph.hardware_graph import Connection, Convolution, Dense, Pooled, Window
from lightning_neuro.targets.spinnaker.plan import LINES_PER_CORE, PopulationPlan, ProjectionPlan, SpinnakerPlan
from lightning_neuro.targets.spinnaker.timing import CellKind

NEURONS_PER_CORE = 256
MOST_WEIGHTS = 16_000
"""Of all kernels on a core: half of its 64 KB of fast memory, which no virtual board checks."""
Tile = tuple[int, int]
"""Neurons of a map on one core: width, height."""


class ConvolutionBy(str, Enum):
    """How convolutions reach SpiNNaker."""

    AUTO = "auto"
    CONNECTOR = "connector"
    LIST = "list"


def lay_out(plan: SpinnakerPlan, by: ConvolutionBy) -> SpinnakerPlan:
    """Give a tile to the input and to every layer that SpiNNaker gets as maps.

    Args:
        plan: network.
        by: ``LIST``: none; ``AUTO`` and ``CONNECTOR``: wherever connectors are exact (``CONNECTOR`` is a demand that
            ``why_no_connector`` reports on).
    """
    if by is ConvolutionBy.LIST:
        return plan
    tiles = tiles_of(plan)
    populations = tuple(dataclasses.replace(p, tile=tiles.get(p.name)) for p in plan.populations)
    return dataclasses.replace(plan, populations=populations, input_tile=tiles.get(plan.input.name))


def tiles_of(plan: SpinnakerPlan) -> dict[str, Tile]:
    """Tiles of all maps by name: layers that connectors can feed, and what feeds them."""
    fed = {p.name for p in plan.populations if is_convolved(plan, p) and not why_no_connector(plan, p)}
    while True:
        sources = {e.pre for name in fed for e in plan.into(name)}
        # a layer fed by lists may become maps, unless one of those lists is a convolution that no connector can do
        broken = {
            name
            for name in fed
            for edge in plan.into(name)
            if edge.pre != plan.input.name and edge.pre not in fed and is_convolved(plan, plan.population(edge.pre))
        }
        if not broken:
            shapes = shapes_of(plan)
            found = {name: even_tile(shapes[name], most_per_core(plan, name)) for name in fed | sources}
            return {name: tile for name, tile in found.items() if tile is not None}
        fed -= broken


def most_per_core(plan: SpinnakerPlan, name: str) -> int:
    """Neurons that a core takes at most: fewer of the input, whose cores send all their spikes at once."""
    return LINES_PER_CORE if name == plan.input.name else NEURONS_PER_CORE


def shapes_of(plan: SpinnakerPlan) -> dict[str, tuple[int, ...]]:
    """Shapes of the input and of every layer."""
    return {plan.input.name: plan.input.shape, **{p.name: p.shape for p in plan.populations}}


def is_convolved(plan: SpinnakerPlan, population: PopulationPlan) -> bool:
    """Whether a convolution ends in a layer."""
    return any(is_convolution(edge.connection) for edge in plan.into(population.name))


def is_convolution(connection: Connection) -> bool:
    """Whether a connection is a convolution, behind pooling or not."""
    return isinstance(connection.then if isinstance(connection, Pooled) else connection, Convolution)


def why_no_connector(plan: SpinnakerPlan, population: PopulationPlan) -> tuple[str, ...]:
    """Reasons why connectors cannot feed a layer exactly; empty when they can."""
    reasons = []
    if population.cell.kind is not CellKind.EXP:
        reasons.append("connectors exist for current-based neurons only (model.tau_syn=)")
    if weights_on_a_core(plan, population) > MOST_WEIGHTS:
        reasons.append(f"its kernels have more than {MOST_WEIGHTS:,} weights for each channel")
    if even_tile(population.shape, NEURONS_PER_CORE) is None:
        reasons.append(f"its {_by(population.shape)} neurons do not divide into equal cores")
    for edge in plan.into(population.name):
        reasons.extend(f"{edge.name}: {reason}" for reason in _why_not(plan, edge))
    return tuple(reasons)


def weights_on_a_core(plan: SpinnakerPlan, population: PopulationPlan) -> int:
    """Weights that a core of a layer's maps holds: the kernels of one channel, and a map for each bias."""
    kernels = sum(edge.connection.weight.real[:1].size for edge in plan.into(population.name))
    return kernels + len(population.biases) * math.prod(population.shape[1:])


def connector_violations(plan: SpinnakerPlan) -> Iterator[Violation]:
    """Every reason why a convolution of a network cannot be a connector, for those who demand one."""
    for population in plan.populations:
        if is_convolved(plan, population):
            for reason in why_no_connector(plan, population):
                yield Violation(
                    where=population.name,
                    what="convolution by connector",
                    needed=reason,
                    available="what sPyNNaker's ConvolutionConnector does exactly",
                    remedy="target.convolution=auto   (lists of synapses where connectors are not exact)",
                )


def _why_not(plan: SpinnakerPlan, edge: ProjectionPlan) -> list[str]:
    connection, pool = edge.connection, None
    if isinstance(connection, Pooled):
        connection, pool = connection.then, connection.pool
    if isinstance(connection, Dense):
        return ["it is fully connected, and connectors accept no other input beside themselves"]
    if isinstance(connection, Pooled):
        return ["a connector knows one pooling, not two in a row"]
    reasons = [*_window_reasons(connection.window), *(_pool_reasons(pool) if pool is not None else [])]
    shape = shapes_of(plan)[edge.pre]
    if even_tile(shape, most_per_core(plan, edge.pre)) is None:
        reasons.append(f"{edge.pre} ({_by(shape)}) does not divide into equal cores")
    return reasons


def _window_reasons(window: Window) -> list[str]:
    if len(window.kernel) != 2:
        return ["connectors are two-dimensional"]
    reasons = []
    if any(d != 1 for d in window.dilation):
        reasons.append("a connector knows no dilation")
    if any(step != 1 for step in window.stride):
        reasons.append(f"stride {_by(window.stride)} is not what the program makes of it")
    if any(k % 2 == 0 for k in window.kernel):
        reasons.append(f"kernel {_by(window.kernel)} has an even side, for which the program reads a weight too many")
    if any(before != after for before, after in window.padding):
        reasons.append("padding differs between the two sides of an axis")
    return reasons


def _pool_reasons(pool: Window) -> list[str]:
    plain = pool.kernel == pool.stride and not any(map(any, pool.padding)) and set(pool.dilation) == {1}
    if not plain:
        return ["pooling windows overlap, are padded or dilated"]
    if any(n % k for n, k in zip(pool.input_shape[1:], pool.kernel, strict=True)):
        return [f"pooling {_by(pool.kernel)} leaves a rest of {_by(pool.input_shape[1:])}, which the connector lets in"]
    return []


def even_tile(shape: tuple[int, ...], most: int) -> Tile | None:
    """Largest rectangle of at most so many neurons that divides a map evenly; None for other shapes.

    A map that would be cut into strips that fill less than a third of a core has none either.

    >>> even_tile((8, 26, 26), 256), even_tile((1, 8, 8), 256), even_tile((4, 29, 29), 256), even_tile((10,), 256)
    ((13, 13), (8, 8), None, None)
    """
    if len(shape) != 3:
        return None
    _, height, width = shape
    parts = [
        (w * h, min(w, h), w, h)
        for h in range(1, height + 1)
        for w in range(1, width + 1)
        if height % h == 0 and width % w == 0 and w * h <= most
    ]
    neurons, _, w, h = max(parts)
    return (w, h) if neurons >= min(most // 3, height * width) else None


def _by(numbers: tuple[int, ...]) -> str:
    return " x ".join(map(str, numbers))
