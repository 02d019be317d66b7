"""The proof of the VHDL itself: GHDL, bit by bit, over the cores of this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.cores import cores
from lightning_neuro.graph.golden import decide, read_out
from lightning_neuro.report import Observed, Outcome
from lightning_neuro.report.observed import telling_samples
from lightning_neuro.targets.base import share_right
from lightning_neuro.targets.fpga import ghdl, shards
from lightning_neuro.targets.fpga.subject import Subject, missing_tools
from lightning_neuro.targets.fpga.traces import TRACED_RUNS, Trace, observed_in, read_trace
from lightning_neuro.targets.fpga.vectors import STRESSED_RUNS, decode_stream, plan_runs
from lightning_neuro.targets.proofs import Proof, counted, made, skipped, timed

BIT_EXACT = "ghdl_bit_exact"
EXPECTED = "0 differing spikes and membranes"


def prove_bit_exact(subject: Subject) -> Proof:
    """GHDL runs the artefact's files; every spike and membrane of every layer and step must equal the golden model."""
    if reason := missing_tools("ghdl"):
        return skipped(BIT_EXACT, EXPECTED, reason)
    return timed(BIT_EXACT, EXPECTED, lambda work: _bit_exact(subject, work))


def expected_comparisons(subject: Subject) -> tuple[int, ...]:
    """Values that a complete simulation compares, per layer: spikes and membranes of all runs."""
    runs, steps = len(plan_runs(len(subject.vectors.spikes))), subject.vectors.spikes.shape[1]
    return tuple(2 * runs * steps * layer.neurons for layer in subject.layers)


def _bit_exact(subject: Subject, work: Path) -> Proof:
    start = time.perf_counter()
    ghdl.analyse(subject.artefact, work, subject.timeout_s)
    bench = shards.read_bench(subject.artefact / "testbench")
    parts = shards.cut(len(bench.stimulus), cores())
    simulation, trace = simulate(subject, work, bench, parts)
    complete = simulation.compared[:-1] == expected_comparisons(subject)
    passed = simulation.verdict.startswith("PASSED") and complete
    first = simulation.first
    if first is not None and _run_with(trace, first, subject) is None:
        trace = _trace_of(subject, work, bench, first.sample)
    wrong = None if first is None else _run_with(trace, first, subject)
    check = made(
        BIT_EXACT,
        Outcome.PASSED if passed else Outcome.FAILED,
        EXPECTED,
        simulation.verdict.removeprefix("PASSED "),
        _detail(simulation, subject, len(parts), complete),
        time.perf_counter() - start,
        None if first is None else ghdl.difference(first, subject.layers),
    )
    counts = counted(BIT_EXACT, sum(simulation.compared), sum(simulation.wrong))
    classes = _classes(subject, simulation)
    return Proof(
        checks=(check,),
        resources={**latency(simulation.cycles, subject), **counts},
        share=share_right(classes, subject.vectors.labels),
        observed=(_told(trace, subject, wrong),),
    )


def _detail(simulation: ghdl.Simulation, subject: Subject, parts: int, complete: bool) -> str:
    if simulation.first is not None:
        return ghdl.describe(simulation.first, subject.layers)
    if simulation.stream_difference:
        return f"output stream: {simulation.stream_difference}"
    samples = len(subject.vectors.spikes)
    words = f"{samples} sample(s), {STRESSED_RUNS} repeated under pauses and back-pressure"
    words += f"; {parts} simulations side by side" if parts > 1 else ""
    return words + ("" if complete else f"; compared {simulation.compared}, wanted {expected_comparisons(subject)}")


def simulate(
    subject: Subject, work: Path, bench: shards.Bench, parts: Sequence[range]
) -> tuple[ghdl.Simulation, Trace]:
    """Simulate all runs, each part of them in a simulator of its own, and keep the values of the first ones.

    Args:
        subject: what is proved.
        work: folder with the analysed design.
        bench: the artefact's vectors.
        parts: runs of each simulation.

    Raises:
        ToolError: a simulation failed, took too long, or came to no verdict.
    """
    steps = subject.vectors.spikes.shape[1]
    traced = min(TRACED_RUNS, len(parts[0]))
    jobs = [
        _Part(folder=work / f"part_{number}", runs=part, traced_steps=0 if number else traced * steps)
        for number, part in enumerate(parts)
    ]
    for job in jobs:
        shards.write_bench(bench, job.runs, job.folder)
    with ThreadPoolExecutor(max_workers=cores()) as pool:
        running = [pool.submit(ghdl.simulate, work, j.folder, j.traced_steps, subject.timeout_s) for j in jobs]
        found = [each.result() for each in running]
    beats = [sum(len(bench.output[run]) for run in part) for part in parts]
    trace = read_trace(jobs[0].folder, subject.layers, bench.samples[:traced], steps)
    return shards.merged(found, beats), trace


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One of the simulations."""

    folder: Path
    runs: range
    traced_steps: int


def _run_with(trace: Trace, first: ghdl.Mismatch, subject: Subject) -> int | None:
    """The traced run in which a difference is seen; one that needs pauses or a sample before it is not seen in all."""
    layer, expected = subject.layers[first.layer], subject.vectors.expected
    got, wanted = (trace.spikes, expected.spikes) if first.kind == "spike" else (trace.membrane, expected.membrane)
    neuron = int(layer.order[first.neuron])
    for run, sample in enumerate(trace.samples):
        steps = got[layer.name][run, : first.step + 1, neuron]
        if sample == first.sample and first.step < len(steps):
            if steps[first.step] != wanted[layer.name][sample, first.step, neuron]:
                return run
    return None


def _trace_of(subject: Subject, work: Path, bench: shards.Bench, sample: int) -> Trace:
    """Simulate the runs of one sample again for their values: alone, and under stress with the runs around it."""
    steps, count = subject.vectors.spikes.shape[1], len(bench.samples)
    stressed = set(range(max(0, count - STRESSED_RUNS), count))
    runs = {run for run, each in enumerate(bench.samples) if each == sample}
    runs = sorted(runs | stressed if runs & stressed else runs)
    folder = work / "again"
    shards.write_bench(bench, runs, folder)
    ghdl.simulate(work, folder, len(runs) * steps, subject.timeout_s)
    return read_trace(folder, subject.layers, [bench.samples[run] for run in runs], steps)


def _told(trace: Trace, subject: Subject, wrong: int | None) -> Observed:
    """The runs that the page shows: one classified rightly, one wrongly, and the one with the first difference."""
    labels, classes = subject.vectors.labels, subject.vectors.expected.classes
    runs = [trace.samples.index(sample) for sample in telling_samples(classes, labels, trace.samples)]
    return observed_in(trace.taken(runs if wrong is None else [wrong, *(run for run in runs if run != wrong)]))


def latency(cycles: NDArray[np.int64], subject: Subject) -> dict[str, object]:
    """Cycles per sample, from the first input beat to the last output beat, and their time at the stated clock."""
    if not len(cycles):
        return {}
    numbers = {"min": int(cycles.min()), "median": float(np.median(cycles)), "max": int(cycles.max())}
    return {
        "cycles_per_sample": numbers,
        "cycles_of_samples": cycles.tolist(),
        "latency_us": {key: round(value / subject.clock_mhz, 3) for key, value in numbers.items()},
        "clock_mhz": subject.clock_mhz,
        "lanes": [layer.lanes for layer in subject.layers],
    }


def _classes(subject: Subject, simulation: ghdl.Simulation) -> NDArray[np.int64]:
    samples, steps, _ = subject.vectors.spikes.shape
    stream = decode_stream(simulation.output, subject.layers[-1], samples, steps)
    return decide(subject.graph, read_out(subject.graph.readout, stream.spikes, stream.membranes))
