"""Programs that run at the same time: ``together.py '["deploy", ...]' '["deploy", ...]'``, each in a fork."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial

from tests.forks.server import run_to_its_code


def at_once(tasks: Iterable[Callable[[], int]]) -> int:
    """Run every task in a fork of its own; returns the largest exit code."""
    children = []
    for task in tasks:
        child = os.fork()
        if child == 0:
            sys.exit(task())
        children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(at_once(partial(run_to_its_code, json.loads(words), os.getcwd()) for words in sys.argv[1:]))
