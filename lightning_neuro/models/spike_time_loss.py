"""Losses on first-spike times: the neuron of the right class should spike first, clearly, and soon.

Times t[n] [batch, class] are in units of tau_syn, n* is the label, inf = no spike. A sample whose label neuron is
silent has the constant loss ``SILENT_LOSS`` and no gradient, unless the neuron is given a virtual time (``silent``).
Another silent neuron has neither loss nor gradient: it could not spike later. Equations and default constants: Goeltz,
Kriener et al. 2021 (doi:10.1038/s42256-021-00388-x) for the cross entropy, Goeltz et al. 2025 (DelGrad,
arXiv:2404.19165) for the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons.lif import check_choice

SILENT_LOSS = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LossOptions:
    """Constants of all losses; each uses its own.

    Args:
        softmin_width: xi, the difference in time that matters to the cross entropy, in units of tau_syn.
        early_weight: alpha, weight of the regulariser that favours early spikes of the right class, no unit.
        early_scale: beta, time in which that regulariser grows e-fold, in units of tau_syn.
        time_correct, time_wrong: targets of the mean square, in units of tau_syn.
        time_lead: how much earlier the right class should spike, for the shift-invariant loss, in units of tau_syn.

    Raises:
        ConfigError: a constant out of range, or ``time_correct`` not before ``time_wrong``.
    """

    softmin_width: float
    early_weight: float
    early_scale: float
    time_correct: float
    time_wrong: float
    time_lead: float

    def __post_init__(self) -> None:
        positive = ("softmin_width", "early_scale", "time_lead", "time_correct")
        rules = {name: (getattr(self, name) > 0, "> 0") for name in positive}
        rules["early_weight"] = (self.early_weight >= 0, ">= 0")
        rules["time_wrong"] = (self.time_wrong > self.time_correct, f"> time_correct={self.time_correct}")
        for name, (holds, needed) in rules.items():
            if not holds:
                raise ConfigError(
                    f"{name}={getattr(self, name)} must be {needed}",
                    where=f"model.{name}",
                    why="the neuron of the right class spikes first",
                    next_command=f"remove model.{name} to use the default",
                )


class TimeLoss(nn.Module):
    """Mean over the batch of a loss per sample; the constant ``SILENT_LOSS`` where the label neuron is silent."""

    def __init__(self, options: LossOptions) -> None:
        super().__init__()
        self.options = options

    def forward(self, times: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of times [batch, class] and labels [batch]."""
        spiked = torch.isfinite(times)
        finite = torch.where(spiked, times, 0.0)  # inf times 0 in a backward pass is NaN
        right = labels[:, None]
        losses = self.per_sample(finite, spiked, right)
        return torch.where(spiked.gather(1, right)[:, 0], losses, SILENT_LOSS).mean()

    def per_sample(self, times: Tensor, spiked: Tensor, right: Tensor) -> Tensor:
        """Return losses [batch].

        Args:
            times: [batch, class], 0 where there is no spike.
            spiked: [batch, class], whether there is one.
            right: [batch, 1] labels.
        """
        raise NotImplementedError


class CrossEntropy(TimeLoss):
    """log sum_n exp(-(t[n] - t[n*]) / xi) + alpha exp(t[n*] / beta)."""

    def per_sample(self, times: Tensor, spiked: Tensor, right: Tensor) -> Tensor:
        """Return losses [batch]; arguments as in the base class."""
        options = self.options
        label_time = times.gather(1, right)
        scores = ((label_time - times) / options.softmin_width).masked_fill(~spiked, -1e30)
        early = torch.exp(label_time[:, 0] / options.early_scale)
        return torch.logsumexp(scores, 1) + options.early_weight * early


class MeanSquare(TimeLoss):
    """1/2 sum_n (t[n] - target[n])^2, target ``time_correct`` for the label and ``time_wrong`` for the others."""

    def per_sample(self, times: Tensor, spiked: Tensor, right: Tensor) -> Tensor:
        """Return losses [batch]; arguments as in the base class."""
        target = torch.full_like(times, self.options.time_wrong).scatter(1, right, self.options.time_correct)
        return ((times - target).square() * spiked).sum(1) / 2


class ShiftInvariant(TimeLoss):
    """1/2 sum_n (t[n] - t[n*] - lead [n != n*])^2: only differences between output times count."""

    def per_sample(self, times: Tensor, spiked: Tensor, right: Tensor) -> Tensor:
        """Return losses [batch]; arguments as in the base class."""
        lead = self.options.time_lead * (1 - one_hot(right[:, 0], times.shape[1]).to(times.dtype))
        return ((times - times.gather(1, right) - lead).square() * spiked).sum(1) / 2


LOSSES: dict[str, type[TimeLoss]] = {
    "cross_entropy": CrossEntropy,
    "mean_square": MeanSquare,
    "shift_invariant": ShiftInvariant,
}


def make_time_loss(name: str, options: LossOptions) -> TimeLoss:
    """Return the loss called ``name``, a key of ``LOSSES``.

    Raises:
        ConfigError: the name is unknown.
    """
    check_choice("loss", name, tuple(LOSSES))
    return LOSSES[name](options)
