"""The system programs that proofs run."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lightning_neuro.doctor.finding import Finding, Status
from lightning_neuro.doctor.tested import PROGRAMS as TESTED
from lightning_neuro.errors import ToolError
from lightning_neuro.tools import find_tool, install_command, run_tool

GROUP = "programs"
LONGEST_S = 20.0

GHDL_2_0 = (
    "its Verilog writer is wrong in silence for `case ... when others` and `shift_right` of signed numbers; our VHDL "
    "avoids both and the Verilog is compared in Icarus; do not trust it with other VHDL"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program and how to ask it.

    Args:
        ask: the option that prints its version.
        enables: what works with it, a phrase.
        cautions: by the beginning of a version, what to know about it.
    """

    ask: str
    enables: str
    cautions: Mapping[str, str]


PROGRAMS: Mapping[str, Program] = {
    "ghdl": Program(
        ask="--version",
        enables="the bit-exact proof of the VHDL (target=fpga)",
        cautions={"2.0.": GHDL_2_0},
    ),
    "yosys": Program(ask="-V", enables="counting the cells of the FPGA (target=fpga)", cautions={}),
    "iverilog": Program(ask="-V", enables="the cross-check of the Verilog (target=fpga)", cautions={}),
    "vvp": Program(ask="-V", enables="running what iverilog compiled (target=fpga)", cautions={}),
}


def programs() -> tuple[Finding, ...]:
    """Each program: found, broken or absent."""
    return tuple(look(name, program) for name, program in PROGRAMS.items())


def look(name: str, program: Program) -> Finding:
    """Find a program and ask for its version."""
    try:
        path = find_tool(name)
        if path is None:
            return Finding(
                group=GROUP,
                name=name,
                status=Status.ABSENT,
                detail=f"would enable {program.enables}",
                remedy=install_command(name),
            )
        done = run_tool([path, program.ask], cwd=Path(tempfile.gettempdir()), timeout_s=LONGEST_S)
    except ToolError as error:
        return Finding(
            group=GROUP,
            name=name,
            status=Status.BROKEN,
            detail=f"{error.what}; without it: no {program.enables}",
            remedy=error.next_command,
        )
    found = version_in(done.stdout + done.stderr)
    caution = next((said for start, said in program.cautions.items() if found.startswith(start)), "")
    other = "" if found == TESTED[name] else f"; tested with {TESTED[name]}"
    return Finding(
        group=GROUP,
        name=name,
        status=Status.NOTE if caution or other else Status.GOOD,
        found=found,
        detail=(caution or program.enables) + other,
    )


def version_in(text: str) -> str:
    """The first version number in what a program says.

    >>> version_in("GHDL 2.0.0 (Debian 2.0.0+dfsg-6.2+b2) [Dunoon edition]")
    '2.0.0'
    """
    match = re.search(r"\d+(?:\.\d+)+", text)
    return match.group() if match else "unknown version"
