"""One training: from a configuration to a run folder."""

from __future__ import annotations

import time
from pathlib import Path

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from lightning_neuro import run_folder
from lightning_neuro.callbacks import Quantize
from lightning_neuro.callbacks.convert import conversion_of
from lightning_neuro.config import (
    build_callbacks,
    build_data,
    build_logger,
    build_model,
    build_trainer,
    check_config,
)
from lightning_neuro.finish import QuantizedResult
from lightning_neuro.history import History
from lightning_neuro.live import LiveCurves, TellEpochs
from lightning_neuro.quiet import quiet
from lightning_neuro.report.conversion_pictures import write_pictures
from lightning_neuro.resume import check_resume
from lightning_neuro.start_from import start_from


def train(cfg: DictConfig, folder: Path, interrupted: Path | None = None) -> dict[str, float]:
    """Train, test and write the run folder; returns the numbers in ``metrics.json``, {} in all but the first process.

    Args:
        cfg: composed ``conf/train.yaml``.
        folder: run folder, created if need be.
        interrupted: checkpoint of this very run, which goes on from there; None where it begins.

    Raises:
        NeuroError: anything the user can mend.
    """
    check_config(cfg)
    quiet()
    if cfg.threads is not None:
        torch.set_num_threads(cfg.threads)
    pl.seed_everything(cfg.seed, verbose=False)

    data = build_data(cfg)
    model = build_model(cfg, data)
    history = History()
    watching = [history, LiveCurves(history, folder), TellEpochs()]
    trainer = build_trainer(cfg, [*build_callbacks(cfg), *watching], build_logger(cfg))

    if trainer.is_global_zero:
        run_folder.begin(cfg, folder)
    if cfg.start_from is not None:
        start_from(cfg.start_from, model)
    if interrupted is None and cfg.ckpt_path is not None:
        check_resume(cfg.ckpt_path, model, cfg.trainer.max_epochs)
    start = time.perf_counter()
    trainer.fit(model, datamodule=data, ckpt_path=interrupted or cfg.ckpt_path, weights_only=True)
    seconds = max(time.perf_counter() - start, sum(epoch["seconds"] for epoch in history.epochs))
    trainer.strategy.barrier()  # until the first of several processes has finished the checkpoints
    if cfg.test:
        trainer.test(model, datamodule=data, ckpt_path=best_checkpoint(trainer), verbose=False, weights_only=True)
        history.record_test(trainer)
    if not trainer.is_global_zero:
        return {}
    if cfg.test:
        run_folder.write_pictures(model, data, folder)

    conversion = conversion_of(trainer)
    if conversion is not None:
        write_pictures(conversion, folder)
    converted = {} if conversion is None else conversion.numbers()
    metrics = run_folder.write_metrics(history, trainer, seconds, quantized_result(trainer), converted, folder)
    run_folder.write_curves(history, folder)
    run_folder.point_latest(folder)
    run_folder.print_summary(metrics, conversion, folder)
    return metrics


def best_checkpoint(trainer: pl.Trainer) -> str | None:
    """Return the path of the best checkpoint, or None (the weights in memory) when nothing was saved."""
    checkpoint = trainer.checkpoint_callback
    return getattr(checkpoint, "best_model_path", "") or None


def quantized_result(trainer: pl.Trainer) -> QuantizedResult | None:
    """Return what the run's Quantize callback measured, or None without one."""
    found = [c.result for c in trainer.callbacks if isinstance(c, Quantize)]  # type: ignore[attr-defined]
    return found[0] if found else None
