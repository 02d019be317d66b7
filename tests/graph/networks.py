"""Small graphs for tests: one population, or a random chain."""

from __future__ import annotations

import numpy as np

from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    Dense,
    HardwareGraph,
    Input,
    Leak,
    Lif,
    Population,
    Projection,
    ReadoutKind,
    Reset,
    ResetKind,
    TimeBase,
    Values,
    zeros,
)
from lightning_neuro.graph.widths import QuantizeSpec


def real_population(
    name: str,
    size: int,
    *,
    beta: float,
    alpha: float | None,
    kind: ResetKind,
    delay: int,
    threshold: float = 1.0,
) -> Population:
    constants = {
        "leak_mem": Leak(beta=np.full(size, beta)),
        "threshold": Values(real=np.full(size, threshold)),
        "v_reset": zeros(size),
        "v_init": zeros(size),
        "reset": Reset(kind=kind, delay=delay),
    }
    neuron = Lif(**constants) if alpha is None else CubaLif(leak_syn=Leak(beta=np.full(size, alpha)), **constants)
    return Population(name=name, shape=(size,), neuron=neuron, bias=zeros(size), fires_from=0, fires_until=None)


def chain(
    sizes: list[int],
    *,
    seed: int = 0,
    beta: float = 0.875,
    alpha: float | None = None,
    kind: ResetKind = ResetKind.ZERO,
    delay: int = 0,
    steps: int = 16,
    readout: ReadoutKind = ReadoutKind.SPIKE_COUNT,
) -> HardwareGraph:
    rng = np.random.default_rng(seed)
    names = ["input", *(f"layer{k}" for k in range(1, len(sizes)))]
    return HardwareGraph(
        input=Input(name="input", shape=(sizes[0],), format=None),
        populations=tuple(
            real_population(n, s, beta=beta, alpha=alpha, kind=kind, delay=delay)
            for n, s in zip(names[1:], sizes[1:], strict=True)
        ),
        projections=tuple(
            Projection(
                pre=a,
                post=b,
                connection=Dense(weight=Values(real=rng.normal(0.05, 1.2 / np.sqrt(n), (m, n)).astype(np.float32))),
                delay=0,
            )
            for a, b, n, m in zip(names, names[1:], sizes, sizes[1:], strict=False)
        ),
        output=names[-1],
        readout=readout,
        time=TimeBase.STEPPED,
        dt_s=1e-3,
        steps=steps,
        coding={},
    )


def quantized_chain(
    sizes: list[int], *, weight_bits: int = 6, state_bits: int = 10, **options: object
) -> HardwareGraph:
    spec = QuantizeSpec(weight_bits=weight_bits, state_bits=state_bits, leak_bits=8)
    return quantize_network(chain(sizes, **options), spec, None)[0]  # type: ignore[arg-type]


def identity_graph(population: Population, fmt: Format | None) -> HardwareGraph:
    """A population whose input line k drives neuron k with weight one LSB (or 1.0)."""
    lsb = 1.0 if fmt is None else fmt.lsb
    raw = np.eye(population.size, dtype=np.int64)
    weight = Values(real=raw * lsb, raw=raw, format=Format(bits=2, lsb=lsb))
    return HardwareGraph(
        input=Input(name="input", shape=(population.size,), format=None),
        populations=(population,),
        projections=(Projection(pre="input", post=population.name, connection=Dense(weight=weight), delay=0),),
        output=population.name,
        readout=ReadoutKind.SPIKE_COUNT,
        time=TimeBase.STEPPED,
        dt_s=1e-3,
        steps=None,
        coding={},
    )


def spikes(samples: int, steps: int, inputs: int, *, seed: int = 0, rate: float = 0.3) -> np.ndarray:
    return (np.random.default_rng(seed).random((samples, steps, inputs)) < rate).astype(np.uint8)
