"""From the last layer's spikes and membranes to class scores, and from scores to a loss.

Every read-out returns scores [batch, class]; the answer is the largest, the lowest class number winning a
tie, as hardware does it. ``spike_count`` and ``first_spike`` scores are whole numbers, so ties are not
rare.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lightning_neuro.neurons.lif import check_choice


def spike_count(spikes: Tensor, membrane: Tensor) -> Tensor:
    """Return how often each neuron fired, [batch, class]."""
    return spikes.sum(0)


def first_spike(spikes: Tensor, membrane: Tensor) -> Tensor:
    """Return the steps that are left from the first spike on (0 where there is none), [batch, class].

    steps - sum_t prod_{k<=t} (1 - s[k]): exact for spikes 0 or 1, and differentiable through the surrogate.
    """
    return len(spikes) - torch.cumprod(1 - spikes, dim=0).sum(0)


def membrane_max(spikes: Tensor, membrane: Tensor) -> Tensor:
    """Return the largest membrane over time, [batch, class]."""
    return membrane.amax(0)


def membrane_last(spikes: Tensor, membrane: Tensor) -> Tensor:
    """Return the membrane at the last step, [batch, class]."""
    return membrane[-1]


READOUTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "spike_count": spike_count,
    "first_spike": first_spike,
    "membrane_max": membrane_max,
    "membrane_last": membrane_last,
}
MEMBRANE_READOUTS = ("membrane_max", "membrane_last")


def decide(scores: Tensor) -> Tensor:
    """Return the class of the largest score, the lowest number winning a tie, [batch].

    >>> decide(torch.tensor([[1.0, 3.0, 3.0], [2.0, 0.0, 2.0]])).tolist()
    [1, 0]
    """
    best = scores == scores.amax(1, keepdim=True)
    return best.to(torch.uint8).argmax(1) if scores.device.type == "cpu" else _first_true(best)


def _first_true(best: Tensor) -> Tensor:
    """Return the first True per row; argmax on other devices may return any of several equal values."""
    position = torch.arange(best.shape[1], device=best.device).expand_as(best)
    return torch.where(best, position, best.shape[1]).amin(1)


class CrossEntropy(nn.Module):
    """-log softmax(gain score)[label], averaged over the batch.

    Args:
        gain: factor on the scores: larger is sharper (whole-number scores need less than one).
        smoothing: label smoothing, 0..1.
    """

    def __init__(self, gain: float, smoothing: float) -> None:
        super().__init__()
        self.gain, self.smoothing = gain, smoothing

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of scores [batch, class] and labels [batch]."""
        return nn.functional.cross_entropy(self.gain * scores, labels, label_smoothing=self.smoothing)


class MeanSquare(nn.Module):
    """Mean square of (gain score - one_hot(label)), for counts gain is 1 / steps.

    Args:
        gain: factor on the scores.
        smoothing: share taken from the right class and spread over all, 0..1.
    """

    def __init__(self, gain: float, smoothing: float) -> None:
        super().__init__()
        self.gain, self.smoothing = gain, smoothing

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of scores [batch, class] and labels [batch]."""
        target = nn.functional.one_hot(labels, scores.shape[1]).to(scores.dtype)
        target = target * (1 - self.smoothing) + self.smoothing / scores.shape[1]
        return nn.functional.mse_loss(self.gain * scores, target)


LOSSES: dict[str, type[CrossEntropy] | type[MeanSquare]] = {
    "cross_entropy": CrossEntropy,
    "mean_square": MeanSquare,
}


def make_loss(name: str, gain: float, smoothing: float) -> CrossEntropy | MeanSquare:
    """Return the loss called ``name``, a key of ``LOSSES``.

    Raises:
        ConfigError: the name is unknown.
    """
    check_choice("loss", name, tuple(LOSSES))
    return LOSSES[name](gain, smoothing)
