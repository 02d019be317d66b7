"""What a proof of an artefact comes out with, and how one that cannot run is told."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from lightning_neuro.errors import ToolError
from lightning_neuro.report import Check, Difference, Observed, Outcome, Plot
from lightning_neuro.targets.base import Progress, Share

Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proof:
    """Checks that belong together and what they found besides.

    Args:
        checks: outcomes.
        resources: numbers for the report.
        share: how often the artefact was right; None when it was not run for that.
        plots: pictures for the report.
        observed: what the artefact itself did in some samples, one entry for each that ran it.
    """

    checks: tuple[Check, ...]
    resources: Mapping[str, object] = field(default_factory=dict)
    share: Share | None = None
    plots: tuple[Plot, ...] = ()
    observed: tuple[Observed, ...] = ()


def run_proofs(
    proofs: Sequence[tuple[str, str, Callable[[Subject], Proof]]], subject: Subject, title: str, progress: Progress
) -> tuple[list[Proof], dict[str, float]]:
    """Run proofs one after the other, telling which is at work.

    Args:
        proofs: name, words for the progress bar, and function of each.
        subject: what all of them are about.
        title: words when all are done.
        progress: called with what is going on, proofs done and proofs in all.

    Returns:
        What they came out with, and wall time by name.
    """
    found: list[Proof] = []
    seconds: dict[str, float] = {}
    for done, (name, words, prove) in enumerate(proofs):
        progress(words, done, len(proofs))
        start = time.perf_counter()
        found.append(prove(subject))
        seconds[name] = time.perf_counter() - start
    progress(title, len(proofs), len(proofs))
    return found, seconds


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
        seconds = time.perf_counter() - start
        return Proof(checks=(made(name, Outcome.FAILED, expected, None, reason_of(error), seconds),))


def counted(name: str, compared: int, differing: int) -> dict[str, object]:
    """How many values a check compared and how many differ, for the report's resources under the check's name.

    >>> counted("ghdl_bit_exact", 97619, 0)
    {'ghdl_bit_exact': {'compared': 97619, 'differing': 0}}
    """
    return {name: {"compared": compared, "differing": differing}}


def reason_of(error: ToolError | OSError) -> str:
    """What stopped a proof, with what to try next."""
    if isinstance(error, ToolError):
        return f"{error.what}: {error.why.strip()[-600:]} (try: {error.next_command})"
    return f"the temporary folder {tempfile.gettempdir()} cannot be used: {error} (try: TMPDIR=/path/with/space)"


def made(
    name: str,
    outcome: Outcome,
    expected: str,
    got: str | None,
    detail: str,
    seconds: float,
    difference: Difference | None = None,
) -> Check:
    """A check."""
    return Check(
        name=name,
        outcome=outcome,
        expected=expected,
        got=got,
        detail=detail,
        seconds=seconds,
        difference=difference,
    )
