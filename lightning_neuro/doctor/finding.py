"""What one look at the machine found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """How it stands; only ``BROKEN`` keeps commands from working."""

    GOOD = "ok"
    NOTE = "note"
    ABSENT = "absent"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A line of the table.

    Args:
        group: heading it stands under.
        name: what was looked at.
        status: how it stands.
        found: version or value; empty when there is none.
        detail: what it enables, or what is wrong; may be empty.
        remedy: the command that helps; empty where nothing has to be done.
    """

    group: str
    name: str
    status: Status
    found: str = ""
    detail: str = ""
    remedy: str = ""
