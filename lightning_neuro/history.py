"""Remembers what was logged in each epoch, across resumes, whatever logger is used."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor

Epoch = dict[str, float]


class History(pl.Callback):
    """Keeps one dictionary of numbers per epoch (``epochs``) and one for the test (``test``)."""

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []
        self.test: Epoch = {}
        self._start = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Give a CSV file, which begins anew at every start, the epochs of a resumed run."""
        steps = trainer.global_step // max(1, len(self.epochs))  # of an epoch
        for logger in trainer.loggers:
            if isinstance(logger, CSVLogger):
                for number, epoch in enumerate(self.epochs, start=1):
                    numbers: dict[str, Tensor | float] = {k: v for k, v in epoch.items() if k != "seconds"}
                    logger.log_metrics(numbers, step=number * steps - 1)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock of the epoch."""
        self._start = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Record training and validation metrics of the epoch, and the seconds it took, validation included."""
        numbers = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.epochs = [
            *self.epochs[: trainer.current_epoch],
            numbers | {"epoch": float(trainer.current_epoch), "seconds": time.perf_counter() - self._start},
        ]

    def record_test(self, trainer: pl.Trainer) -> None:
        """Record the metrics of the test that has just ended."""
        self.test = {name: float(value) for name, value in trainer.callback_metrics.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return the epochs so far, for the checkpoint."""
        return {"epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue the epochs of a checkpoint."""
        if len(state_dict["epochs"]) > len(self.epochs):  # testing the best checkpoint restores an earlier state
            self.epochs = list(state_dict["epochs"])
