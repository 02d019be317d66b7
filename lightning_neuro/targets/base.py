"""What a target is: constraints, a writer, and a proof against the golden model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import Violation
from lightning_neuro.graph.golden import Arithmetic, Recording
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.report import Check

Progress = Callable[[str, int, int], None]
"""Called with what is going on, steps done and steps in all."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TestVectors:
    """Input spikes and what the golden model makes of them.

    Args:
        spikes: [samples, steps, n_in], 0/1.
        expected: golden recording with every raster and membrane.
        labels: [samples] class numbers, -1 where unknown.
    """

    __test__ = False  # not a pytest class

    spikes: NDArray[np.uint8]
    expected: Recording
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verification:
    """What a target's tools found.

    Args:
        checks: outcome of every check, in order.
        resources: target specific numbers for the report (plain values).
        assumptions: sentences for the report.
        seconds: wall time by activity.
        classes: class of every test vector as the artefact computed it; None when it did not run.
    """

    checks: tuple[Check, ...]
    resources: Mapping[str, object]
    assumptions: tuple[str, ...]
    seconds: Mapping[str, float]
    classes: NDArray[np.int64] | None


class Target(Protocol):
    """One kind of hardware."""

    name: str
    arithmetic: Arithmetic
    """Arithmetic of the golden model that the artefact is compared with."""

    def check(self, graph: HardwareGraph) -> tuple[Violation, ...]:
        """Every constraint the graph breaks."""
        ...

    def write(self, graph: HardwareGraph, folder: Path, vectors: TestVectors) -> None:
        """Write the artefact, test vectors included, into an empty folder."""
        ...

    def verify(self, graph: HardwareGraph, folder: Path, vectors: TestVectors, progress: Progress) -> Verification:
        """Run the artefact's own files and compare with the test vectors."""
        ...
