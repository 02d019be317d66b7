"""Yosys: cells that the design takes on a Xilinx 7-series device."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from lightning_neuro.targets.fpga.ghdl import TOP
from lightning_neuro.targets.fpga.plan import LayerPlan
from lightning_neuro.tools import CompletedRun, require_tool, run_tool

STATISTICS = "xc7.txt"
BLOCK_RAM_FROM_BITS = 2048  # smaller weight memories are cheaper in LUTs

_CELL = re.compile(r"^ +(?P<name>[A-Z]\w+) +(?P<count>\d+)$", re.MULTILINE)
# LUTs that hold data instead of logic, per cell
_MEMORY_LUTS = {"RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM32X1S": 1, "RAM64X1S": 1}
_SHIFT_LUTS = {"SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1}


def script(layers: Sequence[LayerPlan], verilog: str, *, flatten: bool) -> str:
    """Yosys commands: read, ask for block RAM where the VHDL does, synthesise, count.

    The VHDL carries ``rom_style`` on the weight memories, which GHDL cannot pass on; the first commands restore it.

    Args:
        layers: plans in order.
        verilog: name of the file to read.
        flatten: dissolve the hierarchy before optimising.
    """
    in_block_ram = [
        f'setattr -set rom_style "block" weight_memory_{index}_*/m:*'
        for index, layer in enumerate(layers)
        if layer.memory_depth * layer.word_bits >= BLOCK_RAM_FROM_BITS
    ]
    synthesis = f"synth_xilinx -family xc7 -top {TOP}{' -flatten' if flatten else ''}"
    return "\n".join(
        [f"read_verilog {verilog}", *in_block_ram, synthesis, f"tee -q -o {STATISTICS} stat -tech xilinx", ""]
    )


def synthesise(layers: Sequence[LayerPlan], verilog: Path, timeout_s: float, *, flatten: bool) -> CompletedRun:
    """Run Yosys beside the Verilog file; it leaves ``xc7.txt`` there.

    Raises:
        ToolError: Yosys is missing, failed, or took too long.
    """
    yosys = require_tool("yosys")
    commands = verilog.parent / "xc7.ys"
    commands.write_text(script(layers, verilog.name, flatten=flatten))
    return run_tool([yosys, "-q", "-s", commands.name], cwd=verilog.parent, timeout_s=timeout_s)


def resources(statistics: str) -> dict[str, int]:
    """Cell counts of the whole design.

    Args:
        statistics: output of ``stat``; the last section counts the hierarchy.

    Returns:
        ``lut`` (sum of LUT1 to LUT6), ``lutram`` and ``srl`` (LUTs used as memory), ``ff``, ``carry4``, ``muxf``,
        ``inv``, ``ramb18``, ``ramb36`` and ``dsp``.
    """
    cells = {m["name"]: int(m["count"]) for m in _CELL.finditer(statistics.rsplit("=== ", 1)[-1])}
    return {
        "lut": sum(count for name, count in cells.items() if re.fullmatch(r"LUT[1-6]", name)),
        "lutram": _weighted(cells, _MEMORY_LUTS),
        "srl": _weighted(cells, _SHIFT_LUTS),
        "ff": sum(count for name, count in cells.items() if re.fullmatch(r"FD[RSCP]E", name)),
        "carry4": cells.get("CARRY4", 0),
        "muxf": cells.get("MUXF7", 0) + cells.get("MUXF8", 0),
        "inv": cells.get("INV", 0),
        "ramb18": cells.get("RAMB18E1", 0),
        "ramb36": cells.get("RAMB36E1", 0),
        "dsp": cells.get("DSP48E1", 0),
    }


def _weighted(cells: Mapping[str, int], weights: Mapping[str, int]) -> int:
    return sum(cells.get(name, 0) * weight for name, weight in weights.items())


def latches(statistics: str) -> tuple[str, ...]:
    """Latch cells in the statistics."""
    cells = _CELL.findall(statistics.rsplit("=== ", 1)[-1])
    return tuple(f"{count} latch cells {name}" for name, count in cells if re.fullmatch(r"LD[CP]E|LDCPE", name))
