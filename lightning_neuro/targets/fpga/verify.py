"""The three proofs of an FPGA artefact: GHDL bit by bit, the Verilog translation, and the area on a 7-series device."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import ToolError
from lightning_neuro.graph.golden import decide, read_out
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.report import Check, Outcome
from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.fpga import ghdl, icarus, yosys
from lightning_neuro.targets.fpga.plan import LayerPlan
from lightning_neuro.targets.fpga.vectors import decode_stream, plan_runs
from lightning_neuro.targets.fpga.verilog import split_memories, translation_defects
from lightning_neuro.targets.proofs import counted
from lightning_neuro.tools import find_tool, install_command

VERILOG_SAMPLES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One check and what it found besides.

    Args:
        check: the outcome.
        resources: numbers for the report.
        classes: class of every sample as the artefact computed it; None when it did not run.
    """

    check: Check
    resources: Mapping[str, object] = field(default_factory=dict)
    classes: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """What is proved, and within which limits.

    Args:
        graph, layers: the network and its plan.
        artefact: folder.
        vectors: golden recording.
        clock_mhz: clock in MHz for latencies.
        timeout_s: most seconds of one run of a tool.
    """

    graph: HardwareGraph
    layers: Sequence[LayerPlan]
    artefact: Path
    vectors: TestVectors
    clock_mhz: float
    timeout_s: float


def skipped(name: str, expected: str, reason: str) -> Proof:
    """A check that could not run."""
    return Proof(
        check=Check(name=name, outcome=Outcome.SKIPPED, expected=expected, got=None, detail=reason, seconds=0.0)
    )


def missing_tools(*names: str) -> str:
    """Reason and remedy when programs are not installed; empty when all are there."""
    absent = [name for name in names if find_tool(name) is None]
    return "; ".join(f"{name} is not installed ({install_command(name)})" for name in absent)


def timed(name: str, expected: str, work: Callable[[Path], Proof]) -> Proof:
    """Run one proof in a temporary folder; a tool that fails or takes too long fails the check with its words."""
    start = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="lightning-neuro-") as folder:
            return work(Path(folder))
    except (ToolError, OSError) as error:
        seconds = time.perf_counter() - start
        detail = reason_of(error)
        return Proof(
            check=Check(name=name, outcome=Outcome.FAILED, expected=expected, got=None, detail=detail, seconds=seconds)
        )


def reason_of(error: ToolError | OSError) -> str:
    """What stopped a proof, with what to try next."""
    if isinstance(error, ToolError):
        return f"{error.what}: {error.why.strip()[-600:]} (try: {error.next_command})"
    return f"the temporary folder {tempfile.gettempdir()} cannot be used: {error} (try: TMPDIR=/path/with/space)"


# -- 1. the VHDL itself ------------------------------------------------------------------------------------------

BIT_EXACT = "ghdl_bit_exact"
BIT_EXACT_EXPECTED = "0 differing spikes and membranes"


def prove_bit_exact(subject: Subject) -> Proof:
    """GHDL runs the artefact's files; every spike and membrane of every layer and step must equal the golden model."""
    if reason := missing_tools("ghdl"):
        return skipped(BIT_EXACT, BIT_EXACT_EXPECTED, reason)
    return timed(BIT_EXACT, BIT_EXACT_EXPECTED, lambda work: _bit_exact(subject, work))


def expected_comparisons(subject: Subject) -> tuple[int, ...]:
    """Values that a complete simulation compares, per layer: spikes and membranes of all runs."""
    runs, steps = len(plan_runs(len(subject.vectors.spikes))), subject.vectors.spikes.shape[1]
    return tuple(2 * runs * steps * layer.neurons for layer in subject.layers)


def _bit_exact(subject: Subject, work: Path) -> Proof:
    start = time.perf_counter()
    simulation = ghdl.simulate(subject.artefact, work, subject.timeout_s)
    complete = simulation.compared[:-1] == expected_comparisons(subject)
    passed = simulation.verdict.startswith("PASSED") and complete
    if simulation.first is not None:
        detail = ghdl.describe(simulation.first, subject.layers)
    elif simulation.stream_difference:
        detail = f"output stream: {simulation.stream_difference}"
    else:
        samples = len(subject.vectors.spikes)
        detail = f"{samples} sample(s), {len(plan_runs(samples)) - samples} repeated under pauses and back-pressure"
        detail += "" if complete else f"; compared {simulation.compared}, wanted {expected_comparisons(subject)}"
    check = Check(
        name=BIT_EXACT,
        outcome=Outcome.PASSED if passed else Outcome.FAILED,
        expected=BIT_EXACT_EXPECTED,
        got=simulation.verdict.removeprefix("PASSED "),
        detail=detail,
        seconds=time.perf_counter() - start,
    )
    counts = counted(BIT_EXACT, sum(simulation.compared), sum(simulation.differing))
    resources = {**latency(simulation.cycles, subject), **counts}
    return Proof(check=check, resources=resources, classes=_classes(subject, simulation))


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


# -- 2. the Verilog that the open tools read ---------------------------------------------------------------------

EQUIVALENCE = "verilog_equivalence"
EQUIVALENCE_EXPECTED = "Verilog = golden model, no latch, no incomplete case"


def prove_equivalence(subject: Subject) -> Proof:
    """The Verilog that Yosys reads behaves like the VHDL: guards against translation defects, then a simulation."""
    if reason := missing_tools("ghdl", "iverilog", "vvp"):
        return skipped(EQUIVALENCE, EQUIVALENCE_EXPECTED, reason)
    return timed(EQUIVALENCE, EQUIVALENCE_EXPECTED, lambda work: _equivalence(subject, work))


def translate(subject: Subject, work: Path) -> tuple[Path, tuple[str, ...]]:
    """Write the design as Verilog into a folder; also the defects that can be seen in its text."""
    run = ghdl.to_verilog(subject.artefact, work, subject.timeout_s)
    split = split_memories(run.stdout)
    verilog = work / f"{ghdl.TOP}.v"
    verilog.write_text(split.text)
    for name, contents in split.files.items():
        (work / name).write_text(contents)
    return verilog, translation_defects(split.text, run.stderr)


def _equivalence(subject: Subject, work: Path) -> Proof:
    start = time.perf_counter()
    verilog, defects = translate(subject, work)
    runs = min(VERILOG_SAMPLES, len(subject.vectors.spikes))
    testbench = Path(__file__).parent / "bench" / "testbench.v"
    trace = icarus.simulate(subject.layers, testbench, verilog, subject.artefact / "testbench", runs, subject.timeout_s)
    compared, first = icarus.compare_trace(trace, subject.layers, subject.vectors, runs)
    problems = [*defects, *([ghdl.describe(first, subject.layers)] if first is not None else [])]
    check = Check(
        name=EQUIVALENCE,
        outcome=Outcome.FAILED if problems else Outcome.PASSED,
        expected=EQUIVALENCE_EXPECTED,
        got=f"{compared} values compared, {len(problems)} problem(s)",
        detail="; ".join(problems) if problems else f"{runs} sample(s) in Icarus Verilog",
        seconds=time.perf_counter() - start,
    )
    return Proof(check=check)


# -- 3. area -----------------------------------------------------------------------------------------------------

AREA = "yosys_xc7"
AREA_EXPECTED = "synthesises for Xilinx 7-series without latches"


def prove_area(subject: Subject) -> Proof:
    """Yosys synthesises the Verilog for 7-series devices and counts cells."""
    if reason := missing_tools("ghdl", "yosys"):
        return skipped(AREA, AREA_EXPECTED, reason)
    return timed(AREA, AREA_EXPECTED, lambda work: _area(subject, work))


def _area(subject: Subject, work: Path) -> Proof:
    start = time.perf_counter()
    verilog, _ = translate(subject, work)
    run = yosys.synthesise(subject.layers, verilog, subject.timeout_s, flatten=False)
    statistics = (work / yosys.STATISTICS).read_text()
    cells = yosys.resources(statistics)
    latches = translation_defects("", run.stdout + run.stderr) + yosys.latches(statistics)
    summary = ", ".join(f"{count} {name}" for name, count in cells.items() if count)
    check = Check(
        name=AREA,
        outcome=Outcome.FAILED if latches else Outcome.PASSED,
        expected=AREA_EXPECTED,
        got=summary,
        detail="; ".join(latches) if latches else "synth_xilinx -family xc7, hierarchy kept; INV are absorbed by LUTs",
        seconds=time.perf_counter() - start,
    )
    return Proof(check=check, resources={"xc7": cells})
