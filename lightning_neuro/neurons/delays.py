"""Delays that are learned and stay positive."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons.lif import check_choice

DelayKind = Literal["axonal", "dendritic", "synaptic"]
Positivity = Literal["sigmoid", "clip"]
DELAY_KINDS: tuple[DelayKind, ...] = ("axonal", "dendritic", "synaptic")
POSITIVITIES: tuple[Positivity, ...] = ("sigmoid", "clip")


class Delays(nn.Module):
    """Learnable delays; calling it returns them, [n_in, 1], [1, n_out] or [n_in, n_out].

    sigmoid:  d = shift + scale / (1 + exp(-raw)),  shift < d < shift + scale
    clip:     d = shift + scale raw,                raw >= 0 is restored by :meth:`rectify` after a step

    Args:
        kind: "axonal" (one per input), "dendritic" (one per neuron) or "synaptic" (one per pair).
        n_in: number of inputs.
        n_out: number of neurons.
        positivity: "sigmoid" or "clip".
        mean: mean of the normal distribution of the first ``raw``, no unit; for "sigmoid" 0 is the middle of the range.
        std: its standard deviation.
        scale: length of the range ("sigmoid") or unit of ``raw`` ("clip"), unit of the times, > 0.
        shift: shortest delay, unit of the times, >= 0.
        dtype: of ``raw``, that of the weights.

    Raises:
        ConfigError: a choice is unknown or a number out of range.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        kind: DelayKind,
        n_in: int,
        n_out: int,
        *,
        positivity: Positivity,
        mean: float,
        std: float,
        scale: float,
        shift: float,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        check_choice("delay_kind", kind, DELAY_KINDS)
        check_choice("delay_positivity", positivity, POSITIVITIES)
        if not (scale > 0 and shift >= 0 and std >= 0):
            raise ConfigError(
                f"delays with scale {scale:g}, shift {shift:g} and std {std:g}",
                where="model.delay_scale, model.delay_shift, model.delay_std",
                why="a delay shorter than 0 is not causal: scale > 0, shift >= 0, std >= 0",
                next_command="model.delay_scale=1 model.delay_shift=0 model.delay_std=0.25",
            )
        self.kind, self.positivity = kind, positivity
        shape = (1 if kind == "dendritic" else n_in, 1 if kind == "axonal" else n_out)
        self.raw = nn.Parameter(mean + std * torch.randn(shape, dtype=dtype))
        self.register_buffer("scale", torch.tensor(scale, dtype=dtype))
        self.register_buffer("shift", torch.tensor(shift, dtype=dtype))
        self.rectify()

    def forward(self) -> Tensor:
        """Return the delays, unit of the times, differentiable."""
        shape = torch.sigmoid(self.raw) if self.positivity == "sigmoid" else self.raw
        return self.shift + self.scale * shape

    @torch.no_grad()
    def rectify(self) -> None:
        """Cut negative ``raw`` to 0 ("clip"); call it after each step of the optimiser."""
        if self.positivity == "clip":
            self.raw.clamp_(min=0)

    def extra_repr(self) -> str:
        """Show kind and positivity in printed models."""
        return f"{self.kind}, {list(self.raw.shape)}, {self.positivity}"
