"""Progress for programs: lines of JSON in a file that the variable ``LIGHTNING_NEURO_PROGRESS`` names; people see bars.

A line is ``{"what": "epoch", "done": 3, "total": 50}``, or ``{"refused": {"reason": ..., "remedy": ...}}`` when the
input was refused. Nothing is written where the variable is not set.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lightning_neuro.errors import ConstraintError, NeuroError

VARIABLE = "LIGHTNING_NEURO_PROGRESS"
EPOCH = "epoch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a program is at.

    Args:
        what: the activity, in words; ``EPOCH`` in training.
        done, total: steps of it.
    """

    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a program took nothing.

    Args:
        reason: one sentence.
        remedy: what to type or change next.
    """

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a file of progress says so far.

    Args:
        step: the newest; None before the first.
        refusal: None where nothing was refused.
    """

    step: Step | None
    refusal: Refusal | None


NOTHING = Told(step=None, refusal=None)


def tell_progress(what: str, done: int, total: int) -> None:
    """Append a step.

    Args:
        what, done, total: see ``Step``.
    """
    _append({"what": what, "done": done, "total": total})


def tell_refusal(error: NeuroError) -> None:
    """Append a refusal."""
    _append({"refused": {"reason": reason_of(error), "remedy": error.next_command}})


def reason_of(error: NeuroError) -> str:
    """What is wrong in one sentence; of a target's constraints each with what is needed and what there is.

    >>> reason_of(NeuroError("no such file", where="a.ckpt", why="it was moved", next_command="ls"))
    'no such file: it was moved'
    """
    if not isinstance(error, ConstraintError):
        return f"{error.what}: {error.why}"
    found = (f"{v.where}: {v.what}; needed: {v.needed}; available: {v.available}" for v in error.violations)
    return f"target {error.target} cannot take this network: " + ". ".join(found)


def _append(line: dict[str, object]) -> None:
    path = os.environ.get(VARIABLE)
    if not path:
        return
    with suppress(OSError), open(path, "a", encoding="utf-8") as file:  # whoever watches is no reason to stop
        file.write(json.dumps(line) + "\n")


def read_told(path: Path) -> Told:
    """Read a file of progress; a line that is still being written is left for the next time.

    Args:
        path: of the file; it need not exist yet.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return NOTHING
    lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    steps = [Step(**line) for line in lines if "what" in line]
    refused = [line["refused"] for line in lines if "refused" in line]
    return Told(
        step=steps[-1] if steps else None,
        refusal=Refusal(**refused[-1]) if refused else None,
    )
