"""What somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question to append to a message; empty where nothing is similar.

    >>> did_you_mean("depoly", ("train", "deploy"))
    '; did you mean deploy?'
    """
    found = get_close_matches(word, list(known), n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(found)}?" if found else ""
