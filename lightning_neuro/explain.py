"""Whatever goes wrong in a command becomes one message of the family in ``errors.py``; imports nothing heavy."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lightning_neuro.errors import ConfigError, NeuroError
from lightning_neuro.progress_lines import tell_refusal

INTERRUPTED = 130  # exit code of a program that Ctrl-C ended, as shells have it
BROKEN_PIPE = 141  # likewise where the reader of its output has gone, as in `... | head`


@contextmanager
def explain_errors() -> Iterator[None]:
    """Print a user's mistake as one message and exit with its code; let everything else, our own mistakes, through."""
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra then raises instead of printing half a traceback
    try:
        yield
    except KeyboardInterrupt:
        _leave("interrupted; nothing half-written was left behind", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is flushed at exit has nowhere to go
        sys.exit(BROKEN_PIPE)
    except Exception as error:
        mistake = as_mistake(error)
        if mistake is None:
            raise
        tell_refusal(mistake)
        _leave(f"{type(mistake).__name__}: {mistake}", mistake.exit_code)


def as_mistake(error: Exception) -> NeuroError | None:
    """The message for a user's mistake; None for a mistake of ours.

    Args:
        error: from anywhere; libraries' classes are known by name, so that none has to be imported.
    """
    if isinstance(error, NeuroError):
        return error
    for kind in type(error).__mro__:  # Hydra's come before the system's: a missing configuration is both
        say = _LIBRARIES.get(f"{kind.__module__}.{kind.__qualname__}")
        if say is not None:
            return say(error)
    return _of_the_system(error) if isinstance(error, OSError) else None


def _of_the_system(error: OSError) -> NeuroError:
    reason = error.strerror or str(error)
    return ConfigError(
        f"{reason}: '{error.filename}'" if error.filename else reason,
        where=str(error.filename or "a file or folder of this command"),
        why="the operating system refused it",
        next_command="mend the path or its permissions, or choose another folder (out=, hydra.run.dir=)",
    )


def _of_hydra(error: Exception) -> NeuroError:
    override = getattr(error, "override", None)
    what = short(f"'{override}': {error}" if override else str(error))
    return ConfigError(
        what,
        where="command line",
        why="overrides have to name keys and options that exist, as key=value",
        next_command="lightning-neuro train --help   (every key and value: --cfg job)",
    )


def _of_lightning(error: Exception) -> NeuroError:
    return ConfigError(
        str(error).split("\n")[0],
        where="trainer",
        why="Lightning refused its arguments",
        next_command="lightning-neuro train --cfg job   (shows every key and value)",
    )


_LIBRARIES: dict[str, Callable[[Exception], NeuroError]] = {
    "hydra.errors.HydraException": _of_hydra,
    "omegaconf.errors.OmegaConfBaseException": _of_hydra,
    "lightning_fabric.utilities.exceptions.MisconfigurationException": _of_lightning,
}


def short(text: str) -> str:
    """Return Hydra's message without its advice about search paths and object types."""
    cut = text.split("\nConfig search path")[0]
    noise = ("full_key:", "object_type=", "reference_type=")
    lines = [line for line in cut.splitlines() if line.strip() and not line.strip().startswith(noise)]
    options = [line.strip() for line in lines if line.startswith("\t")]  # one a line, of a group
    said = "\n".join(line for line in lines if not line.startswith("\t")) or "this configuration cannot be read"
    return f"{said} {', '.join(options)}" if options else said


def _leave(message: str, code: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)
