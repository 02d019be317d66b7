"""What must hold of values that were typed, checked before they fail deep inside a library."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lightning_neuro.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a value has to be.

    Args:
        holds: whether it is.
        needed: the same in words, behind "must be".
        example: a value that is.
        optional: null is fine too.
    """

    holds: Callable[[Any], bool]
    needed: str
    example: str
    optional: bool = False


def check(values: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    """Refuse the first value that breaks its rule.

    Args:
        values: by dotted key; those that are absent break no rule.
        rules: by dotted key.

    Raises:
        ConfigError: with the key and a value that works.

    >>> check({"verify.samples": 3}, {"verify.samples": whole(1, "20")})
    """
    for key, rule in rules.items():
        if key not in values:
            continue
        value = values[key]
        if not (value is None and rule.optional) and not rule.holds(value):
            raise ConfigError(
                f"{key}={value!r} must be {rule.needed}" + (", or null" if rule.optional else ""),
                where=key,
                why=f"it is {_kind(value)}",
                next_command=f"{key}={rule.example}",
            )


def _kind(value: object) -> str:
    names = {type(None): "null", str: "text", bool: "true or false", int: "an integer", float: "a number"}
    return names.get(type(value), f"a {type(value).__name__}")


def is_whole(value: object) -> bool:
    """Whether it is an integer, and no truth value."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether it is a finite number, and no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def whole(least: int, example: str, *, optional: bool = False) -> Rule:
    """An integer that is not too small."""
    return Rule(
        holds=lambda v: is_whole(v) and v >= least,
        needed=f"an integer of at least {least}",
        example=example,
        optional=optional,
    )


def positive(unit: str, example: str, *, optional: bool = False) -> Rule:
    """A number above 0; ``unit`` is "seconds" or "a number"."""
    return Rule(holds=lambda v: is_number(v) and v > 0, needed=f"{unit} > 0", example=example, optional=optional)


def truth(example: str) -> Rule:
    """True or false."""
    return Rule(holds=lambda v: isinstance(v, bool), needed="true or false", example=example)


def text(what: str, example: str, *, optional: bool = False) -> Rule:
    """Text, such as the name of a file."""
    return Rule(holds=lambda v: isinstance(v, str), needed=what, example=example, optional=optional)
