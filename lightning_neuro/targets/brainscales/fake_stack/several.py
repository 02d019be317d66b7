"""Runs a script once for each list of options, in one process, so that torch is imported once:

    python several.py SCRIPT '["--dt", "0.05"]' '["--mock"]'
"""

from __future__ import annotations

import json
import runpy
import sys


def main(script: str, calls: list[str]) -> None:
    """Run them in order; the first that ends with an error ends all."""
    for call in calls:
        sys.argv = [script, *json.loads(call)]
        runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
