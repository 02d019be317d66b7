"""A strict stand-in for the BrainScaleS-2 software, put on the path of the artefact's scripts: there is no chip in it.

It enforces the rules of the interfaces that the scripts use and refuses everything else, then lets the emulator of
virtual chips answer. It proves that a script says what it should, not how a chip behaves.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
"""Goes in front of PYTHONPATH."""
SEVERAL = FOLDER / "several.py"
"""Runs a script several times in one process."""
