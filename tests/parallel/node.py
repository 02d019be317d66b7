"""Machines of a run on several: ``node.py LOG LOG ... -- OVERRIDES OVERRIDES ...``.

Each machine is a fork of this process, so that torch is imported once; it trains once for each string of
overrides, in one process, and writes what it says to its log.
"""

from __future__ import annotations

import os
import shlex
import sys
from functools import partial

import lightning_neuro.training  # noqa: F401  # before the forks
from lightning_neuro.train import main
from tests.forks.together import at_once


def machine(number: int, log: str, runs: list[str]) -> int:
    """Train on one machine; returns its exit code."""
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    os.environ["NODE_RANK"] = str(number)
    for overrides in runs:
        sys.argv = ["train.py", *shlex.split(overrides)]
        main()
    return 0


if __name__ == "__main__":
    at = sys.argv.index("--")
    logs, all_runs = sys.argv[1:at], sys.argv[at + 1 :]
    sys.exit(at_once(partial(machine, number, log, all_runs) for number, log in enumerate(logs)))
