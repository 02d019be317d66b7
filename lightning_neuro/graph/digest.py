"""The identity of a HardwareGraph: sha256 over a canonical form of every field that can change a spike."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from enum import Enum

import numpy as np

from lightning_neuro.graph.hardware_graph import HardwareGraph


def graph_sha256(graph: HardwareGraph) -> str:
    """Hex digest that changes when any weight, constant, format or other field changes."""
    digest = hashlib.sha256()
    for part in _canonical(graph):
        digest.update(part)
    return digest.hexdigest()


def _canonical(value: object) -> Iterator[bytes]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield f"<{type(value).__name__}>".encode()
        for field in dataclasses.fields(value):
            yield f"{field.name}=".encode()
            yield from _canonical(getattr(value, field.name))
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype.str}{value.shape}".encode()
        yield value.tobytes()
    elif isinstance(value, tuple):
        yield f"({len(value)}".encode()
        for item in value:
            yield from _canonical(item)
    elif isinstance(value, dict):
        for key in sorted(value):
            yield f"{key}:".encode()
            yield from _canonical(value[key])
    else:
        yield repr(value.value if isinstance(value, Enum) else value).encode()
        yield b";"
