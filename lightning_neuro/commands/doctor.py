"""``lightning-neuro doctor [--json]``: what of this machine works."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lightning_neuro.errors import ConfigError

USAGE = """\
Look at this machine:  lightning-neuro doctor [--json]

  Python and its packages against the versions that were tested, torch and what is built on it (imported once in a
  process of its own), GPU, optional packages and programs, with what each missing one would enable and the command
  that installs it, and whether results can be written.

  --json          the same for programs

Exit code: 0 everything needed works, 1 something is broken, 2 the arguments were refused.
"""


def doctor_main(arguments: Sequence[str]) -> None:
    """Entry point of ``lightning-neuro doctor``."""
    if any(word in ("-h", "--help") for word in arguments):
        print(USAGE)
        return
    unknown = [word for word in arguments if word != "--json"]
    if unknown:
        raise ConfigError(
            f"doctor does not know {unknown[0]!r}",
            where="command line",
            why="it takes no argument but --json",
            next_command="lightning-neuro doctor",
        )
    from lightning_neuro.doctor.examine import examine, healthy
    from lightning_neuro.doctor.show import remedies, table, to_json, verdict

    if "--json" in arguments:
        findings = examine()
        print(to_json(findings))
    else:
        from rich.console import Console

        console = Console(highlight=False)
        with console.status("looking at this machine"):
            findings = examine()
        console.print(table(findings))
        print("", *remedies(findings), "", verdict(findings), sep="\n")
    sys.exit(0 if healthy(findings) else 1)
