"""NEST runs the artefact's own script; every spike of every layer must equal the golden model's."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import ToolError
from lightning_neuro.extras import absent
from lightning_neuro.tools import run_tool

MISMATCH = 1  # exit status of a script whose spikes differ


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NestRun:
    """What the script found.

    Args:
        layers: per layer what was compared, how much, and the first difference.
        classes: class of every sample.
        seconds: wall time.
    """

    layers: Mapping[str, Mapping[str, Any]]
    classes: NDArray[np.int64]
    seconds: float

    @property
    def mismatches(self) -> int:
        """Values that differ in all layers."""
        return sum(layer["mismatches"] for layer in self.layers.values())

    def first_difference(self) -> str:
        """Where the first layer that differs does so; empty when none does."""
        for name, layer in self.layers.items():
            if layer["first"] is not None:
                where = ", ".join(f"{key} {value}" for key, value in layer["first"].items())
                return f"{name}: {layer['mismatches']} of {layer['expected']} {layer['what']}, the first at {where}"
        return ""


def missing() -> str:
    """Reason and remedy when NEST cannot run here; empty when it can."""
    return absent("nest-simulator")


def run_on_nest(artefact: Path, work: Path, timeout_s: float) -> NestRun:
    """Run ``network.py --backend nest --check``.

    Args:
        artefact: folder with the script.
        work: folder for what the run leaves behind.
        timeout_s: most seconds.

    Raises:
        ToolError: the script crashed or took too long.
    """
    start = time.perf_counter()
    found = work / "found.json"
    script = artefact.resolve() / "network.py"
    command = [sys.executable, script, "--backend", "nest", "--check", "--json", found]
    done = run_tool(command, cwd=work, timeout_s=timeout_s, env={"OMP_NUM_THREADS": "1"}, check=False)
    if done.rc not in (0, MISMATCH) or not found.is_file():
        raise ToolError(
            f"network.py ended with exit status {done.rc}",
            where=str(script),
            why=(done.stderr or done.stdout).strip()[-600:] or "it said nothing",
            next_command=f"python {script} --backend nest --check",
        )
    result = json.loads(found.read_text())
    return NestRun(
        layers=result["layers"],
        classes=np.asarray(result["classes"], np.int64),
        seconds=time.perf_counter() - start,
    )
