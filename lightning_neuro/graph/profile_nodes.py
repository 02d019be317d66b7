"""Connections as the nodes that other tools read: Affine or Linear, Conv2d, pooling, Flatten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import nir
import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import Connection, Convolution, Dense, Pooled, Population, Projection, Window


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Written:
    """A neuron layer for a reader.

    Args:
        node: the neurons.
        factor: what weights and biases of each neuron are multiplied by, [n].
    """

    node: nir.NIRNode
    factor: NDArray[np.float64]


class Reads(Protocol):
    """What weight nodes depend on (see ``profiles.Profile``)."""

    @property
    def pooling(self) -> type[nir.NIRNode] | None:
        """Pooling node of the reader."""
        ...

    @property
    def bare_linear(self) -> bool:
        """Whether Linear is read."""
        ...

    @property
    def convolution(self) -> bool:
        """Whether Conv2d is read."""
        ...


def weight_nodes(
    projection: Projection,
    population: Population,
    source: tuple[int, ...],
    factor: NDArray[np.float64],
    bias: NDArray[np.float64],
    profile: Reads,
) -> list[nir.NIRNode]:
    """Nodes between two layers of neurons, in order.

    Args:
        projection: what to write.
        population: its target.
        source: shape of its source.
        factor: of each target neuron.
        bias: drive to add, [n].
        profile: the reader.
    """
    nodes: list[nir.NIRNode] = []
    connection, shape, area = projection.connection, source, 1
    while isinstance(connection, Pooled):
        nodes.append(_pool(connection.pool, profile))
        area *= connection.pool.taps if profile.pooling is nir.AvgPool2d else 1
        shape = (connection.pool.input_shape[0], *connection.pool.positions)
        connection = connection.then
    weight = area * connection.weight.real
    if isinstance(connection, Dense):
        if len(shape) > 1:
            nodes.append(nir.Flatten({"input": np.array(shape)}, 0, -1))
        nodes.append(_matrix(factor[:, None] * weight, factor * bias, profile))
        return nodes
    per_channel = _by_channel(factor, weight.shape[0])
    biases = _by_channel(factor * bias, weight.shape[0])
    nodes.append(_convolution(connection, per_channel.reshape(-1, 1, 1, 1) * weight, biases))
    return nodes


def _matrix(weight: NDArray[Any], bias: NDArray[Any], profile: Reads) -> nir.NIRNode:
    if profile.bare_linear and not bias.any():
        return nir.Linear(weight=weight.astype(np.float32))
    return nir.Affine(weight=weight.astype(np.float32), bias=bias.astype(np.float32))


def _convolution(connection: Convolution, weight: NDArray[Any], bias: NDArray[Any]) -> nir.NIRNode:
    window = connection.window
    node = nir.Conv2d(
        input_shape=None,
        weight=weight.astype(np.float32),
        stride=window.stride,  # type: ignore[arg-type]
        padding=tuple(before for before, _ in window.padding),  # type: ignore[arg-type]
        dilation=window.dilation,  # type: ignore[arg-type]
        groups=connection.groups,
        bias=bias.astype(np.float32),
    )
    node.input_shape = window.input_shape[1:]  # type: ignore[assignment]
    return node


def _pool(window: Window, profile: Reads) -> nir.NIRNode:
    assert profile.pooling is not None
    kind: Any = profile.pooling
    sizes = (window.kernel, window.stride, tuple(before for before, _ in window.padding))
    return kind(*(np.array(values) for values in sizes))


def _by_channel(values: NDArray[np.float64], channels: int) -> NDArray[np.float64]:
    return values.reshape(channels, -1)[:, 0]


def _uneven(values: NDArray[np.float64], channels: int) -> bool:
    rows = values.reshape(channels, -1)
    return bool((rows != rows[:, :1]).any())


def connection_reasons(projection: Projection, population: Population, profile: Reads) -> list[str]:
    """Why a reader could not take a connection."""
    found, connection, name = [], projection.connection, projection.name
    while isinstance(connection, Pooled):
        if profile.pooling is None:
            found.append(f"{name} pools")
        if any(map(any, connection.pool.padding)) or connection.pool.dilation != (1, 1):
            found.append(f"{name} pools with padding")
        connection = connection.then
    if isinstance(connection, Convolution):
        found += _convolution_reasons(connection, name, population, profile)
    return found


def _convolution_reasons(connection: Convolution, name: str, population: Population, profile: Reads) -> list[str]:
    window, neuron, channels = connection.window, population.neuron, connection.weight.real.shape[0]
    threshold: Any = neuron.threshold.real
    beta: Any = getattr(neuron, "leak_mem").beta  # noqa: B009  # first-spike neurons have none and are refused before
    rules = {
        f"{name} is a convolution": not profile.convolution,
        f"{name} convolves along {len(window.kernel)} axis": len(window.kernel) != 2,
        f"{name} has {connection.groups} groups": connection.groups != 1,
        f"{name} pads one side more than the other": any(before != after for before, after in window.padding),
        f"{name} has a bias that differs within a channel": _uneven(population.bias.real, channels),
        f"{name} drives neurons that differ within a channel": _uneven(beta, channels) or _uneven(threshold, channels),
    }
    return [reason for reason, broken in rules.items() if broken]


def connection_kind(connection: Connection) -> str:
    """Word for a connection in tables and messages."""
    return {Dense: "dense", Convolution: "convolution", Pooled: "pooling"}[type(connection)]
