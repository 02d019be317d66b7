"""Runs programs one after the other, each in a fork of a process that has imported everything slow already.

A process of its own for every program would import torch and Lightning for many seconds. This one reads a JSON line
with the fields of ``tests.forks.client.Request``, runs the program in a fork, and answers ``{"code": ...}``.
Pictures are written and stay empty: other tests look at them.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

SCRIPTS = ("deploy", "lightning-neuro")
LONGEST_S = 300
SLOW = (
    "torch",
    "pytorch_lightning",
    "matplotlib.pyplot",
    "sklearn.datasets",
    "snntorch",
    "norse.torch",
    "nirtorch",
    "lightning_neuro.training",
    "lightning_neuro.cli",
    "lightning_neuro.export",
    "lightning_neuro.search.run",
    "lightning_neuro.deploy",
    "lightning_neuro.callbacks.quantize",
    "lightning_neuro.callbacks.convert",
    "lightning_neuro.models.spike_time",
    "lightning_neuro.models.rate",
    "lightning_neuro.report.html",
    "lightning_neuro.targets.fpga",
    "lightning_neuro.targets.spinnaker",
    "lightning_neuro.targets.brainscales",
)


def run(words: list[str]) -> None:
    """Run a program in this process, as the shell would."""
    script = Path(sys.executable).with_name(words[0])
    if words[0] in SCRIPTS:
        sys.argv = [str(script), *words[1:]]
        runpy.run_path(str(script), run_name="__main__")
    elif words[:2] == ["python", "-m"]:
        sys.argv = words[2:]
        runpy.run_module(words[2], run_name="__main__", alter_sys=True)
    elif words[0] == "python":
        sys.argv = words[1:]
        sys.path.insert(0, str(Path(words[1]).resolve().parent))
        runpy.run_path(words[1], run_name="__main__")
    else:
        raise SystemExit(f"the test does not know the program {words[0]}")


def in_a_fork(request: dict[str, Any]) -> int:
    """Exit code of a program that ran in a fork of this process."""
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        signal.alarm(LONGEST_S)
        for stream, path in ((1, request["output"]), (2, request["errors"])):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        os.environ.update(request["environment"])
        os._exit(run_to_its_code(request["words"], request["folder"]))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(ProcessLookupError):  # workers that the program left behind, each with its own copy of torch
        os.killpg(child, signal.SIGKILL)
    return code


def run_to_its_code(words: list[str], folder: str) -> int:
    """Run a program in a folder, in this process; returns the code it would exit with."""
    try:
        os.chdir(folder)
        run(words)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def prepare() -> None:
    """What every program would do again: its imports, Hydra's search for plugins, the begin of numba's dispatcher."""
    for module in SLOW:
        importlib.import_module(module)
    config = importlib.import_module("lightning_neuro.config")
    config.compose_overrides("train", ["model=lif"], next_command="")
    importlib.import_module("lightning_neuro.data.augment").shifted(
        np.zeros((1, 4)), np.zeros(1, np.uint64), 0, side=2, limit=1.0, seed=0
    )
    gc.collect()
    gc.freeze()  # no fork looks at what is there already


def main() -> None:
    """Serve until the input ends."""
    prepare()
    figure = importlib.import_module("matplotlib.figure").Figure
    figure.draw = lambda self, renderer: None  # most of the time of a small run would go into pictures
    for line in sys.stdin:
        print(json.dumps({"code": in_a_fork(json.loads(line))}), flush=True)


if __name__ == "__main__":
    main()
