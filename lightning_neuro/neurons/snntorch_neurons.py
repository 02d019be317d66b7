"""Layers whose neurons are computed by snnTorch, one step at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lightning_neuro.neurons.lif import LIFConstants
from lightning_neuro.neurons.refusal import refuse
from lightning_neuro.neurons.surrogate import make_surrogate
from lightning_neuro.peers import snntorch


class SnnTorchNeurons(nn.Module):
    """snnTorch ``Leaky`` (delta synapse) or ``Synaptic`` (current-based) over a sequence; ``cell`` is theirs.

    Args:
        size: number of neurons.
        beta, alpha, threshold: [neuron] constants; alpha None = delta synapse.
        reset: "zero", "subtract" or "none".
        reset_delay: 0 or 1; 1 is snnTorch's default.
        learn_beta, learn_alpha, learn_threshold: make the constant a parameter.
        surrogate: name of the surrogate derivative.
        surrogate_slope: its steepness.

    Raises:
        ConfigError: reset zero with delay on current-based neurons, where snnTorch drops the input too.
    """

    def __init__(
        self,
        size: int,
        *,
        beta: Tensor,
        alpha: Tensor | None,
        threshold: Tensor,
        reset: str,
        reset_delay: int,
        learn_beta: bool,
        learn_alpha: bool,
        learn_threshold: bool,
        surrogate: str,
        surrogate_slope: float,
    ) -> None:
        super().__init__()
        if alpha is not None and reset == "zero" and reset_delay == 1:
            refuse(
                "snnTorch Synaptic does not reset to zero at the next step, it discards that step's sum",
                "model.reset_delay=0   (or model.neuron=native, model.reset=subtract)",
            )
        self.size, self.reset, self.reset_delay = size, reset, reset_delay
        common: dict[str, Any] = {
            "beta": beta,
            "threshold": threshold,
            "spike_grad": make_surrogate(surrogate, surrogate_slope),
            "learn_beta": learn_beta,
            "learn_threshold": learn_threshold,
            "reset_mechanism": reset,
            "reset_delay": bool(reset_delay),
        }
        if alpha is None:
            self.cell: nn.Module = snntorch.Leaky(**common)
        else:
            self.cell = snntorch.Synaptic(alpha=alpha, learn_alpha=learn_alpha, **common)

    def constants(self) -> LIFConstants:
        """Return the constants the cell uses."""
        alpha = getattr(self.cell, "alpha", None)
        return LIFConstants(
            beta=self.cell.beta.clamp(0, 1),  # type: ignore[operator, union-attr]
            alpha=None if alpha is None else alpha.clamp(0, 1),
            threshold=self.cell.threshold,  # type: ignore[arg-type]
        )

    def forward(self, drive: Tensor) -> tuple[Tensor, Tensor]:
        """Run the cell over drive [time, batch, neuron] from zero state; returns spikes and membranes.

        Raises:
            ConfigError: an immediate subtraction left a membrane above threshold, which snnTorch reads as
                a second reset.
        """
        with torch.autocast(device_type=drive.device.type, enabled=False):
            drive = drive.float()
            names = ("syn", "mem") if hasattr(self.cell, "alpha") else ("mem",)
            state = tuple(torch.zeros_like(drive[0]) for _ in names)
            spikes, membranes = [], []
            for x in drive:
                spike, *state = self.cell(x, *state)
                spikes.append(spike)
                membranes.append(state[-1])
        for name in names:  # the cell keeps its state; dropping it keeps the module deep-copyable
            setattr(self.cell, name, torch.zeros(0))
        membrane = torch.stack(membranes)
        if self.reset == "subtract" and self.reset_delay == 0:
            self._check_single_reset(membrane)
        return torch.stack(spikes), membrane

    def _check_single_reset(self, membrane: Tensor) -> None:
        if bool((membrane.detach() > self.constants().threshold).any()):
            refuse(
                "a membrane passed twice the threshold: snnTorch with reset_delay=0 subtracts again",
                "model.neuron=native   (or model.reset_delay=1)",
            )
