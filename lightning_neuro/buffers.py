"""Neuron constants that a library keeps outside the ``state_dict`` become buffers, and are compared when loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from lightning_neuro.errors import CheckpointError
from lightning_neuro.peers import norse

PREFIX = "constant_"


def _norse_constants(module: Any) -> dict[str, Tensor]:
    fields = module.p._asdict()
    constants = {name: value for name, value in fields.items() if isinstance(value, Tensor) and name != "alpha"}
    return {**constants, "dt": torch.as_tensor(float(module.dt))}


HIDDEN_CONSTANTS: dict[type[nn.Module], Callable[[Any], dict[str, Tensor]]] = {
    norse.LIFBoxCell: _norse_constants,
    norse.LIFCell: _norse_constants,
    norse.LIFRecurrentCell: _norse_constants,
    norse.LIBoxCell: _norse_constants,
    norse.IAFCell: _norse_constants,
}


def register_buffers(root: nn.Module) -> None:
    """Copy hidden constants into persistent buffers, so that every ``state_dict`` carries them."""
    for module, constants in _hidden(root):
        for name, value in constants.items():
            if not hasattr(module, PREFIX + name):
                module.register_buffer(PREFIX + name, value.detach().clone().float())


def check_buffers(root: nn.Module) -> None:
    """Refuse a module whose constants are not those of the checkpoint it was loaded from.

    Raises:
        CheckpointError: names every constant that differs.
    """
    wrong = [
        f"{type(module).__name__}.{name}: checkpoint {_text(buffer)}, module {_text(value)}"
        for module, constants in _hidden(root)
        for name, value in constants.items()
        if (buffer := getattr(module, PREFIX + name, None)) is not None
        and not torch.allclose(buffer.cpu(), value.detach().float().cpu())
    ]
    if wrong:
        raise CheckpointError(
            "the checkpoint was trained with other neuron constants: " + "; ".join(wrong),
            where="ckpt_path",
            why="the library does not restore them, so training would go on with another network",
            next_command="build the module with the checkpoint's constants",
        )


def _hidden(root: nn.Module) -> Iterator[tuple[nn.Module, dict[str, Tensor]]]:
    for module in root.modules():
        kind = next((base for base in type(module).__mro__ if base in HIDDEN_CONSTANTS), None)
        if kind is not None:
            yield module, HIDDEN_CONSTANTS[kind](module)


def _text(value: Tensor) -> str:
    flat = value.detach().flatten().tolist()
    return f"{flat[0]:g}" if len(flat) == 1 else f"[{flat[0]:g}, ...]"
