"""The one family of errors that a user can cause: what, where, why, and the command that helps."""

from __future__ import annotations

from dataclasses import dataclass


class NeuroError(Exception):
    """A mistake the user can mend; printed without a traceback, exit code 2.

    Args:
        what: the rule that was broken, with the offending value.
        where: file, layer, key or tool it concerns.
        why: the reason the rule exists or how the situation arises.
        next_command: what to type (or change) next.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str, why: str, next_command: str) -> None:
        self.what, self.where, self.why, self.next_command = what, where, why, next_command
        super().__init__(what)

    def __str__(self) -> str:
        return f"{self.what}\n  where: {self.where}\n  why:   {self.why}\n  next:  {self.next_command}"

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def first_line(error: BaseException) -> str:
    """Kind and first line of an exception's text, for the "why" of a message."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:120]}" if lines else type(error).__name__


def _rebuild(kind: type[NeuroError], args: tuple[object, ...], state: dict[str, object]) -> NeuroError:
    """Keep keyword-only errors picklable, as data-loader workers and test runners need."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class CheckpointError(NeuroError):
    """A checkpoint is damaged, foreign, or lacks what deployment needs."""


class ConfigError(NeuroError):
    """A configuration value is missing, unknown or contradictory."""


class DataError(NeuroError):
    """A data set is absent or does not have the form it should have."""


class GraphError(NeuroError):
    """A network cannot be expressed as a hardware graph."""


class NirError(NeuroError):
    """A NIR file or a torch module cannot be turned into the other without changing the network."""


class ToolError(NeuroError):
    """An external program is missing or failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One constraint of a target that a graph does not keep.

    Args:
        where: population or projection.
        what: the quantity, for example "fan-in".
        needed: what the network needs.
        available: what the target offers.
        remedy: the override to type.
    """

    where: str
    what: str
    needed: str
    available: str
    remedy: str


class ConstraintError(NeuroError):
    """A target refuses a graph; carries every violation, not the first."""

    def __init__(self, target: str, violations: tuple[Violation, ...]) -> None:
        self.target, self.violations = target, violations
        count = "one constraint" if len(violations) == 1 else f"{len(violations)} constraints"
        super().__init__(
            f"target {target} cannot take this network: {count} violated\n{_table(violations)}",
            where=", ".join(dict.fromkeys(v.where for v in violations)),
            why="the hardware has fixed limits; a network that breaks them would be changed silently",
            next_command=violations[0].remedy,
        )


def _table(violations: tuple[Violation, ...]) -> str:
    """The violations in aligned columns, readable without colour and in a log file."""
    rows = [("where", "what", "needed", "available", "remedy")]
    rows += [(v.where, v.what, v.needed, v.available, v.remedy) for v in violations]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [[*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[4]] for row in rows]
    return "\n".join("  " + "  ".join(cells) for cells in lines)
