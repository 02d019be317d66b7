"""QCFS: an activation that already counts in levels, so that a spiking network can repeat it exactly."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_neuro.errors import ConfigError


class _RoundHalfDown(torch.autograd.Function):
    """``ceil(x - 1/2)``; the gradient passes as if nothing had been rounded."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:  # type: ignore[override]
        return torch.ceil(x - 0.5)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return gradient


class QCFS(nn.Module):
    """Quantised, clipped ReLU with a learned clipping level, a drop-in for ``nn.ReLU``.

    ``h(z) = lambda / L clip(ceil(z L / lambda - 1/2), 0, L)``: rounded half down, which is what an integrate-and-fire
    neuron with threshold lambda, initial membrane lambda / 2 and the comparison ``v > threshold`` counts in L steps.
    The gradient passes straight through the rounding (Bu et al., ICLR 2022, arXiv 2303.04347, which rounds half up).

    Args:
        levels: L, number of levels above 0.
        initial: lambda before training, in the unit of the activation.

    Raises:
        ConfigError: no level, or a lambda that is not positive.
    """

    def __init__(self, *, levels: int, initial: float) -> None:
        super().__init__()
        if levels < 1 or initial <= 0:
            raise ConfigError(
                f"QCFS with {levels} levels and lambda {initial}",
                where="QCFS",
                why="an activation needs at least one level and a clipping level above 0",
                next_command="QCFS(levels=4, initial=4.0)",
            )
        self.levels = levels
        self.clip = nn.Parameter(torch.tensor(float(initial)))

    def threshold(self) -> float:
        """Learned lambda, never below a millionth."""
        return max(float(self.clip.detach()), 1e-6)

    def forward(self, z: Tensor) -> Tensor:
        """Activation of ``z``, any shape."""
        clip = self.clip.clamp(min=1e-6)
        share = (z / clip).clamp(0, 1)
        return _RoundHalfDown.apply(share * self.levels) * (clip / self.levels)  # type: ignore[operator]

    def extra_repr(self) -> str:
        """Levels and lambda."""
        return f"levels={self.levels}, clip={self.threshold():g}"
