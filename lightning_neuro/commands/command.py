"""A command of ``lightning-neuro``: what it is for, where its code is, and which words may follow it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

Entry = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command, known before its code is loaded, so that help and completion answer at once.

    Args:
        summary: one line of the usage.
        entry: ``module:function``; the function takes the arguments behind the command's name.
        config: ``conf/<config>.yaml`` that ``key=value`` arguments change; None where it takes none.
        files: endings of the file that comes first; empty where none does.
        words: options and words that it takes literally.

    >>> Command(summary="", entry="lightning_neuro.commands.train:train_main").load().__name__
    'train_main'
    """

    summary: str
    entry: str
    config: str | None = None
    files: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def load(self) -> Entry:
        """Import the code."""
        module, name = self.entry.split(":")
        return getattr(import_module(module), name)
