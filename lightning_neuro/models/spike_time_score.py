"""What is counted over the batches of an epoch: right answers, loss, silent neurons, spikes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Score:
    """Sums over batches; numbers only, no graph and no batch is kept.

    Args:
        activity: whether silent neurons are counted too.
    """

    def __init__(self, *, activity: bool) -> None:
        self.activity = activity
        self.samples = 0
        self._loss: Tensor | float = 0.0
        self._right: Tensor | int = 0
        self._silent: list[Tensor] = []
        self._sizes: list[int] = []

    @torch.no_grad()
    def update(self, times: Sequence[Tensor], labels: Tensor, loss: Tensor) -> None:
        """Add a batch: spike times [batch, neuron] of each layer, labels [batch], mean loss."""
        count = len(labels)
        self.samples += count
        self._loss = self._loss + loss * count
        earliest, winner = times[-1].min(1)
        self._right = self._right + ((winner == labels) & torch.isfinite(earliest)).sum()
        if not self.activity:
            return
        silent = [torch.isinf(layer).sum() for layer in times]
        self._silent = silent if not self._silent else [a + b for a, b in zip(self._silent, silent, strict=True)]
        self._sizes = [layer.shape[1] for layer in times]

    def numbers(self) -> dict[str, float]:
        """Return accuracy (a sample without any output spike is wrong) and mean loss; with activity, per layer the
        share of silent (sample, neuron) pairs, and the spikes per sample of all layers."""
        samples = max(self.samples, 1)
        result = {"accuracy": float(self._right) / samples, "loss": float(self._loss) / samples}
        if not self.activity:
            return result
        spikes = 0.0
        for index, (silent, size) in enumerate(zip(self._silent, self._sizes, strict=True), start=1):
            share = float(silent) / (samples * size)
            result[f"silent/layer{index}"] = share
            spikes += (1 - share) * size
        return result | {"spikes_per_sample": spikes}
