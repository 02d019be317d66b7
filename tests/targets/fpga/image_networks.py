"""Random small networks of convolutions, poolings and dense layers, drawn from one seed."""

from __future__ import annotations

import dataclasses

import numpy as np

from lightning_neuro.graph import golden
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import (
    Connection,
    Convolution,
    CubaLif,
    Dense,
    HardwareGraph,
    Input,
    LateBias,
    Leak,
    Lif,
    Pooled,
    Population,
    Projection,
    ReadoutKind,
    Reset,
    ResetKind,
    TimeBase,
    Values,
    Window,
)
from lightning_neuro.graph.quantize import current_bits
from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.fpga.geometry import lane_channels, last_of
from tests.targets.fpga.networks import NO_RESET, RESETS, draw_layer, draw_values, draw_vectors

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
        weights, made, arrange = (
            ((int(rng.integers(1, 8)), shape[0]), None, None) if flat else draw_image_layer(rng, shape, dense)
        )
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
        populations.append(with_lower_threshold(population))
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


def with_lower_threshold(population: Population) -> Population:
    """Windows are small: with thresholds of whole layers their neurons would stay silent."""
    neuron = population.neuron
    assert isinstance(neuron, Lif | CubaLif)
    raw = neuron.threshold.integers() // 4
    threshold = Values(real=raw.astype(float), raw=raw, format=neuron.threshold.format)
    return dataclasses.replace(population, neuron=dataclasses.replace(neuron, threshold=threshold))


def draw_lanes(rng: np.random.Generator, connection: Connection) -> int:
    most = lane_channels(connection)
    convolved = isinstance(last_of(connection), Convolution)
    return int(rng.choice([n for n in range(1, most + 1) if not convolved or most % n == 0]))


def draw_timing(
    rng: np.random.Generator, population: Population, incoming: list[Projection], source: Input
) -> Population:
    """The population with what converted networks have: initial membranes, steps of firing, biases of a window."""
    state, weight = population.state_format, incoming[0].connection.weight.format
    assert state is not None and weight is not None and isinstance(population.neuron, Lif | CubaLif)
    n, neuron = population.size, population.neuron
    late = []
    for _ in range(rng.integers(3)):
        raw, onset = rng.integers(-9, 10, n), int(rng.integers(0, 4))
        until = None if rng.random() < 0.4 else onset + int(rng.integers(1, 4))
        values = Values(real=raw.astype(float), raw=raw, format=Format(bits=32, lsb=1.0))
        late.append(LateBias(values=values, onset=onset, until=until))
    neuron = dataclasses.replace(
        neuron, v_init=draw_values(rng, n, *((state.low, state.high) if rng.random() < 0.5 else (0, 0)), state)
    )
    if isinstance(neuron, CubaLif):
        guard = round(np.log2(weight.lsb / state.lsb))
        biases = [population.bias.integers(), *(x.values.integers() for x in late)]
        bits = current_bits(incoming, biases, guard, neuron.leak_syn, source)
        neuron = dataclasses.replace(neuron, current_format=Format(bits=bits, lsb=1.0))
    first = int(rng.integers(0, 3))
    return dataclasses.replace(
        population,
        neuron=neuron,
        late_biases=tuple(late),
        fires_from=first,
        fires_until=None if rng.random() < 0.6 else first + int(rng.integers(1, 4)),
    )


def draw_timed(
    seed: int, graph: HardwareGraph, lanes: tuple[int, ...]
) -> tuple[HardwareGraph, tuple[int, ...], TestVectors]:
    """A network of any kind with timing and, at times, numbers at its input."""
    rng = np.random.default_rng(seed)
    loops = any(p.pre == p.post == graph.populations[0].name for p in graph.projections)
    form = Format(bits=int(rng.integers(2, 7)), lsb=1.0) if rng.random() < 0.5 and not loops else None
    source = dataclasses.replace(graph.input, format=form)
    populations = [draw_timing(rng, p, list(graph.into(p.name)), source) for p in graph.populations]
    graph = dataclasses.replace(graph, input=source, populations=tuple(populations))
    steps = int(rng.integers(2, 7))
    if form is None:
        return graph, lanes, draw_vectors(graph, rng, samples=2, steps=steps)
    values = rng.integers(form.low, form.high + 1, (2, steps, source.size)) * (
        rng.random((2, steps, source.size)) < 0.5
    )
    expected = golden.run(graph, values, arithmetic="fixed", record=True)
    return graph, lanes, TestVectors(spikes=values, expected=expected, labels=np.full(2, -1))


def digits_like(
    rng: np.random.Generator, image: Shape, sizes: tuple[int, int, int], *, steps: int, samples: int
) -> tuple[HardwareGraph, str, TestVectors]:
    """Convolution, sum pooling and convolution, sum pooling and dense: channels, channels and classes; as converted.

    Integrate-and-fire, reset by subtraction, initial membranes of half a threshold, a bias and a threshold per channel.
    """
    first, second, classes = sizes
    rows, columns = image[1:]
    pool = {"kernel": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}
    kernel = {"kernel": (3, 3), "stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}
    halved = (first, rows // 2, columns // 2)
    weight, state = Format(bits=8, lsb=1.0), Format(bits=16, lsb=1.0)

    def drawn(*shape: int) -> Values:
        raw = rng.integers(-60, 90, shape).clip(weight.low, weight.high)
        return Values(real=raw.astype(float), raw=raw, format=weight)

    def convolve(channels: int, shape: Shape) -> Convolution:
        return Convolution(weight=drawn(channels, shape[0], 3, 3), window=Window(input_shape=shape, **kernel), groups=1)

    made = (second, *halved[1:])
    last = Dense(weight=drawn(classes, second * (halved[1] // 2) * (halved[2] // 2)))
    connections = (
        convolve(first, image),
        Pooled(pool=Window(input_shape=(first, rows, columns), **pool), then=convolve(second, halved)),
        Pooled(pool=Window(input_shape=made, **pool), then=last),
    )
    populations, projections = [], []
    for k, (connection, shape) in enumerate(zip(connections, ((first, rows, columns), made, (classes,)), strict=True)):
        places, fires = int(np.prod(shape[1:])), k < 2
        theta, bias = rng.integers(300, 400, shape[0]).repeat(places), rng.integers(-30, 60, shape[0]).repeat(places)
        n = len(theta)
        zero = np.zeros(n, np.int64)
        neuron = Lif(
            leak_mem=Leak(beta=np.ones(n), multiplier=zero, shift=0),
            threshold=Values(real=theta.astype(float), raw=theta, format=state),
            v_reset=Values(real=zero.astype(float), raw=zero, format=state),
            v_init=Values(real=theta / 2, raw=theta // 2 if fires else zero, format=state),
            reset=Reset(kind=ResetKind.SUBTRACT if fires else ResetKind.NONE, delay=0),
        )
        populations.append(
            Population(
                name=f"layer{k}",
                shape=shape,
                neuron=neuron,
                bias=Values(real=bias.astype(float), raw=bias, format=Format(bits=32, lsb=1.0)),
                fires_from=0,
                fires_until=None,
                state_format=state,
            )
        )
        pre = f"layer{k - 1}" if k else "input"
        projections.append(Projection(pre=pre, post=f"layer{k}", connection=connection, delay=0))
    graph = HardwareGraph(
        input=Input(name="input", shape=image, format=None),
        populations=tuple(populations),
        projections=tuple(projections),
        output="layer2",
        readout=ReadoutKind.MEMBRANE_LAST,
        time=TimeBase.STEPPED,
        dt_s=1e-3,
        steps=steps,
        coding={},
    )
    return graph, "auto", draw_vectors(graph, rng, samples=samples, steps=steps)
