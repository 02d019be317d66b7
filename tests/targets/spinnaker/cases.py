"""Networks of every kind that the script can express, and how to run them in its simulators."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import io
import warnings
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lightning_neuro.graph import golden
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
from lightning_neuro.targets.base import Job, TestVectors
from lightning_neuro.targets.spinnaker import SpinnakerTarget
from lightning_neuro.targets.spinnaker.artefact import write_artefact
from lightning_neuro.targets.spinnaker.plan import SpinnakerPlan, plan_network

ZERO, LATE_ZERO = Reset(kind=ResetKind.ZERO, delay=0), Reset(kind=ResetKind.ZERO, delay=1)
CLAMP, NONE = Reset(kind=ResetKind.CLAMP, delay=1), Reset(kind=ResetKind.NONE, delay=0)
STEPS = 14

needs_nest = pytest.mark.skipif(find_spec("nest") is None, reason="pip install nest-simulator")


def layer(
    name: str,
    shape: tuple[int, ...],
    *,
    reset: Reset = ZERO,
    beta: Any = 0.875,
    alpha: Any = None,
    threshold: Any = 1.0,
    v_reset: Any = 0.0,
    v_init: Any = 0.0,
    bias: Any = 0.0,
    late: tuple[LateBias, ...] = (),
) -> Population:
    n = int(np.prod(shape))
    constants = {
        "leak_mem": Leak(beta=np.full(n, beta)),
        "threshold": Values(real=np.full(n, threshold)),
        "v_reset": Values(real=np.full(n, v_reset)),
        "v_init": Values(real=np.full(n, v_init)),
        "reset": reset,
    }
    neuron = Lif(**constants) if alpha is None else CubaLif(leak_syn=Leak(beta=np.full(n, alpha)), **constants)
    return Population(
        name=name,
        shape=shape,
        neuron=neuron,
        bias=Values(real=np.full(n, bias)),
        fires_from=0,
        fires_until=None,
        late_biases=late,
    )


def dense(rng: np.random.Generator, post: int, pre: int, spread: float = 0.35) -> Dense:
    return Dense(weight=Values(real=rng.normal(0.05, spread, (post, pre))))


def edge(pre: str, post: str, connection: Connection, delay: int = 0) -> Projection:
    return Projection(pre=pre, post=post, connection=connection, delay=delay)


def network(
    populations: list[Population],
    projections: list[Projection],
    *,
    inputs: tuple[int, ...] = (20,),
    readout: ReadoutKind = ReadoutKind.SPIKE_COUNT,
) -> HardwareGraph:
    return HardwareGraph(
        input=Input(name="input", shape=inputs, format=None),
        populations=tuple(populations),
        projections=tuple(projections),
        output=populations[-1].name,
        readout=readout,
        time=TimeBase.STEPPED,
        dt_s=1e-3,
        steps=STEPS,
        coding={},
    )


def chain(*, hidden: dict[str, Any], output: dict[str, Any] | None = None, seed: int = 0, **more: Any) -> HardwareGraph:
    """20-24-6 with the given neurons."""
    rng = np.random.default_rng(seed)
    return network(
        [layer("hidden", (24,), **hidden), layer("output", (6,), **(hidden if output is None else output))],
        [edge("input", "hidden", dense(rng, 24, 20)), edge("hidden", "output", dense(rng, 6, 24))],
        **more,
    )


def recurrent(*, hidden: dict[str, Any], delay: int = 1, seed: int = 0) -> HardwareGraph:
    """The chain, with a hidden layer that feeds itself."""
    graph = chain(hidden=hidden, seed=seed)
    own = edge("hidden", "hidden", dense(np.random.default_rng(seed + 1), 24, 24, 0.2), delay)
    return dataclasses.replace(graph, projections=(*graph.projections, own))


def skipping(seed: int = 0) -> HardwareGraph:
    """Several sources, a skip connection, delays, a bias that begins late, and a read-out by membrane."""
    rng = np.random.default_rng(seed)
    late = (LateBias(values=Values(real=rng.normal(0, 0.2, 9)), onset=3, until=None),)
    return network(
        [
            layer("a", (12,), alpha=0.7, reset=CLAMP, bias=0.05),
            layer("b", (9,), beta=1.0, late=late, v_reset=-0.2),
            layer("sum", (4,), reset=NONE),
        ],
        [
            edge("input", "a", dense(rng, 12, 20)),
            edge("input", "b", dense(rng, 9, 20, 0.2), 4),
            edge("a", "b", dense(rng, 9, 12), 1),
            edge("a", "sum", dense(rng, 4, 12)),
            edge("b", "sum", dense(rng, 4, 9), 2),
            edge("input", "sum", dense(rng, 4, 20)),
        ],
        readout=ReadoutKind.MEMBRANE_MAX,
    )


def window(shape: tuple[int, ...], kernel: tuple[int, int], **changes: Any) -> Window:
    geometry = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)} | changes
    return Window(input_shape=shape, kernel=kernel, **geometry)


def convolutional(seed: int = 0, **hidden: Any) -> HardwareGraph:
    """Convolution with padding, then groups, stride, dilation and pooling, then pooling before a dense layer."""
    rng = np.random.default_rng(seed)
    first = window((1, 6, 7), (3, 3), padding=((1, 1), (1, 1)))
    pool = window((4, 6, 7), (2, 2), stride=(2, 2))
    second = window((4, 3, 3), (2, 2), padding=((1, 0), (0, 1)), stride=(2, 1), dilation=(1, 2))

    def kernel(out: int, geometry: Window, groups: int) -> Convolution:
        shape = (out, geometry.input_shape[0] // groups, *geometry.kernel)
        return Convolution(weight=Values(real=rng.normal(0.1, 0.4, shape)), window=geometry, groups=groups)

    final = window((6, *second.positions), (1, 2), stride=(1, 2))
    size = int(np.prod((6, *final.positions)))
    return network(
        [layer("first", (4, 6, 7), **hidden), layer("second", (6, *second.positions), **hidden), layer("out", (5,))],
        [
            edge("input", "first", kernel(4, first, 1)),
            edge("first", "second", Pooled(pool=pool, then=kernel(6, second, 2))),
            edge("second", "out", Pooled(pool=final, then=dense(rng, 5, size))),
        ],
        inputs=(1, 6, 7),
    )


def draw_vectors(graph: HardwareGraph, *, samples: int = 4, rate: float = 0.25, seed: int = 3) -> TestVectors:
    """Random spikes and the golden recording."""
    rng = np.random.default_rng(seed)
    spikes = (rng.random((samples, STEPS, graph.input.size)) < rate).astype(np.uint8)
    expected = golden.run(graph, spikes, arithmetic="real", record=True)
    return TestVectors(spikes=spikes, expected=expected, labels=np.full(samples, -1))


def written(graph: HardwareGraph, folder: Path, *, plan: SpinnakerPlan | None = None, samples: int = 4) -> Path:
    """The artefact of a network, as planned or as a test planned it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_artefact(plan or plan_network(graph), folder, draw_vectors(graph, samples=samples), None)
    return folder


def script_of(folder: Path) -> ModuleType:
    """The script as a module."""
    spec = importlib.util.spec_from_file_location(f"network_{id(folder)}", folder / "network.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def on_nest(folder: Path, between: str = "reset") -> dict[str, dict[str, Any]]:
    """What ``network.py --backend nest --check`` finds, by layer, in this process."""
    script = script_of(folder)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        testset = script.load(folder / "testset.npz")
        schedule = script.Schedule(testset["spikes"], between, "nest")
        net = script.Network(script.prepare("nest", False), "nest", script.load(folder / "weights.npz"), schedule)
        script.build(net)
        found = script.simulate(net)
        net.sim.end()
    return script.compare(found, testset)


def mismatches(found: dict[str, dict[str, Any]]) -> int:
    """Values that differ, in all layers."""
    return sum(layer["mismatches"] for layer in found.values())


def active(graph: HardwareGraph, folder: Path) -> bool:
    """Whether every spiking layer spikes, and none always does: a comparison of silence proves nothing."""
    expected = draw_vectors(graph).expected
    rates = [expected.spikes[p.name].mean() for p in graph.populations if p.neuron.reset.kind is not ResetKind.NONE]
    return all(0.002 < rate < 0.95 for rate in rates)


def target(**changes: Any) -> SpinnakerTarget:
    """The target as configured by default."""
    settings = {
        "timestep_ms": None,
        "boards": 1,
        "convolution": "auto",
        "weight_error": 0.01,
        "points": 0.5,
        "timeout_s": 300.0,
    }
    return SpinnakerTarget(**(settings | changes))


def job(graph: HardwareGraph, **changes: Any) -> Job:
    """A graph built by hand, ready to be written."""
    return Job(graph=graph, real_graph=graph, vectors=draw_vectors(graph, **changes), record=None)
