"""LUT, FF, block RAM and cycles of 784-128-10 on Xilinx 7-series for several lane settings, beside Spiker+.

    python benchmarks/fpga_area.py [CHECKPOINT]

With a checkpoint its own network and evaluation samples are used, else random weights of trained shape (Laplace) and
random spikes (100 of 784 inputs active per step, 16 steps). Every row is simulated with GHDL against the golden model
before it is counted. Spiker+ (spikerplus 2.0.3): 8,809 LUT and 43 RAMB18 by the same Yosys run, 92,565 cycles
(101 steps, all hidden neurons possibly firing), one inference of 784-128-10, 6-bit weights, 8-bit membranes.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from lightning_neuro.checkpoint import load_record
from lightning_neuro.graph import golden
from lightning_neuro.graph.evaluate import accuracy
from lightning_neuro.graph.hardware_graph import (
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
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.quantize import choose_formats, quantize
from lightning_neuro.graph.widths import DEFAULT_SPEC, QuantizeRequest, QuantizeSpec
from lightning_neuro.report import Outcome
from lightning_neuro.rounding import quantized_graph, widths
from lightning_neuro.targets.base import Job, TestVectors
from lightning_neuro.targets.fpga import FpgaTarget
from lightning_neuro.targets.fpga.constraints import layer_sizes
from lightning_neuro.targets.fpga.lanes import cycles_per_step
from lightning_neuro.targets.fpga.prove_verilog import prove_area
from lightning_neuro.targets.fpga.prove_vhdl import prove_bit_exact
from lightning_neuro.targets.fpga.subject import Subject

SPIKER_LUT, SPIKER_CYCLES = 8_809, 92_565
LANES = (128, 64, 32, 16, 8, 4)
SIZES, STEPS, ACTIVE, SAMPLES = (784, 128, 10), 16, 100, 1


def random_graph() -> HardwareGraph:
    """784-128-10 with Laplace-distributed weights, zero reset, leak 1/16, 6-bit weights and 10-bit membranes."""
    rng, names = np.random.default_rng(0), ("input", "hidden", "output")
    populations, projections = [], []
    for k, (n_in, n) in enumerate(itertools.pairwise(SIZES)):
        ones = np.ones(n)
        neuron = Lif(
            leak_mem=Leak(beta=0.9375 * ones),
            threshold=Values(real=ones),
            v_reset=zeros(n),
            v_init=zeros(n),
            reset=Reset(kind=ResetKind.ZERO, delay=0),
        )
        populations.append(
            Population(name=names[k + 1], shape=(n,), neuron=neuron, bias=zeros(n), fires_from=0, fires_until=None)
        )
        weight = Values(real=rng.laplace(0.0, (0.05, 0.18)[k], (n, n_in)))
        projections.append(Projection(pre=names[k], post=names[k + 1], connection=Dense(weight=weight), delay=0))
    graph = HardwareGraph(
        input=Input(name="input", shape=(784,), format=None),
        populations=tuple(populations),
        projections=tuple(projections),
        output="output",
        readout=ReadoutKind.SPIKE_COUNT,
        time=TimeBase.STEPPED,
        dt_s=1e-3,
        steps=STEPS,
        coding={},
    )
    spec = QuantizeSpec(weight_bits=6, state_bits=10, leak_bits=8)
    return quantize(graph, choose_formats(graph, spec, membrane_range={}))


def subject_network(path: Path | None) -> tuple[HardwareGraph, np.ndarray, float | None]:
    """Graph, input spikes of a few samples, and the accuracy when it is known."""
    if path is None:
        rng = np.random.default_rng(1)
        spikes = np.zeros((SAMPLES, STEPS, 784), np.uint8)
        for step in spikes.reshape(-1, 784):
            step[rng.choice(784, ACTIVE, replace=False)] = 1
        return random_graph(), spikes, None
    record = load_record(path)
    request = QuantizeRequest(weight_bits=None, state_bits=None, leak_bits=None)
    real, stored = lower(record.graph, record.metadata), record.quantized
    graph, _ = quantized_graph(real, record, stored, widths(real, stored, request, DEFAULT_SPEC))
    assert record.evaluation is not None, "the checkpoint holds no evaluation samples"
    return graph, record.evaluation.spikes[:SAMPLES], accuracy(graph, record.evaluation, "fixed")


def lanes_for(graph: HardwareGraph, first: int) -> tuple[int, ...]:
    """So many lanes in the first layer, in the others as few as keep its pace."""
    sizes = layer_sizes(graph)
    pace = cycles_per_step(sizes[0], first)
    others = (next(n for n in range(1, s.neurons + 1) if cycles_per_step(s, n) <= pace) for s in sizes[1:])
    return (first, *others)


def measure(graph: HardwareGraph, vectors: TestVectors, lanes: tuple[int, ...]) -> list[str]:
    """One row of the table."""
    target = FpgaTarget(lanes=lanes, clock_mhz=100.0, part="xc7z020clg400-1", synthesis=True, timeout_s=1800.0)
    with tempfile.TemporaryDirectory() as folder:
        artefact = Path(folder)
        target.write(Job(graph=graph, real_graph=graph, vectors=vectors, record=None), artefact)
        layers = target.plan(graph)
        subject = Subject(
            graph=graph, layers=layers, artefact=artefact, vectors=vectors, clock_mhz=100.0, timeout_s=1800.0
        )
        exact, area = prove_bit_exact(subject), prove_area(subject)
    for proof in (exact, area):
        assert proof.checks[0].outcome is Outcome.PASSED, proof.checks[0]
    cells, cycles = area.resources["xc7"], exact.resources["cycles_per_sample"]["median"]  # type: ignore[index]
    assert isinstance(cells, dict)
    return [
        ", ".join(map(str, lanes)),
        f"{cells['lut']:,}",
        f"{cells['lutram'] + cells['srl']:,}",
        f"{cells['ff']:,}",
        str(cells["carry4"]),
        f"{cells['ramb18'] / 2 + cells['ramb36']:g}",
        str(cells["dsp"]),
        f"{cycles:,.0f}",
        f"{cells['lut'] / SPIKER_LUT:.2f}",
        f"{cycles / SPIKER_CYCLES:.3f}",
    ]


def main() -> None:
    """Measure every lane setting and print the table."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    graph, spikes, share = subject_network(path)
    expected = golden.run(graph, spikes, arithmetic="fixed", record=True)
    vectors = TestVectors(spikes=spikes, expected=expected, labels=np.full(len(spikes), -1))
    rates = [f"{name} {raster.mean() * raster.shape[2]:.0f}" for name, raster in expected.spikes.items()]
    console = Console()
    console.print(
        f"{spikes.shape[1]} steps, {spikes.sum(axis=2).mean():.0f} active inputs per step, spikes per step: "
        f"{', '.join(rates)}" + (f"; accuracy of the integers {100 * share:.2f} %" if share is not None else "")
    )
    table = Table(
        "lanes", "LUT", "LUT as RAM", "FF", "CARRY4", "RAMB36", "DSP", "cycles", "LUT / Spiker+", "cycles / Spiker+"
    )
    for first in LANES:
        with console.status(f"{first} lanes: simulating and synthesising"):
            row = measure(graph, vectors, lanes_for(graph, first))
        table.add_row(*row)
        print(" | ".join(row), flush=True)
    console.print(table)


if __name__ == "__main__":
    main()
