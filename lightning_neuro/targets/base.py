"""What a target is: constraints, a writer, and a proof against the golden model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.checkpoint import NetworkRecord
from lightning_neuro.errors import Violation
from lightning_neuro.graph.first_spike_steps import Discretisation
from lightning_neuro.graph.golden import Arithmetic, Recording
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.graph.widths import QuantizeSpec
from lightning_neuro.report import Capacity, Check, Command, Observed, Plot

Progress = Callable[[str, int, int], None]
"""Called with what is going on, steps done and steps in all."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TestVectors:
    """Input spikes and what the golden model makes of them.

    Args:
        spikes: [samples, steps, n_in]: 0/1, or integers of the input's format.
        expected: golden recording with every raster and membrane.
        labels: [samples] class numbers, -1 where unknown.
    """

    __test__ = False  # not a pytest class

    spikes: NDArray[Any]
    expected: Recording
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """What is written and proved.

    Args:
        graph: quantised network.
        real_graph: the same network before its weights were rounded.
        vectors: inputs of the proof and their golden recording.
        record: the file it came from: NIR graph, metadata, all recorded test and calibration samples; None for a
            graph that was built by hand.
        source_sha256: hex digest of the file it came from.
    """

    graph: HardwareGraph
    real_graph: HardwareGraph
    vectors: TestVectors
    record: NetworkRecord | None
    source_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How often the artefact was right.

    Args:
        right: share of the samples, 0..1.
        samples: how many labelled samples were run.
    """

    right: float
    samples: int


def share_right(classes: NDArray[np.int64] | None, labels: NDArray[np.int64]) -> Share | None:
    """Compare classes with labels; None when the artefact did not run or no label is known (-1)."""
    known = labels >= 0
    if classes is None or not known.any():
        return None
    return Share(right=float((classes == labels)[known].mean()), samples=int(known.sum()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verification:
    """What a target's tools found.

    Args:
        checks: outcome of every check, in order.
        resources: target specific numbers for the report (plain values).
        assumptions: sentences for the report.
        seconds: wall time by activity.
        accuracy: how often the artefact itself was right; None when it did not run or no label is known.
        plots: the target's own pictures for the page.
        observed: what the artefact itself did in some samples, one entry for each that ran it.
        words: smallest and largest membrane that the hardware's word holds, by population, in the unit of the golden
            recording; left out where it is not a word.
        capacity: cost against what the device has.
        reproduce: commands that repeat the proofs, typed in the folder of the artefact.
    """

    checks: tuple[Check, ...]
    resources: Mapping[str, object]
    assumptions: tuple[str, ...]
    seconds: Mapping[str, float]
    accuracy: Share | None
    plots: tuple[Plot, ...] = ()
    observed: tuple[Observed, ...] = ()
    words: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    capacity: Capacity | None = None
    reproduce: tuple[Command, ...] = ()


class Target(Protocol):
    """One kind of hardware."""

    name: str
    default_spec: QuantizeSpec
    """Widths where neither the file nor the user names any."""
    discretisation: Discretisation | None
    """How it takes networks in continuous time: in which steps, or None as they are (arithmetic ``event``)."""

    def arithmetic_for(self, graph: HardwareGraph) -> Arithmetic:
        """Arithmetic of the golden model that the artefact is compared with."""
        ...

    def own_rounding(
        self, graph: HardwareGraph, integers: HardwareGraph | None
    ) -> tuple[HardwareGraph, tuple[str, ...]] | None:
        """The network with the weights that this hardware holds, and sentences about them.

        None where they are the integers that every target takes.

        Args:
            graph: network in real numbers.
            integers: the same with widths that the user named; None when none were.
        """
        ...

    def default_samples(self, graph: HardwareGraph) -> int:
        """Inputs run through the artefact where the user names no number."""
        ...

    def check(self, graph: HardwareGraph) -> tuple[Violation, ...]:
        """Every constraint the graph breaks."""
        ...

    def write(self, job: Job, folder: Path) -> None:
        """Write the artefact, test vectors included, into an empty folder."""
        ...

    def verify(self, job: Job, folder: Path, progress: Progress) -> Verification:
        """Run the artefact's own files and compare with the test vectors."""
        ...
