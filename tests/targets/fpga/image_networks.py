"""Random small networks of convolutions, poolings and dense layers, drawn from one seed."""

from __future__ import annotations

import numpy as np

from lightning_neuro.graph.hardware_graph import (
    Connection,
    Convolution,
    Dense,
    HardwareGraph,
    Input,
    Pooled,
    ReadoutKind,
    ResetKind,
    TimeBase,
    Values,
    Window,
)
from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.fpga.geometry import lane_channels, last_of
from tests.targets.fpga.networks import NO_RESET, RESETS, draw_layer, draw_vectors

Shape = tuple[int, ...]


def draw_window(rng: np.random.Generator, shape: Shape) -> Window:
    """A window with at least one position, over every axis its own."""
    while True:
        axes = len(shape) - 1
        window = Window(
            input_shape=shape,
            kernel=tuple(int(k) for k in rng.integers(1, 4, axes)),
            stride=tuple(int(k) for k in rng.integers(1, 4, axes)),
            padding=tuple((int(a), int(b)) for a, b in rng.integers(0, 3, (axes, 2))),
            dilation=tuple(int(k) for k in rng.choice([1, 1, 2], axes)),
        )
        if min(window.positions) >= 1 and np.prod(window.positions) <= 40:
            return window


def draw_pools(rng: np.random.Generator, shape: Shape) -> tuple[list[Window], Shape]:
    """No, one or two poolings, and the shape of what they make."""
    pools = []
    for _ in range(rng.choice(3, p=[0.5, 0.35, 0.15])):
        pools.append(draw_window(rng, shape))
        shape = (shape[0], *pools[-1].positions)
    return pools, shape


def pooled(pools: list[Window], then: Connection) -> Connection:
    for pool in reversed(pools):
        then = Pooled(pool=pool, then=then)
    return then


def draw_image_layer(rng: np.random.Generator, shape: Shape, dense: bool) -> tuple[Shape, Shape, object]:
    """Shape of the weights, of the neurons, and what arranges the weights."""
    pools, summed = draw_pools(rng, shape)
    if dense:
        n = int(rng.integers(1, 8))
        return (n, int(np.prod(summed))), (n,), lambda weight: pooled(pools, Dense(weight=weight))
    window = draw_window(rng, summed)
    groups = int(rng.choice([g for g in range(1, summed[0] + 1) if summed[0] % g == 0]))
    out = groups * int(rng.integers(1, 4))
    made = (out, *window.positions)

    def arrange(weight: Values) -> Connection:
        return pooled(pools, Convolution(weight=weight, window=window, groups=groups))

    return (out, summed[0] // groups, *window.kernel), made, arrange


def draw_image_network(seed: int) -> tuple[HardwareGraph, tuple[int, ...], TestVectors]:
    """Graph, lanes per layer and test vectors."""
    rng = np.random.default_rng(seed)
    axes = int(rng.choice([1, 2, 2]))
    image: Shape = (int(rng.integers(1, 5)), *(int(n) for n in rng.integers(1, 7, axes)))
    count = int(rng.integers(1, 4))
    shape, populations, projections = image, [], []
    for k in range(count):
        flat = len(shape) == 1
        dense = flat or (k > 0 and rng.random() < 0.4)
        weights, made, arrange = ((int(rng.integers(1, 8)), shape[0]), None, None) if flat else draw_image_layer(rng, shape, dense)
        made = (weights[0],) if made is None else made
        last = k == count - 1
        reset = NO_RESET if last and rng.random() < 0.3 else RESETS[rng.integers(len(RESETS))]
        population, projection = draw_layer(
            rng,
            f"layer{k}",
            f"layer{k - 1}" if k else "input",
            int(np.prod(shape)),
            int(np.prod(made)),
            reset,
            rng.random() < 0.25,
            shape=weights,
            arrange=arrange,
        )
        populations.append(population)
        projections.append(projection)
        shape = made
    silent = populations[-1].neuron.reset.kind is ResetKind.NONE
    graph = HardwareGraph(
        input=Input(name="input", shape=image, format=None),
        populations=tuple(populations),
        projections=tuple(projections),
        output=populations[-1].name,
        readout=ReadoutKind.MEMBRANE_LAST if silent or rng.random() < 0.2 else ReadoutKind.SPIKE_COUNT,
        time=TimeBase.STEPPED,
        dt_s=1e-3,
        steps=None,
        coding={},
    )
    lanes = tuple(draw_lanes(rng, p.connection) for p in projections)
    return graph, lanes, draw_vectors(graph, rng, samples=2, steps=int(rng.integers(1, 6)))


def draw_lanes(rng: np.random.Generator, connection: Connection) -> int:
    most = lane_channels(connection)
    convolved = isinstance(last_of(connection), Convolution)
    return int(rng.choice([n for n in range(1, most + 1) if not convolved or most % n == 0]))
