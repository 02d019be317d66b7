"""Surrogate derivatives: what the backward pass uses in place of the derivative of a step function.

Every surrogate is a module-level class with one number, so that models pickle, deep-copy and print well.
The argument is always ``distance = membrane - threshold`` in the unit of the weights; spikes are
``distance > 0``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lightning_neuro.errors import ConfigError


class Surrogate(nn.Module):
    """Step function forward, smooth derivative backward.

    Args:
        slope: steepness of the surrogate in 1 / (unit of the membrane); larger means narrower.
    """

    def __init__(self, slope: float) -> None:
        super().__init__()
        if not slope > 0:
            raise ConfigError(
                f"surrogate slope {slope} is not positive",
                where="model.surrogate_slope",
                why="the slope is the inverse width of the surrogate derivative",
                next_command="model.surrogate_slope=10",
            )
        self.slope = float(slope)

    def derivative(self, distance: Tensor) -> Tensor:
        """Return the surrogate of ds/dv at ``membrane - threshold``, any shape."""
        raise NotImplementedError

    def forward(self, distance: Tensor) -> Tensor:
        """Return spikes (0 or 1) where ``distance > 0``, differentiable through :meth:`derivative`."""
        return _Step.apply(distance, self)

    def extra_repr(self) -> str:
        """Show the slope in printed models."""
        return f"slope={self.slope:g}"


class _Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, distance: Tensor, surrogate: Surrogate) -> Tensor:
        ctx.save_for_backward(distance)
        ctx.surrogate = surrogate
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (distance,) = ctx.saved_tensors
        return grad_outputs[0] * ctx.surrogate.derivative(distance), None


class FastSigmoid(Surrogate):
    """1 / (1 + slope |x|)^2, Zenke and Ganguli, SuperSpike, doi:10.1162/neco_a_01086."""

    def derivative(self, distance: Tensor) -> Tensor:
        """Return 1 / (1 + slope |x|)^2."""
        return (distance.abs() * self.slope + 1).pow_(-2)


class ATan(Surrogate):
    """(slope / 2) / (1 + (pi slope x / 2)^2), Fang et al., doi:10.1109/ICCV48922.2021.00266."""

    def derivative(self, distance: Tensor) -> Tensor:
        """Return (slope / 2) / (1 + (pi slope x / 2)^2)."""
        return (self.slope / 2) / (1 + (distance * (math.pi / 2 * self.slope)).square_())


class Sigmoid(Surrogate):
    """slope sigma(slope x) (1 - sigma(slope x)), the derivative of a logistic function."""

    def derivative(self, distance: Tensor) -> Tensor:
        """Return slope sigma (1 - sigma) at slope x."""
        sigma = torch.sigmoid(distance * self.slope)
        return self.slope * sigma * (1 - sigma)


class Triangle(Surrogate):
    """slope max(0, 1 - slope |x|): area one, zero beyond 1 / slope."""

    def derivative(self, distance: Tensor) -> Tensor:
        """Return slope max(0, 1 - slope |x|)."""
        return (1 - distance.abs() * self.slope).clamp_min_(0) * self.slope


class Boxcar(Surrogate):
    """Slope / 2 where |x| < 1 / slope, else zero: area one."""

    def derivative(self, distance: Tensor) -> Tensor:
        """Return slope / 2 within 1 / slope of the threshold."""
        return (distance.abs() * self.slope < 1).to(distance.dtype) * (self.slope / 2)


class Gaussian(Surrogate):
    """slope / sqrt(2 pi) exp(-(slope x)^2 / 2): area one, standard deviation 1 / slope."""

    def derivative(self, distance: Tensor) -> Tensor:
        """Return the normal density of standard deviation 1 / slope."""
        return torch.exp((distance * self.slope).square_() / -2) * (self.slope / math.sqrt(2 * math.pi))


SURROGATES: dict[str, type[Surrogate]] = {
    "fast_sigmoid": FastSigmoid,
    "atan": ATan,
    "sigmoid": Sigmoid,
    "triangle": Triangle,
    "boxcar": Boxcar,
    "gaussian": Gaussian,
}


def make_surrogate(name: str, slope: float) -> Surrogate:
    """Return the surrogate called ``name`` (a key of ``SURROGATES``) with its slope.

    Raises:
        ConfigError: the name is unknown or the slope is not positive.
    """
    if name not in SURROGATES:
        raise ConfigError(
            f"unknown surrogate '{name}'",
            where="model.surrogate",
            why=f"known surrogates are {', '.join(SURROGATES)}",
            next_command="model.surrogate=fast_sigmoid",
        )
    return SURROGATES[name](slope)
