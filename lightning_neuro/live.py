"""Shows a run while it trains: ``curves.png`` for people, epochs for programs that wait for it."""

from __future__ import annotations

import time
from pathlib import Path

import pytorch_lightning as pl

from lightning_neuro import run_folder
from lightning_neuro.history import History
from lightning_neuro.progress_lines import EPOCH, tell_progress

SHARE = 0.02  # of the time of training that drawing may take
FIRST = 10.0  # seconds until the first picture: short runs need none


class LiveCurves(pl.Callback):
    """Draws the history again and again, as often as its share of the time allows.

    Args:
        history: what to draw; place it before this callback.
        folder: of the run.
    """

    def __init__(self, history: History, folder: Path) -> None:
        self.history, self.folder = history, folder
        self._next = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        self._next = time.perf_counter() + FIRST

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw, if it is time."""
        start = time.perf_counter()
        if not trainer.is_global_zero or start < self._next:
            return
        run_folder.write_curves(self.history, self.folder)
        end = time.perf_counter()
        self._next = end + (end - start) / SHARE


class TellEpochs(pl.Callback):
    """Tells programs how many epochs are done (``progress_lines``)."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell that it has begun."""
        self._tell(trainer, trainer.current_epoch)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell of one more."""
        self._tell(trainer, trainer.current_epoch + 1)

    def _tell(self, trainer: pl.Trainer, done: int) -> None:
        if trainer.is_global_zero and trainer.max_epochs is not None:
            tell_progress(EPOCH, done, trainer.max_epochs)
