"""How much the layers fire over a whole validation or test pass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lightning_neuro.parallel.ranks import summed

SATURATED_RATE = 0.95


class Activity:
    """Counts spikes of every neuron over batches; numbers only, no graph and no batch is kept."""

    def __init__(self) -> None:
        self.samples = 0
        self._input_spikes: Tensor | float = 0.0
        self._rates: list[Tensor] = []

    @torch.no_grad()
    def update(self, raster: Tensor, layers: Sequence[Tensor]) -> None:
        """Add a batch: raster [batch, time, n_in] and the spikes [time, batch, neuron] of each layer."""
        self.samples += len(raster)
        self.steps = raster.shape[1]
        self._input_spikes = self._input_spikes + raster.count_nonzero()
        counts = [spikes.sum((0, 1)) for spikes in layers]
        self._rates = counts if not self._rates else [a + b for a, b in zip(self._rates, counts, strict=True)]

    def numbers(self) -> dict[str, float]:
        """Return, per layer, the spike rate (spikes per neuron and step) and the shares of dead and saturated
        neurons (never, or in more than 95 % of the steps), and the spikes per sample, input included; of all
        processes of a run together."""
        device = self._rates[0].device
        here = torch.tensor([self.samples, float(self._input_spikes)], dtype=torch.float64, device=device)
        samples, input_spikes = summed(here).tolist()
        slots = max(samples, 1) * self.steps
        result = {}
        all_rates = [summed(counts.double()) for counts in self._rates]
        for index, counts in enumerate(all_rates, start=1):
            rate = counts / slots
            result[f"spike_rate/layer{index}"] = float(rate.mean())
            result[f"dead/layer{index}"] = float((counts == 0).float().mean())
            result[f"saturated/layer{index}"] = float((rate > SATURATED_RATE).float().mean())
        spikes = input_spikes + sum(float(counts.sum()) for counts in all_rates)
        return result | {"spikes_per_sample": spikes / max(samples, 1)}
