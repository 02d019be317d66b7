"""What analogue hardware adds to first-spike neurons: threshold noise on three time scales and jitter."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from lightning_neuro.errors import ConfigError

LOWEST_THRESHOLD = 0.01  # of the nominal one: noise never takes the threshold to 0 or below


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeNoise:
    """Normal distributions; all zero = ideal neurons. Thresholds in the unit of the weights.

    Args:
        threshold_mean: mean of the fixed pattern, drawn once per neuron when the layer is made.
        threshold_fixed: standard deviation of the fixed pattern.
        threshold_batch: standard deviation per neuron and batch.
        threshold_sample: standard deviation per neuron and sample.
        jitter: standard deviation of the spike times, unit of the times.

    Raises:
        ConfigError: a standard deviation is negative.
    """

    threshold_mean: float
    threshold_fixed: float
    threshold_batch: float
    threshold_sample: float
    jitter: float

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self) if f.name != "threshold_mean"):
            if not getattr(self, name) >= 0:
                raise ConfigError(
                    f"noise {name} {getattr(self, name):g} must be >= 0",
                    where=f"model.noise.{name}",
                    why="it is a standard deviation",
                    next_command=f"model.noise.{name}=0",
                )

    def fixed_pattern(self, n_out: int, dtype: torch.dtype) -> Tensor:
        """Draw what is added to the threshold of each neuron for ever, [n_out]."""
        return self.threshold_mean + self.threshold_fixed * torch.randn(n_out, dtype=dtype)

    @property
    def varies(self) -> bool:
        """Whether thresholds differ from one call to the next."""
        return self.threshold_batch > 0 or self.threshold_sample > 0

    def thresholds(self, fixed: Tensor, batch: int) -> Tensor:
        """Draw the thresholds of one batch.

        Args:
            fixed: [n_out] thresholds with their fixed pattern.
            batch: number of samples.

        Returns:
            [n_out], or [batch, n_out] where they differ between samples.
        """
        thresholds = fixed
        if self.threshold_batch:
            thresholds = thresholds + self.threshold_batch * torch.randn_like(fixed)
        if self.threshold_sample:
            thresholds = thresholds + self.threshold_sample * torch.randn(
                batch, len(fixed), dtype=fixed.dtype, device=fixed.device
            )
        return thresholds

    def jittered(self, times: Tensor) -> Tensor:
        """Return the spike times [batch, n_out] with jitter; silent neurons stay silent."""
        return times + self.jitter * torch.randn_like(times) if self.jitter else times


IDEAL = SpikeNoise(threshold_mean=0.0, threshold_fixed=0.0, threshold_batch=0.0, threshold_sample=0.0, jitter=0.0)
