"""Runs in processes of their own, as a user starts them; what they leave in their folders."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_neuro.train import main

ROOT = Path(__file__).parents[2]
LONGEST_S = 300
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}


def here(*overrides: str) -> None:
    """Train in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train.py", *overrides])
        main()


def start(words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start Python with ``words`` in a group of processes of its own, its output in ``log``."""
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, *words],
            stdout=stream,
            stderr=stream,
            env=ENVIRONMENT,
            start_new_session=True,
        )


def finish(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait for a process that must succeed; returns what it said."""
    try:
        code = process.wait(LONGEST_S)
    except subprocess.TimeoutExpired:
        kill(process)
        raise
    assert code == 0, log.read_text()
    return log.read_text()


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it started, as a machine that loses its power would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(happened: Callable[[], object], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for something that a process brings about before it ends."""
    for _ in range(LONGEST_S * 100):
        if happened():
            return
        assert process.poll() is None, log.read_text()
        time.sleep(0.01)
    kill(process)
    raise AssertionError(log.read_text())


def free_port() -> int:
    """A port that nobody listens to."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def state(folder: Path) -> dict[str, Any]:
    """The state after the last epoch of a run."""
    return torch.load(folder / "last.ckpt", weights_only=True)


def losses(folder: Path) -> list[list[float]]:
    """Loss of every epoch, [epoch][train, validation]."""
    epochs = state(folder)["callbacks"]["History"]["epochs"]
    return [[epoch[f"{split}/loss"] for split in ("train", "val")] for epoch in epochs]
