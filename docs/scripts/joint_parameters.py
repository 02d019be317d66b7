"""Griffe extension: parameters that a docstring explains together (``pre, post: names``) appear one by one."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ARGS = re.compile(r"^Args:\n((?:[ ]+.*\n?|\n(?=[ ]))*)", re.MULTILINE)
_ENTRY = re.compile(r"^    (\w+(?:,\s+\w+)*): ((?:.*)(?:\n {8,}.*)*)", re.MULTILINE)


def one_by_one(docstring: str) -> str:
    """Repeat the words for each parameter.

    >>> print(one_by_one("Text.\\n\\nArgs:\\n    a, b: two numbers."))
    Text.
    <BLANKLINE>
    Args:
        a: two numbers.
        b: two numbers.
    """
    return _ARGS.sub(lambda args: f"Args:\n{_ENTRY.sub(_split, args[1])}", docstring)


def _split(entry: re.Match[str]) -> str:
    return "\n".join(f"    {name}: {entry[2]}" for name in re.split(r",\s+", entry[1]))


class JointParameters(griffe.Extension):
    """Applies ``one_by_one`` to every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for every module, class, function and attribute."""
        if obj.docstring is not None and "Args:" in obj.docstring.value:
            obj.docstring.value = one_by_one(obj.docstring.value)
