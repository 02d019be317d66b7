"""How some parameters moved during training: few enough to keep every epoch in the checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CHOSEN = 16  # parameters of each tensor


class Trajectories:
    """Keeps a row of numbers per epoch for each of several tensors.

    Args:
        sources: functions that return the tensors, by name with unit.
    """

    def __init__(self, sources: Mapping[str, Callable[[], Tensor]]) -> None:
        self.sources = sources
        self.rows: dict[str, list[Tensor]] = {name: [] for name in sources}

    @torch.no_grad()
    def record(self) -> None:
        """Add a row: evenly chosen elements of each tensor."""
        for name, source in self.sources.items():
            values = source().reshape(-1)
            step = max(1, -(-len(values) // CHOSEN))
            self.rows[name].append(values[::step].float().cpu())

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return [row, parameter] by name; nothing before the second row."""
        return {name: torch.stack(rows).numpy() for name, rows in self.rows.items() if len(rows) > 1}

    def state(self) -> dict[str, Tensor]:
        """Return tensors for a checkpoint."""
        return {name: torch.stack(rows) for name, rows in self.rows.items() if rows}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from ``state``, unless it is shorter: testing the best checkpoint loads an earlier state."""
        for name, rows in state.items():
            if len(rows) > len(self.rows.get(name, [])):
                self.rows[name] = list(rows)
