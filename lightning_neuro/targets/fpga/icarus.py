"""Icarus Verilog: simulate what GHDL translated and compare it with the golden model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lightning_neuro.errors import ToolError
from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.fpga.ghdl import Mismatch
from lightning_neuro.targets.fpga.plan import LayerPlan
from lightning_neuro.tools import require_tool, run_tool


def index_bits(count: int) -> int:
    """Bits of an index 0 .. count-1, at least one."""
    return max(1, (count - 1).bit_length())


def parameters(layers: Sequence[LayerPlan], runs: int) -> dict[str, int]:
    """Widths that the Verilog testbench needs."""
    return {
        "INPUT_ADDRESS_BITS": index_bits(layers[0].inputs),
        "INPUT_VALUE_BITS": max(1, layers[0].value_bits),
        "INPUT_VALUES": int(layers[0].value_bits > 0),
        "OUTPUT_ADDRESS_BITS": index_bits(layers[-1].neurons),
        "OUTPUT_VALUE_BITS": layers[-1].state_bits,
        "LAYER_COUNT": len(layers),
        "SPIKE_BITS": sum(layer.lanes for layer in layers),
        "MEMBRANE_BITS": sum(layer.lanes * layer.state_bits for layer in layers),
        "RUNS": runs,
    }


def simulate(
    layers: Sequence[LayerPlan], testbench: Path, verilog: Path, vectors: Path, runs: int, timeout_s: float
) -> str:
    """Run the translated design on the first samples and return the trace.

    Args:
        layers: plans in order.
        testbench: ``testbench.v``.
        verilog: translated design; its memory files lie beside it.
        vectors: folder with ``stimulus.txt``.
        runs: samples to run.
        timeout_s: most seconds for each command.

    Raises:
        ToolError: a tool is missing, failed, or took too long.
    """
    iverilog, vvp = require_tool("iverilog"), require_tool("vvp")
    work = verilog.parent
    (work / "stimulus.txt").write_bytes((vectors / "stimulus.txt").read_bytes())
    sets = [f"-Ptestbench.{name}={value}" for name, value in parameters(layers, runs).items()]
    command = [iverilog, "-g2012", "-o", "simulation.vvp", "-s", "testbench", *sets]
    run_tool([*command, testbench.resolve(), verilog.name], cwd=work, timeout_s=timeout_s)
    run_tool([vvp, "simulation.vvp"], cwd=work, timeout_s=timeout_s)
    trace = work / "trace.txt"
    if not trace.exists():
        raise ToolError(
            "the Verilog simulation wrote no trace",
            where=str(work),
            why="it ended before the first clock cycle",
            next_command="vvp simulation.vvp",
        )
    return trace.read_text()


def compare_trace(
    trace: str, layers: Sequence[LayerPlan], vectors: TestVectors, runs: int
) -> tuple[int, Mismatch | None]:
    """Compare a trace with the golden recording.

    Args:
        trace: lines "s valid spikes" and "m valid membranes", bits of layer 0 rightmost.
        layers: plans in order.
        vectors: golden recording.
        runs: samples that were run.

    Returns:
        Number of values compared and the first difference. A trace that ends early differs where it ends.
    """
    compared, found = 0, []
    spike_start = membrane_start = 0
    lines = [line.split() for line in trace.splitlines()]
    for index, layer in enumerate(layers):
        last = -1 - index  # the rightmost bit belongs to layer 0
        spikes = [
            _fields(bits, spike_start, 1, layer.lanes)
            for kind, valid, bits, *_ in lines
            if kind == "s" and valid[last] == "1"
        ]
        states = [
            _fields(bits, membrane_start, layer.state_bits, layer.lanes)
            for kind, valid, bits, *_ in lines
            if kind == "m" and valid[last] == "1"
        ]
        for kind, groups, wanted in (
            ("spike", spikes, vectors.expected.spikes[layer.name]),
            ("membrane", states, vectors.expected.membrane[layer.name]),
        ):
            count, difference = _compare(groups, layer, wanted[:runs, :, layer.order], index, kind)
            compared += count
            found += [difference] if difference is not None else []
        spike_start += layer.lanes
        membrane_start += layer.lanes * layer.state_bits
    return compared, min(found, key=Mismatch.place, default=None)


def _fields(bits: str, start: int, width: int, count: int) -> list[str]:
    """Cut ``count`` fields of ``width`` bits that begin ``start`` bits from the right."""
    end = len(bits)
    return [bits[end - start - (k + 1) * width : end - start - k * width] for k in range(count)]


def _compare(
    groups: list[list[str]], layer: LayerPlan, wanted: np.ndarray, index: int, kind: str
) -> tuple[int, Mismatch | None]:
    steps = wanted.shape[1]
    compared = 0
    for row, expected in enumerate(wanted.reshape(-1, layer.neurons)):
        got = [field for group in groups[row * layer.groups : (row + 1) * layer.groups] for field in group]
        for neuron, value in enumerate(expected.tolist()):
            field = got[neuron] if neuron < len(got) else "x"
            text = str(_value(field, kind)) if set(field) <= {"0", "1"} else "undefined"
            if text != str(value):
                where = {"layer": index, "sample": row // steps, "step": row % steps, "neuron": neuron}
                return compared, Mismatch(**where, kind=kind, expected=str(value), got=text)
            compared += 1
    return compared, None


def _value(bits: str, kind: str) -> int:
    unsigned = int(bits, 2)
    return unsigned - (1 << len(bits)) if kind == "membrane" and bits[0] == "1" else unsigned
