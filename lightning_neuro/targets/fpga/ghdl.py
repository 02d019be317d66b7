"""GHDL: analyse and simulate the artefact's own files, translate them to Verilog."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import ToolError
from lightning_neuro.report import Difference
from lightning_neuro.targets.fpga.plan import LayerPlan
from lightning_neuro.targets.fpga.vectors import ALONE
from lightning_neuro.tools import CompletedRun, require_tool, run_tool

RTL_FILES = (
    "snn_pkg.vhd",
    "network_pkg.vhd",
    "weight_memory.vhd",
    "synapse.vhd",
    "neuron.vhd",
    "spike_scanner.vhd",
    "spike_feedback.vhd",
    "membrane_output.vhd",
    "address_generator.vhd",
    "sequencer.vhd",
    "layer.vhd",
    "network.vhd",
    "snn_top.vhd",
)
"""In order of analysis."""

TOP = "snn_top"

# A simulator's start values are undefined for a few cycles; the testbench reports undefined results itself.
QUIET = "--ieee-asserts=disable"
# Weight memories of large layers are built on the stack when the design is elaborated.
UNLIMITED_STACK = "--max-stack-alloc=0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """The first value that differs.

    Args:
        layer: index of the layer.
        sample, step, neuron: where in the recording; the neuron as the hardware numbers it.
        kind: "spike" or "membrane".
        expected, got: values as text; "undefined" when the simulator had none.
    """

    layer: int
    sample: int
    step: int
    neuron: int
    kind: str
    expected: str
    got: str

    def place(self) -> tuple[int, int, int, int]:
        """Order in time, then along the network."""
        return self.sample, self.step, self.layer, self.neuron


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulation:
    """What the testbench found.

    Args:
        verdict: its first line: "PASSED ...", "FAILED ..." or "STALLED ...".
        compared: values compared, per layer and last for the output stream.
        wrong: values that differ, likewise.
        first: the first difference in time, then layer, then neuron; None when there is none.
        stream_difference: first wrong beat of the output stream, as text; empty when there is none.
        cycles: clock cycles of every sample that ran alone.
        output: the output stream as recorded.
    """

    verdict: str
    compared: tuple[int, ...]
    wrong: tuple[int, ...]
    first: Mismatch | None
    stream_difference: str
    cycles: NDArray[np.int64]
    output: str


def rtl_paths(folder: Path) -> list[Path]:
    """The artefact's VHDL files in order of analysis."""
    return [folder / "rtl" / name for name in RTL_FILES]


def analyse_command(ghdl: str, artefact: Path) -> list[str | Path]:
    """Command that analyses design and testbench into the working folder."""
    return [ghdl, "-a", "--std=08", *rtl_paths(artefact), artefact / "testbench" / "testbench.vhd"]


def simulate_command(ghdl: str, vectors: Path, traced_steps: int) -> list[str | Path]:
    """Command that runs the testbench; it reads from and writes to the folder of the vectors."""
    generics = [f"-gFOLDER={vectors.as_posix()}/", f"-gTRACED={traced_steps}"]
    return [ghdl, "-r", "--std=08", "testbench", *generics, QUIET, UNLIMITED_STACK]


def verilog_command(ghdl: str, artefact: Path) -> list[str | Path]:
    """Command that prints the design as Verilog."""
    return [ghdl, "--synth", "--std=08", "--out=verilog", *rtl_paths(artefact), "-e", TOP]


def analyse(artefact: Path, work: Path, timeout_s: float) -> None:
    """Analyse exactly the files of the artefact.

    Args:
        artefact: folder with ``rtl/`` and ``testbench/``.
        work: empty folder for the simulator's library.
        timeout_s: most seconds.

    Raises:
        ToolError: GHDL is missing, failed, or took too long.
    """
    run_tool(analyse_command(require_tool("ghdl"), artefact.resolve()), cwd=work, timeout_s=timeout_s)


def simulate(work: Path, vectors: Path, traced_steps: int, timeout_s: float) -> Simulation:
    """Run the self-checking testbench on recorded vectors.

    Args:
        work: folder with the library of ``analyse``.
        vectors: folder below ``work`` with the text files of the testbench; results are written there.
        traced_steps: steps from the first on whose values are written into ``trace_<layer>.txt``.
        timeout_s: most seconds.

    Raises:
        ToolError: GHDL is missing, failed, took too long, or came to no verdict.
    """
    command = simulate_command(require_tool("ghdl"), vectors.relative_to(work), traced_steps)
    return read_results(vectors, run_tool(command, cwd=work, timeout_s=timeout_s))


def read_results(work: Path, run: CompletedRun) -> Simulation:
    """Collect what the testbench wrote.

    Raises:
        ToolError: the simulation ended without a verdict.
    """
    result = work / "result.txt"
    lines = result.read_text().splitlines() if result.exists() else []
    if not lines:
        raise ToolError(
            "the simulation ended without a verdict",
            where=str(work),
            why=f"GHDL said: {(run.stderr or run.stdout).strip()[-500:] or 'nothing'}",
            next_command="run testbench/run_ghdl.sh in the artefact",
        )
    mismatches = (work / "mismatches.txt").read_text()
    cycles = [list(map(int, line.split())) for line in (work / "cycles.txt").read_text().splitlines()]
    return Simulation(
        verdict=lines[0],
        compared=tuple(int(line.split()[1]) for line in lines[1:]),
        wrong=tuple(int(line.split()[2]) for line in lines[1:]),
        first=first_mismatch(mismatches),
        stream_difference=next((line for line in mismatches.splitlines() if line.startswith("STREAM")), ""),
        cycles=np.array([count for _, mode, count in cycles if mode == ALONE], np.int64),
        output=(work / "output.txt").read_text(),
    )


_MISMATCH = re.compile(r"MISMATCH layer=(\d+) sample=(\d+) step=(\d+) neuron=(\d+) kind=(\w+) expected=(\S+) got=(\S+)")


def first_mismatch(text: str) -> Mismatch | None:
    """Earliest of the layers' first differences.

    >>> first_mismatch("MISMATCH layer=1 sample=0 step=2 neuron=3 kind=spike expected=1 got=0").step
    2
    """
    found = [
        Mismatch(
            layer=int(m[1]), sample=int(m[2]), step=int(m[3]), neuron=int(m[4]), kind=m[5], expected=m[6], got=m[7]
        )
        for m in _MISMATCH.finditer(text)
    ]
    return min(found, key=Mismatch.place, default=None)


def to_verilog(artefact: Path, work: Path, timeout_s: float) -> CompletedRun:
    """Translate the design; standard output is the Verilog, standard error the log.

    Raises:
        ToolError: GHDL is missing, failed, or took too long.
    """
    return run_tool(verilog_command(require_tool("ghdl"), artefact.resolve()), cwd=work, timeout_s=timeout_s)


def difference(mismatch: Mismatch, layers: Sequence[LayerPlan]) -> Difference:
    """The same place in the numbers of the graph."""
    layer = layers[mismatch.layer]
    return Difference(
        layer=layer.name,
        sample=mismatch.sample,
        step=mismatch.step,
        neuron=int(layer.order[mismatch.neuron]),
        kind=mismatch.kind,
        expected=mismatch.expected,
        got=mismatch.got,
    )


def describe(mismatch: Mismatch, layers: Sequence[LayerPlan]) -> str:
    """One sentence: which layer, step and neuron (by its index in the graph) differ, and how."""
    layer = layers[mismatch.layer]
    return (
        f"first difference: layer {layer.name!r}, sample {mismatch.sample}, step {mismatch.step}, "
        f"neuron {layer.order[mismatch.neuron]}: {mismatch.kind} expected {mismatch.expected}, got {mismatch.got}"
    )
