"""Whether a run can continue from a checkpoint, asked before Lightning tries."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl

from lightning_neuro.checkpoint import load_checkpoint
from lightning_neuro.errors import CheckpointError, ConfigError


def check_resume(path: str, model: pl.LightningModule, max_epochs: int) -> None:
    """Raise unless ``model`` can continue from the checkpoint for at least one epoch.

    Args:
        path: checkpoint to resume from.
        model: as the configuration describes it.
        max_epochs: epochs of the whole training, those of the checkpoint included.

    Raises:
        CheckpointError: the file is damaged, or holds no training state.
        ConfigError: it belongs to another network, or has as many epochs already.
    """
    checkpoint = load_checkpoint(Path(path))
    missing = [key for key in ("state_dict", "epoch", "optimizer_states", "loops") if key not in checkpoint]
    if missing:
        raise CheckpointError(
            f"'{path}' has no {', '.join(missing)}",
            where="ckpt_path",
            why="training continues from weights, optimizer and progress",
            next_command="ckpt_path=outputs/latest/last.ckpt",
        )
    _check_shapes(path, checkpoint["state_dict"], model)
    done = int(checkpoint["epoch"]) + 1
    if done >= max_epochs:
        raise ConfigError(
            f"'{path}' has {done} epochs already, trainer.max_epochs={max_epochs} asks for no more",
            where="trainer.max_epochs",
            why="the number counts the epochs of the checkpoint too",
            next_command=f"trainer.max_epochs={done + max_epochs}",
        )


def _check_shapes(path: str, saved: dict, model: pl.LightningModule) -> None:
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    for name, shape in wanted.items():
        found = tuple(saved[name].shape) if name in saved else None
        if found != shape:
            raise ConfigError(
                f"'{path}' belongs to another network: {name} is {found or 'absent'}, the model needs {shape}",
                where="ckpt_path",
                why="a run resumes with the model it was started with",
                next_command=f"use the values of {Path(path).parent}/config.yaml",
            )
