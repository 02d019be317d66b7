"""One machine of a run on several: trains once for each line of overrides on the command line, in one process."""

from __future__ import annotations

import shlex
import sys

from lightning_neuro.train import main

if __name__ == "__main__":
    for overrides in sys.argv[1:]:
        sys.argv = ["train.py", *shlex.split(overrides)]
        main()
