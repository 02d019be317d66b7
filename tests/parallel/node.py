"""Machines of a run on several: ``node.py LOG LOG ... -- OVERRIDES OVERRIDES ...``.

Each machine is a fork of this process, so that torch is imported once; it trains once for each string of
overrides, in one process, and writes what it says to its log.
"""

from __future__ import annotations

import os
import shlex
import sys

import lightning_neuro.training  # noqa: F401  # before the forks
from lightning_neuro.train import main


def machine(number: int, log: str, runs: list[str]) -> None:
    """Train on one machine."""
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    os.environ["NODE_RANK"] = str(number)
    for overrides in runs:
        sys.argv = ["train.py", *shlex.split(overrides)]
        main()


if __name__ == "__main__":
    at = sys.argv.index("--")
    logs, all_runs = sys.argv[1:at], sys.argv[at + 1 :]
    children = []
    for rank, path in enumerate(logs):
        child = os.fork()
        if child == 0:
            machine(rank, path, all_runs)
            sys.exit(0)
        children.append(child)
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
