"""Programs that run at the same time: ``together.py '["deploy", ...]' '["deploy", ...]'``, each in a fork."""

from __future__ import annotations

import json
import os
import sys

from tests.forks.server import run_to_its_code

if __name__ == "__main__":
    children = []
    for words in sys.argv[1:]:
        child = os.fork()
        if child == 0:
            os._exit(run_to_its_code(json.loads(words), os.getcwd()))
        children.append(child)
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
