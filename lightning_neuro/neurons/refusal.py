"""Refuses what a neuron library computes differently, or not at all."""

from __future__ import annotations

from typing import NoReturn

from lightning_neuro.errors import ConfigError


def refuse(what: str, next_command: str) -> NoReturn:
    """Raise the ConfigError of a library that cannot compute what the configuration says."""
    raise ConfigError(
        what,
        where="model.neuron",
        why="the library cannot compute what the configuration says",
        next_command=next_command,
    )
