"""The first argument of a command: the file it works on."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from lightning_neuro.errors import ConfigError


def help_or_nothing(arguments: Sequence[str], usage: str) -> None:
    """Print the usage and leave when it is asked for (exit code 0) or when there are no arguments at all (2)."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage)
        sys.exit(0 if arguments else 2)


def file_and_overrides(
    arguments: Sequence[str], command: str, example: str, keys: Collection[str]
) -> tuple[Path, list[str]]:
    """Split what was typed.

    Args:
        arguments: at least one.
        command: name for the message.
        example: a call that works.
        keys: of overrides, which are no files even where they end in .nir (``out=a.nir``).

    Raises:
        ConfigError: the first argument is no ``.ckpt`` or ``.nir`` file.
    """
    path, *overrides = arguments
    if not path.endswith((".ckpt", ".nir")) or path.split("=")[0] in keys:
        raise ConfigError(
            f"the first argument {path!r} is not a .ckpt or .nir file",
            where="command line",
            why=f"{command} takes the file first, overrides after it",
            next_command=example,
        )
    return Path(path), overrides
