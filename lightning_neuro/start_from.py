"""Fine-tuning: a run starts with the weights of an earlier one, which need not have been trained with rounding."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.utils import parametrize

from lightning_neuro.checkpoint import load_checkpoint
from lightning_neuro.errors import CheckpointError, ConfigError
from lightning_neuro.neurons.rounded_weights import RoundedWeights, float_weight

ORIGINAL, ROUNDING = "parametrizations.weight.original", "parametrizations.weight.0."


def start_from(path: str, model: pl.LightningModule) -> None:
    """Give a model the weights and constants of a checkpoint; optimiser and epochs start anew.

    Args:
        path: checkpoint.
        model: as the configuration describes it; its layers may round their weights where the file's do not.

    Raises:
        CheckpointError: the file is damaged or holds no weights.
        ConfigError: it belongs to another network.
    """
    checkpoint = load_checkpoint(Path(path))
    if "state_dict" not in checkpoint:
        raise CheckpointError(
            f"'{path}' has no state_dict",
            where="start_from",
            why="a run starts from weights",
            next_command="start_from=outputs/latest/best.ckpt",
        )
    state = _renamed(checkpoint["state_dict"], model)
    own = model.state_dict()
    wrong = [name for name, value in own.items() if name in state and state[name].shape != value.shape]
    missing = [name for name in own if name not in state and ROUNDING not in name]
    if wrong or missing or not any(name in own for name in state):
        raise ConfigError(
            f"'{path}' belongs to another network: {', '.join((*wrong, *missing)) or 'no name in common'}",
            where="start_from",
            why="layers and neurons of both must be the same; only rounding may differ",
            next_command=f"use the values of {Path(path).parent}/config.yaml",
        )
    model.load_state_dict({name: value for name, value in state.items() if name in own}, strict=False)
    saved = checkpoint.get("hyper_parameters", {})
    if all(saved.get(key) == model.hparams.get(key) for key in ("quantize", "quantize_scale")):
        return  # rounded in the same way: with the same LSBs
    for module in model.modules():
        if parametrize.is_parametrized(module, "weight"):
            _restart(module)


def _renamed(saved: Mapping[str, Tensor], model: pl.LightningModule) -> dict[str, Tensor]:
    """The file's tensors under the model's names: the float weights may stand behind a rounding in either."""
    own = model.state_dict()
    renamed = dict(saved)
    for name in own:
        plain = name.replace(ORIGINAL, "weight")
        if name not in saved and plain in saved:
            renamed[name] = saved[plain]
        behind = f"{name.removesuffix('weight')}{ORIGINAL}" if name.endswith("weight") else ""
        if name not in saved and behind in saved:
            renamed[name] = saved[behind]
    return renamed


def _restart(module: torch.nn.Module) -> None:
    for rounding in module.parametrizations["weight"]:  # type: ignore[index, union-attr]
        if isinstance(rounding, RoundedWeights):
            rounding.restart(float_weight(module))
