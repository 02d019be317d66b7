"""Wakes silent neurons, which have no gradient, by raising their weights.

The first layer whose share of silent (sample, neuron) pairs in a batch is above its limit is bumped: ``value`` is added
to the weights of its neurons that were silent at least once (``targeted``) or of all of them. The bump doubles each
time the same layer was bumped in the batch before (``exponential``). After Goeltz, Kriener et al. 2021
(doi:10.1038/s42256-021-00388-x).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lightning_neuro.errors import ConfigError
from lightning_neuro.parallel.ranks import summed

NONE = -1.0  # no layer was bumped in the batch before


@dataclass(frozen=True, slots=True, kw_only=True)
class BumpOptions:
    """When and how much.

    Args:
        value: added to weights, unit of the threshold; 0 = never.
        exponential: whether the bump doubles while one layer stays silent.
        targeted: whether only silent neurons are bumped.
        limits: highest share of silent pairs, 0..1, per layer.

    Raises:
        ConfigError: a value out of range.
    """

    value: float
    exponential: bool
    targeted: bool
    limits: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.value >= 0:
            _refuse("weight_bump", self.value, "a number >= 0", "5e-4")
        if not all(0 <= limit <= 1 for limit in self.limits):
            _refuse("max_silent", list(self.limits), "shares in 0..1, one per layer", "[0.3,0.0]")


def _refuse(name: str, value: object, needed: str, example: str) -> None:
    raise ConfigError(
        f"{name}={value} must be {needed}",
        where=f"model.{name}",
        why="weights of neurons that never spike are raised until they do",
        next_command=f"model.{name}={example}",
    )


def layer_to_bump(times: Sequence[Tensor], limits: Sequence[float]) -> int | None:
    """Return the first layer with more silent (sample, neuron) pairs than its limit, or None.

    Args:
        times: [batch, neuron] spike times of each layer, inf = silent; of this process's part of the batch.
        limits: highest share per layer, 0..1, of the whole batch.
    """
    for index, (layer, limit) in enumerate(zip(times, limits, strict=True)):
        if limit < 1:
            silent, samples = silent_samples(layer)
            if int(silent.sum()) > limit * samples * len(silent):
                return index
    return None


def silent_samples(times: Tensor) -> tuple[Tensor, int]:
    """Return in how many samples of all processes each neuron was silent, [neuron], and how many samples there are.

    Args:
        times: [batch, neuron] spike times of a layer in this process, inf = silent.
    """
    silent = torch.isinf(times).sum(0)
    counts = summed(torch.cat([silent, silent.new_tensor([len(times)])]))
    return counts[:-1], int(counts[-1])


@torch.no_grad()
def bump(weights: Sequence[Tensor], times: Sequence[Tensor], state: Tensor, options: BumpOptions) -> bool:
    """Bump at most one layer in place; returns whether one was.

    Args:
        weights: [n_in, n_out] of each layer; changed.
        times: [batch, n_out] of each layer, inf = silent; of this process's part of the batch.
        state: [2] layer bumped in the batch before (-1 = none) and its bump; changed.
        options: when and how much.
    """
    index = layer_to_bump(times, options.limits) if options.value else None
    if index is None:
        state[0] = NONE
        return False
    again = options.exponential and float(state[0]) == index
    amount = 2 * float(state[1]) if again else options.value
    state[0], state[1] = index, amount
    silent = silent_samples(times[index])[0] > 0
    weights[index].add_(amount * silent.to(weights[index].dtype) if options.targeted else amount)
    return True
