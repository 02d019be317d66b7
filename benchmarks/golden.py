"""Seconds of the golden model for 10,000 samples through 784-128-10, in both arithmetics, beside a torch float loop.

    python benchmarks/golden.py [CHECKPOINT]

With a checkpoint its own evaluation samples and network are used, else random weights and spikes (density 0.13).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from lightning_neuro.checkpoint import load_record
from lightning_neuro.graph import golden
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.widths import DEFAULT_SPEC
from tests.graph.networks import chain

SAMPLES, STEPS, RATE = 10_000, 32, 0.13


def network(arguments: list[str]) -> tuple[HardwareGraph, np.ndarray]:
    if arguments:
        record = load_record(Path(arguments[0]))
        assert record.evaluation is not None
        return lower(record.graph, record.metadata), record.evaluation.spikes
    generator = np.random.default_rng(0)
    spikes = np.empty((SAMPLES, STEPS, 784), np.uint8)
    for part in np.array_split(spikes, 20):
        part[:] = generator.random(part.shape, np.float32) < RATE
    return chain([784, 128, 10], steps=STEPS), spikes


def torch_loop(graph: HardwareGraph, spikes: np.ndarray) -> None:
    """The plain way: float32, one step at a time."""
    weights = [torch.tensor(p.connection.weight.real, dtype=torch.float32) for p in graph.projections]
    betas = [torch.tensor(p.neuron.leak_mem.beta, dtype=torch.float32) for p in graph.populations]
    for part in np.array_split(spikes, 20):
        signal = torch.from_numpy(part).transpose(0, 1).float()
        states = [torch.zeros(signal.shape[1], len(w)) for w in weights]
        for step in signal:
            for k, weight in enumerate(weights):
                states[k] = betas[k] * states[k] + step @ weight.T
                step = (states[k] > 1).float()
                states[k] = states[k] * (1 - step)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    graph, spikes = network(sys.argv[1:])
    quantized, _ = quantize_network(graph, DEFAULT_SPEC, None)
    for arithmetic, net in (("fixed", quantized), ("real", graph)):
        golden.run(net, spikes[:2], arithmetic=arithmetic)  # compiled kernels from the cache
    rows = {
        "torch, float32 loop": seconds(lambda: torch_loop(graph, spikes)),
        "golden, integers": seconds(lambda: golden.run(quantized, spikes, arithmetic="fixed")),
        "golden, float64": seconds(lambda: golden.run(graph, spikes, arithmetic="real")),
    }
    table = Table("model", "seconds", "torch / this", title=f"{spikes.shape[0]} samples, {spikes.shape[1]} steps")
    for name, value in rows.items():
        table.add_row(name, f"{value:.2f}", f"{rows['torch, float32 loop'] / value:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
