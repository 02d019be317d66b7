"""The proofs of an FPGA artefact in order: GHDL bit by bit, the Verilog translation, the area on a 7-series device."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lightning_neuro.targets.fpga.prove_verilog import (
    AREA,
    AREA_EXPECTED,
    EQUIVALENCE,
    prove_area,
    prove_equivalence,
)
from lightning_neuro.targets.fpga.prove_vhdl import BIT_EXACT, prove_bit_exact
from lightning_neuro.targets.fpga.subject import Subject
from lightning_neuro.targets.proofs import Proof, skipped


def proofs(synthesis: bool) -> Sequence[tuple[str, str, Callable[[Subject], Proof]]]:
    """Name, words for the progress bar and function of each proof.

    Args:
        synthesis: count cells with Yosys.
    """
    return (
        (BIT_EXACT, "GHDL: simulating the artefact", prove_bit_exact),
        (EQUIVALENCE, "Icarus Verilog: simulating the translation", prove_equivalence),
        (AREA, "Yosys: counting cells", prove_area if synthesis else _area_not_wanted),
    )


def _area_not_wanted(subject: Subject) -> Proof:
    return skipped(AREA, AREA_EXPECTED, "target.synthesis=false (set target.synthesis=true to run Yosys)")
