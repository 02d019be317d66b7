"""The proofs of the Verilog that the open tools read: it behaves as the VHDL does, and what it takes of a device."""

from __future__ import annotations

import time
from pathlib import Path

from lightning_neuro.report import Outcome
from lightning_neuro.targets.fpga import ghdl, icarus, yosys
from lightning_neuro.targets.fpga.subject import Subject, missing_tools
from lightning_neuro.targets.fpga.verilog import split_memories, translation_defects
from lightning_neuro.targets.proofs import Proof, made, skipped, timed

VERILOG_SAMPLES = 2

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
    check = made(
        EQUIVALENCE,
        Outcome.FAILED if problems else Outcome.PASSED,
        EQUIVALENCE_EXPECTED,
        f"{compared} values compared, {len(problems)} problem(s)",
        "; ".join(problems) if problems else f"{runs} sample(s) in Icarus Verilog",
        time.perf_counter() - start,
        None if first is None else ghdl.difference(first, subject.layers),
    )
    return Proof(checks=(check,))


# -- area --------------------------------------------------------------------------------------------------------

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
    check = made(
        AREA,
        Outcome.FAILED if latches else Outcome.PASSED,
        AREA_EXPECTED,
        summary,
        "; ".join(latches) if latches else "synth_xilinx -family xc7, hierarchy kept; INV are absorbed by LUTs",
        time.perf_counter() - start,
    )
    return Proof(checks=(check,), resources={"xc7": cells})
