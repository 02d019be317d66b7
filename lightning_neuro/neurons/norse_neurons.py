"""Layers whose neurons are computed by Norse, one step at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lightning_neuro.neurons.lif import LIFConstants, straight_through
from lightning_neuro.neurons.refusal import refuse
from lightning_neuro.peers import norse, reset_subtract, reset_value


def keep_membrane(spikes: Tensor, membrane: Tensor, v_reset: Tensor, threshold: Tensor) -> Tensor:
    """Return the membrane as it is: the reset of a read-out, in the form Norse calls."""
    return membrane


_NORSE_RESETS: dict[str, Callable[..., Tensor]] = {
    "zero": reset_value,
    "subtract": reset_subtract,
    "none": keep_membrane,
}
# our surrogate: Norse's name for the nearest one, and its parameter from our slope; spikes do not depend on it
_NORSE_METHODS: dict[str, tuple[str, Callable[[float], float]]] = {
    "fast_sigmoid": ("super", lambda slope: slope),  # 1 / (1 + |x|)^2 whatever the slope
    "triangle": ("triangle", lambda slope: slope),  # slope max(0, 1 - |x|)
    "atan": ("circ", lambda slope: 1 / slope),  # (1 + (slope x)^2)^(-3/2)
}
LARGEST_NORSE_BETA = 1 - 2.0**-15


class NorseNeurons(nn.Module):
    """Norse ``LIFBoxCell`` (delta synapse) or ``LIFCell`` (current-based) over a sequence.

    Norse integrates v <- v + dt / tau_mem (x - v) with dt / tau_mem = 1 - beta, so the drive is
    multiplied by ``drive_scale`` = 1 / (1 - beta): the same linear weights then give the same spikes.
    Constants live here, as buffers or parameters (Norse registers none); ``cell`` is built from them on
    demand. Norse's reset carries gradient, and its surrogates are the nearest to ours, not equal.

    Args:
        size: number of neurons.
        beta, alpha, threshold: [neuron] constants; alpha None = delta synapse.
        reset: "zero", "subtract" or "none" (delta synapses); current-based neurons know "zero" only.
        learn_beta, learn_alpha, learn_threshold: make the constant a parameter.
        surrogate: "fast_sigmoid" (Norse's "super"), "triangle" or "atan" (Norse's "circ").
        surrogate_slope: steepness; Norse's "super" has none.
        dt: length of a step in seconds.

    Raises:
        ConfigError: a reset delay, an unknown combination of synapse and reset, or beta = 1.
    """

    beta: Tensor
    alpha: Tensor | None
    threshold: Tensor

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
        dt: float,
    ) -> None:
        super().__init__()
        if reset_delay == 1:
            refuse(
                "Norse resets at once, it has no reset delay",
                "model.reset_delay=0   (or model.neuron=native)",
            )
        if alpha is not None and reset != "zero":
            refuse(
                f"Norse LIFCell knows reset zero, not {reset}",
                "model.neuron=native   (or model.tau_syn=null)",
            )
        if surrogate not in _NORSE_METHODS:
            refuse(f"Norse has no surrogate '{surrogate}'", "model.surrogate=fast_sigmoid")
        if bool((beta >= 1).any()):
            refuse("Norse cannot compute beta = 1: its drive is scaled by 1 - beta", "model.neuron=native")
        self.size, self.reset, self.reset_delay = size, reset, reset_delay
        self.dt = dt
        self.method, parameter = _NORSE_METHODS[surrogate]
        self.surrogate_parameter = parameter(surrogate_slope)
        constants = {
            "beta": (beta, learn_beta),
            "alpha": (alpha, learn_alpha),
            "threshold": (threshold, learn_threshold),
        }
        for name, (value, learned) in constants.items():
            if value is not None and learned:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    def constants(self) -> LIFConstants:
        """Return the constants in the project's units, clamped to 0..1 with straight-through gradient."""
        beta = straight_through(self.beta, self.beta.clamp(0, LARGEST_NORSE_BETA))
        alpha = None if self.alpha is None else straight_through(self.alpha, self.alpha.clamp(0, 1))
        return LIFConstants(beta=beta, alpha=alpha, threshold=self.threshold)

    @property
    def drive_scale(self) -> Tensor:
        """Factor on the drive, [neuron]: 1 / (1 - beta)."""
        return 1 / (1 - self.constants().beta)

    @property
    def cell(self) -> nn.Module:
        """The Norse cell with the constants of this moment."""
        constants = self.constants()
        zero = torch.zeros_like(constants.threshold)
        common: dict[str, Any] = {
            "tau_mem_inv": (1 - constants.beta) / self.dt,
            "v_leak": zero,
            "v_reset": zero,
            "v_th": constants.threshold,
            "method": self.method,
            "alpha": self.surrogate_parameter,
        }
        if constants.alpha is None:
            parameters = norse.LIFBoxParameters(**common, reset_method=_NORSE_RESETS[self.reset])
            return norse.LIFBoxCell(parameters, dt=self.dt)
        return norse.LIFCell(norse.LIFParameters(tau_syn_inv=(1 - constants.alpha) / self.dt, **common), dt=self.dt)

    def forward(self, drive: Tensor) -> tuple[Tensor, Tensor]:
        """Run the cell over drive [time, batch, neuron] from zero state; returns spikes and membranes."""
        with torch.autocast(device_type=drive.device.type, enabled=False):
            scaled = drive.float() * self.drive_scale
            zeros = torch.zeros_like(scaled[0])
            cell = self.cell
            if self.alpha is None:
                state: Any = norse.LIFBoxFeedForwardState(v=zeros)
            else:
                state = norse.LIFFeedForwardState(v=zeros, i=zeros)
            spikes, membranes = [], []
            for x in scaled:
                spike, state = cell(x, state)
                spikes.append(spike)
                membranes.append(state.v)
        return torch.stack(spikes), torch.stack(membranes)
