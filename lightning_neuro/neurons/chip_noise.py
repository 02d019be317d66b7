"""Training on many chips at once: first-spike neurons whose constants are drawn from the profile of a chip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_neuro.neurons.chip_profiles import EXACT, ChipProfile, NeuronFactors

CHIPS_PER_BATCH = 10  # each part of a batch is on a chip of its own: more chips, less noise of the gradient

# Standard deviation of the factor that thresholds of a layer on a chip have in common. A calibration that misses by
# so much costs a network that never saw it more than all mismatch; seeing it in training costs next to nothing.
SCALE_ERROR = 0.05

Solve = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipNoise:
    """A profile in the unit of a network's times.

    Both time constants of a neuron act through their harmonic mean ``stretch`` and the gain stretch / tau_mem. For
    equal nominal values that is right to first order: the membrane that a spike causes,
    ``tau_syn (exp(-s / tau_mem) - exp(-s / tau_syn)) / (tau_mem - tau_syn)``, is ``s / tau_mem exp(-s / stretch)``
    but for a factor sinh(x) / x, x = (1 / tau_syn - 1 / tau_mem) s / 2.

    Args:
        profile: the chip's.
        unit_us: hardware microseconds of a unit of the network's times.
    """

    profile: ChipProfile
    unit_us: float

    def spikes(self, times: Tensor, weights: Tensor, thresholds: Tensor, solve: Solve) -> Tensor:
        """Return the spikes [batch, n_out] of neurons on new chips, inf = silent.

        Args:
            times: [batch, n_in] input spikes, inf = silent.
            weights: [n_in, n_out].
            thresholds: nominal ones, [n_out].
            solve: returns spikes, given times, weights, thresholds and stretch [n_out] (None = 1).
        """
        parts = times.chunk(CHIPS_PER_BATCH)
        draws = [self.profile.draw((weights.shape[1],), None).to(weights) for _ in parts]
        found = [self._on_one(part, weights, thresholds, draw, solve) for part, draw in zip(parts, draws, strict=True)]
        spikes = torch.cat(found) + self.profile.latency_us / self.unit_us
        return spikes + self.profile.jitter_us / self.unit_us * torch.randn_like(spikes)

    def _on_one(self, times: Tensor, weights: Tensor, thresholds: Tensor, draw: NeuronFactors, solve: Solve) -> Tensor:
        seen = weights * torch.where(weights > 0, draw.excitatory_gain, draw.inhibitory_gain)
        stretch = None
        if not self.profile.tau_mem == self.profile.tau_syn == EXACT:
            stretch = 2 / (1 / draw.tau_mem + 1 / draw.tau_syn)
            seen = seen * (stretch / draw.tau_mem)
        scale = 1 + SCALE_ERROR * torch.randn((), dtype=torch.float64).to(weights)
        return solve(times, seen, thresholds * draw.threshold * scale, stretch)
