"""What is counted over the batches of an epoch: right answers, loss, silent neurons, spikes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_neuro.parallel.ranks import summed


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
        share of silent (sample, neuron) pairs, and the spikes per sample of all layers. All processes of a run count
        together."""
        counted = [torch.as_tensor(value, dtype=torch.float64) for value in (self.samples, self._right, *self._silent)]
        device = self._loss.device if isinstance(self._loss, Tensor) else torch.device("cpu")
        loss = torch.as_tensor(self._loss, dtype=torch.float64)
        sums = summed(torch.stack([value.to(device) for value in (loss, *counted)])).tolist()
        total, samples, right, all_silent = sums[0], max(sums[1], 1), sums[2], sums[3:]
        result = {"accuracy": right / samples, "loss": total / samples}
        if not self.activity:
            return result
        spikes = 0.0
        for index, (silent, size) in enumerate(zip(all_silent, self._sizes, strict=True), start=1):
            share = silent / (samples * size)
            result[f"silent/layer{index}"] = share
            spikes += (1 - share) * size
        return result | {"spikes_per_sample": spikes}
