"""QCFS: an activation that already counts in levels, so that a spiking network can repeat it exactly."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_neuro.errors import ConfigError


class _Staircase(torch.autograd.Function):
    """``lambda / L clip(ceil(z L / lambda - 1/2), 0, L)`` in few passes over memory.

    Gradients are those of ``lambda h(z / lambda)`` whose rounding passes them through: to z where 0 < z < lambda, to
    lambda ``h - z / lambda`` there and 1 above.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, clip: Tensor, levels: int) -> Tensor:  # type: ignore[override]
        counts = (z / clip).mul_(levels).sub_(0.5).ceil_().clamp_(0, levels)
        ctx.save_for_backward(z, clip, counts)
        ctx.levels = levels
        return counts * (clip / levels)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[override]
        z, clip, counts = ctx.saved_tensors
        inside = gradient * ((z > 0) & (z < clip))
        flat = gradient.flatten()
        to_clip = torch.dot(flat, counts.flatten()) / ctx.levels - torch.dot(inside.flatten(), z.flatten()) / clip
        return inside, to_clip, None


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
        return _Staircase.apply(z, clip, self.levels)  # type: ignore[return-value]

    def extra_repr(self) -> str:
        """Levels and lambda."""
        return f"levels={self.levels}, clip={self.threshold():g}"
