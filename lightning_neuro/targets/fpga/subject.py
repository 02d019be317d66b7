"""What is proved of an FPGA artefact, and within which limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.fpga.plan import LayerPlan
from lightning_neuro.tools import find_tool, install_command


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


def missing_tools(*names: str) -> str:
    """Reason and remedy when programs are not installed; empty when all are there."""
    absent = [name for name in names if find_tool(name) is None]
    return "; ".join(f"{name} is not installed ({install_command(name)})" for name in absent)
