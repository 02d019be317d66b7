"""One operation of a traced network, and how it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lightning_neuro.convert.expression import Expression
from lightning_neuro.convert.folded import Activation


class Refused(Exception):
    """An operation that no spiking network repeats; becomes a row of the table of all refusals."""

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.why, self.remedy = what, why, remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operation of the traced network.

    Args:
        label: name for the layer that it becomes.
        expressions: tensor arguments.
        numbers: other arguments in order, then named ones.
        named: other arguments by name.
        shape: of its result, without the batch.
        last: whether its result only leaves the network.
    """

    label: str
    expressions: tuple[Expression, ...]
    numbers: tuple[object, ...]
    named: dict[str, Any]
    shape: tuple[int, ...]
    last: bool

    @property
    def only(self) -> Expression:
        """The single tensor argument."""
        return self.expressions[0]


Result = Expression | Activation
"""A linear operation gives an expression, an activation starts a new layer."""
