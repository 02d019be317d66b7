"""Weights that are integers in the forward pass and real numbers to the optimiser (straight-through).

The rounding is that of deployment (``graph.fixed``): half to even, saturated, one LSB per layer. Weights that were
trained this way lie on their grid, so rounding them when training ends changes nothing.

Source of the estimator: Bengio, Leonard, Courville, "Estimating or Propagating Gradients Through Stochastic Neurons",
2013 (arXiv:1308.3432), section 4; of the learned LSB: Esser et al., "Learned Step Size Quantization", ICLR 2020.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lightning_neuro.graph.quantize import best_lsb

Scale = Literal["searched", "learned"]
SCALES: tuple[Scale, ...] = ("searched", "learned")
SEARCH_EVERY = 50  # steps of the optimiser between two searches for the LSB: weights move little in between
_SMALLEST_LSB = 1e-8
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)


class RoundedWeights(nn.Module):
    """Parametrization of a weight: ``clamp(round(w / lsb)) lsb`` with the gradient of w inside the range.

    Args:
        weight: the weight as it is when training starts; its best LSB is the first one.
        bits: width of the integers, sign included.
        least_lsb: smallest LSB, so that a narrow membrane still holds its threshold; 0 where that is no question.
        scale: "searched": the LSB of least squared error, looked for every ``SEARCH_EVERY`` steps of the optimiser;
            "learned": its logarithm is a parameter, with the gradient of learned step size quantisation; steps of an
            optimiser, however large, then change it by a factor and never below 0.

    Attributes:
        lsb, log_lsb: of the weights, or its natural logarithm where it is learned; kept in checkpoints.
        updates: changes of the weights since training began, kept in checkpoints so that a resumed run searches when
            an uninterrupted one does.
    """

    lsb: Tensor
    log_lsb: Tensor
    updates: Tensor

    def __init__(self, weight: Tensor, bits: int, least_lsb: float, scale: Scale) -> None:
        super().__init__()
        self.bits, self.least_lsb, self.scale = bits, least_lsb, scale
        self.low, self.high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        first = torch.tensor(self._best(weight), dtype=torch.float32)
        if scale == "learned":
            self.log_lsb = nn.Parameter(first.log())
        else:
            self.register_buffer("lsb", first)
        self.register_buffer("updates", torch.tensor(0))
        self._seen: int | None = None  # version of the weights that was counted last

    def forward(self, weight: Tensor) -> Tensor:
        """Return the rounded weight, any shape."""
        # one LSB for all uses of a weight between two steps of the optimiser: time steps, accumulated batches, both
        if self.training and self.scale == "searched" and weight._version != self._seen:
            if int(self.updates) % SEARCH_EVERY == 0:
                self._search(weight)
            self.updates += 1
            self._seen = weight._version
        return _RoundStraightThrough.apply(weight, self._lsb(), self.low, self.high)  # type: ignore[no-any-return]

    def restart(self, weight: Tensor) -> None:
        """Take the best LSB of other weights, as when training starts."""
        self.updates.zero_()
        self._seen = None
        self._search(weight)

    def _search(self, weight: Tensor) -> None:
        best = self._best(weight)
        with torch.no_grad():
            if self.scale == "learned":
                self.log_lsb.fill_(math.log(best))
            else:
                self.lsb.fill_(best)

    def effective_lsb(self) -> float:
        """The LSB that the weights have now."""
        return float(self._lsb().detach())

    def _lsb(self) -> Tensor:
        if self.scale == "searched":
            return self.lsb
        if self.training:
            with torch.no_grad():  # at its limit it keeps a gradient, which leads back
                self.log_lsb.clamp_(min=math.log(max(self.least_lsb, _SMALLEST_LSB)))
        return self.log_lsb.exp()

    def _best(self, weight: Tensor) -> float:
        return max(best_lsb(weight.detach().double().cpu().numpy(), self.bits), self.least_lsb)


class _RoundStraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight: Tensor, lsb: Tensor, low: int, high: int) -> Tensor:
        scaled = weight / lsb
        raw = torch.round(scaled).clamp_(low, high)  # torch.round: half to even, as everywhere in the project
        ctx.save_for_backward(scaled, raw)
        ctx.low, ctx.high = low, high
        return raw * lsb

    @staticmethod
    def backward(ctx, *grad_outputs: Any) -> tuple[Tensor, Tensor | None, None, None]:
        (gradient,) = grad_outputs
        scaled, raw = ctx.saved_tensors
        inside = (scaled >= ctx.low) & (scaled <= ctx.high)
        grad_lsb = None
        if ctx.needs_input_grad[1]:
            slope = torch.where(inside, raw - scaled, raw)
            grad_lsb = (gradient * slope).sum() / math.sqrt(scaled.numel() * max(ctx.high, 1))
        return gradient * inside, grad_lsb, None, None


def round_weights(module: nn.Module, bits: int, least_lsb: float, scale: Scale) -> RoundedWeights:
    """Round the weights of a layer from now on, in training and after.

    Args:
        module: ``nn.Linear``, ``nn.Conv1d`` or ``nn.Conv2d``; its float weights stay the parameter.
        bits: width, sign included.
        least_lsb: smallest LSB.
        scale: how the LSB is found.
    """
    weight = module.weight
    assert isinstance(weight, Tensor)
    rounded = RoundedWeights(weight, bits, least_lsb, scale)
    parametrize.register_parametrization(module, "weight", rounded)
    return rounded


def float_weight(module: nn.Module) -> Tensor:
    """The weight that the optimiser changes: the layer's own, or the one behind its rounding."""
    found = getattr(module, "parametrizations", {})
    weight = found["weight"].original if "weight" in found else module.weight
    assert isinstance(weight, Tensor)
    return weight
