"""What to expect of a network on chips that nobody has measured: accuracy over virtual ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.targets.brainscales.chip_network import ChipNetwork, SpikeEvents
from lightning_neuro.targets.brainscales.emulator import emulate
from lightning_neuro.targets.brainscales.recording import Recording
from lightning_neuro.targets.brainscales.virtual_chip import VirtualChip


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """Accuracy over virtual chips; one chip is one draw.

    Args:
        accuracies: 0..1, of each chip.
    """

    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Of the chips."""
        return float(np.mean(self.accuracies))

    @property
    def std(self) -> float:
        """From chip to chip; 0 for a single chip."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else 0.0

    @property
    def min(self) -> float:
        """Of the worst chip."""
        return min(self.accuracies)


def predict(
    network: ChipNetwork,
    inputs: SpikeEvents,
    labels: NDArray[Any],
    chips: Sequence[VirtualChip],
    *,
    run: int,
    progress: Callable[[int], None] | None = None,
) -> Prediction:
    """Accuracy on each of the chips.

    Args:
        network, inputs, chips, run, progress: see ``emulate``.
        labels: [sample]; -1 = unknown, not counted.

    Raises:
        GraphError: see ``emulate``.
    """
    return prediction_of(emulate(network, inputs, chips, run=run, progress=progress), labels)


def prediction_of(recordings: Sequence[Recording], labels: NDArray[Any]) -> Prediction:
    """Accuracy of chips that have run already; nan without labels."""
    known = labels >= 0
    right = [r.classes[known] == labels[known] for r in recordings]
    return Prediction(accuracies=tuple(float(r.mean()) if r.size else float("nan") for r in right))
