"""What a proof of an artefact comes out with, and how one that cannot run is told."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lightning_neuro.errors import ToolError
from lightning_neuro.report import Check, Outcome, Plot
from lightning_neuro.targets.base import Share


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proof:
    """Checks that belong together and what they found besides.

    Args:
        checks: outcomes.
        resources: numbers for the report.
        share: how often the artefact was right; None when it was not run for that.
        plots: pictures for the report.
    """

    checks: tuple[Check, ...]
    resources: Mapping[str, object] = field(default_factory=dict)
    share: Share | None = None
    plots: tuple[Plot, ...] = ()


def skipped(name: str, expected: str, reason: str) -> Proof:
    """A check that could not run."""
    return Proof(checks=(made(name, Outcome.SKIPPED, expected, None, reason, 0.0),))


def timed(name: str, expected: str, work: Callable[[Path], Proof]) -> Proof:
    """Run one proof in a temporary folder; a tool that fails or takes too long fails the check with its words."""
    start = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="lightning-neuro-") as folder:
            return work(Path(folder))
    except (ToolError, OSError) as error:
        words = f"{error.what}: {error.why.strip()[-600:]}" if isinstance(error, ToolError) else str(error)
        return Proof(checks=(made(name, Outcome.FAILED, expected, None, words, time.perf_counter() - start),))


def made(name: str, outcome: Outcome, expected: str, got: str | None, detail: str, seconds: float) -> Check:
    """A check."""
    return Check(name=name, outcome=outcome, expected=expected, got=got, detail=detail, seconds=seconds)
