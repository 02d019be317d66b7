"""Callbacks that hold or end a training between its epochs, when a test wants it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytorch_lightning as pl


class Gate(pl.Callback):
    """After its first epoch the training writes its process number into ``folder`` and waits for ``folder/open``."""

    def __init__(self, folder: str, seed: int) -> None:
        self.folder, self.seed = Path(folder), seed

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch == 0:
            return
        (self.folder / f"seed{self.seed}").write_text(str(os.getpid()))
        while not (self.folder / "open").exists():
            time.sleep(0.05)


class Killed(BaseException):
    """Nobody handles it, as nobody handles the end of a process."""


class Break(pl.Callback):
    """Ends the process after the first epoch of the run whose folder's name ``path`` contains, once."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        folder = Path(trainer.checkpoint_callback.dirpath)
        if trainer.current_epoch > 0 and self.path.exists() and self.path.read_text() == folder.name:
            self.path.unlink()
            raise Killed


class PowerCut(pl.Callback):
    """Kills all processes of a run after its first epoch, while ``path`` exists, which it removes."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch > 0 and trainer.is_global_zero and self.path.exists():
            self.path.unlink()
            os.killpg(os.getpgrp(), signal.SIGKILL)
