"""The leaky integrate-and-fire layer: constants as tensors, state created per call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons.recurrence import RESETS, Reset
from lightning_neuro.neurons.sequence import Kernel, LIFSequence, kernel_for
from lightning_neuro.neurons.surrogate import Surrogate

BetaConstraint = Literal["none", "shift"]
MAX_SHIFT = 15
SMALLEST_THRESHOLD = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class LIFConstants:
    """The effective constants of a layer, each of shape [neuron].

    Args:
        beta: share of the membrane that survives a step, 0..1 (1 - dt / tau_mem).
        alpha: share of the synaptic current that survives a step, 0..1; None for delta synapses.
        threshold: in the unit of the weights.
    """

    beta: Tensor
    alpha: Tensor | None
    threshold: Tensor


class LIF(nn.Module):
    """A layer of LIF neurons that runs a whole sequence at once.

    i[t] = alpha i[t-1] + x[t];  v[t] = beta v[t-1] + i[t];  s[t] = v[t] > threshold;  reset.

    Args:
        size: number of neurons.
        beta: share of the membrane kept per step, one number or [size].
        alpha: share of the current kept per step, one number or [size]; None = delta synapse (i = x).
        threshold: firing threshold, one number or [size].
        reset: "zero" (v to 0), "subtract" (v minus threshold) or "none" (read-out).
        reset_delay: 0 = the reset acts at once, 1 = it acts at the start of the next step.
        learn_beta: make beta a parameter; likewise ``learn_alpha``, ``learn_threshold``.
        beta_constraint: "shift" rounds beta to the nearest 1 - 2^-k (straight-through gradient) or "none".
        surrogate: the surrogate derivative.

    Attributes:
        kernel_in_training: makes what runs the neurons while they are trained; None is the usual kernel.

    Raises:
        ConfigError: a constant is out of range or has the wrong shape.
    """

    beta: Tensor
    alpha: Tensor | None
    threshold: Tensor

    def __init__(
        self,
        size: int,
        *,
        beta: float | Tensor,
        alpha: float | Tensor | None,
        threshold: float | Tensor,
        reset: Reset,
        reset_delay: Literal[0, 1],
        learn_beta: bool,
        learn_alpha: bool,
        learn_threshold: bool,
        beta_constraint: BetaConstraint,
        surrogate: Surrogate,
    ) -> None:
        super().__init__()
        check_choice("reset", reset, RESETS)
        check_choice("reset_delay", reset_delay, (0, 1))
        check_choice("beta_constraint", beta_constraint, ("none", "shift"))
        self.size, self.reset, self.reset_delay = size, reset, reset_delay
        self.beta_constraint = beta_constraint
        self.surrogate = surrogate
        self.kernel_in_training: Callable[[], Kernel] | None = None
        self._own("beta", per_neuron("beta", beta, size, upper=1.0), learn_beta)
        self._own("threshold", per_neuron("threshold", threshold, size, upper=None), learn_threshold)
        if alpha is None:
            self.alpha = None
        else:
            self._own("alpha", per_neuron("alpha", alpha, size, upper=1.0), learn_alpha)

    def _own(self, name: str, value: Tensor, learned: bool) -> None:
        if learned:
            self.register_parameter(name, nn.Parameter(value))
        else:
            self.register_buffer(name, value)

    def constants(self) -> LIFConstants:
        """Return the effective constants (clamped, constrained), differentiable where they are learned."""
        beta = straight_through(self.beta, self.beta.clamp(0, 1))
        if self.beta_constraint == "shift":
            beta = straight_through(beta, nearest_shift(beta))
        alpha = None if self.alpha is None else straight_through(self.alpha, self.alpha.clamp(0, 1))
        floor = self.threshold.clamp_min(SMALLEST_THRESHOLD)
        return LIFConstants(beta=beta, alpha=alpha, threshold=straight_through(self.threshold, floor))

    def forward(self, drive: Tensor) -> tuple[Tensor, Tensor]:
        """Run the layer from zero state.

        Args:
            drive: [time, batch, neuron] weighted input; half precision is computed in float32.

        Returns:
            Spikes (0 or 1) and the membrane after the reset line, both [time, batch, neuron].
        """
        return self.run(drive, self.constants())

    def run(self, drive: Tensor, constants: LIFConstants) -> tuple[Tensor, Tensor]:
        """Run the layer with other constants than its own; arguments and result else as in ``forward``."""
        with torch.autocast(device_type=drive.device.type, enabled=False):
            drive = drive.float() if drive.dtype in (torch.float16, torch.bfloat16) else drive
            beta, threshold = constants.beta.to(drive.dtype), constants.threshold.to(drive.dtype)
            alpha = None if constants.alpha is None else constants.alpha.to(drive.dtype)
            chosen = self.kernel_in_training if self.training else None
            kernel = kernel_for(drive) if chosen is None else chosen()
            return LIFSequence.apply(
                drive, beta, alpha, threshold, self.surrogate, self.reset, self.reset_delay, kernel
            )

    def extra_repr(self) -> str:
        """Show size, synapse and reset in printed models."""
        synapse = "delta" if self.alpha is None else "current-based"
        return f"{self.size}, {synapse}, reset={self.reset}, reset_delay={self.reset_delay}"


def nearest_shift(beta: Tensor) -> Tensor:
    """Return the nearest 1 - 2^-k (k = 0 .. 15, nearest in k), the leaks that a bit shift can do.

    >>> nearest_shift(torch.tensor([0.9, 0.5, 0.97])).tolist()
    [0.875, 0.5, 0.96875]
    """
    k = torch.round(-torch.log2((1 - beta.detach()).clamp_min(2.0**-MAX_SHIFT))).clamp(0, MAX_SHIFT)
    return 1 - torch.exp2(-k)


def straight_through(parameter: Tensor, effective: Tensor) -> Tensor:
    """Return ``effective``, exactly, with the gradient of ``parameter``."""
    if not parameter.requires_grad:
        return effective.detach()
    return _StraightThrough.apply(parameter, effective.detach())


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, parameter: Tensor, effective: Tensor) -> Tensor:
        return effective.clone()

    @staticmethod
    def backward(ctx, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        return grad_outputs[0], None


def per_neuron(name: str, value: float | Tensor, size: int, *, upper: float | None) -> Tensor:
    """Return ``value`` as a float32 tensor of shape [size] after checking its range.

    Raises:
        ConfigError: wrong shape, not finite, or outside 0..upper (thresholds: not positive).
    """
    tensor = torch.as_tensor(value, dtype=torch.float32).detach().clone()
    if tensor.ndim == 0:
        tensor = tensor.repeat(size)
    if tensor.shape != (size,):
        _refuse(
            name,
            f"{name} has shape {list(tensor.shape)}, the layer has {size} neurons",
            "one value per neuron",
        )
    inside = (tensor >= 0) & (tensor <= upper) if upper is not None else tensor > 0
    if not bool((inside & torch.isfinite(tensor)).all()):
        wanted = f"0 <= {name} <= {upper:g}" if upper is not None else f"{name} > 0"
        _refuse(name, f"{name} {tensor[~inside][:1].tolist()} is out of range", wanted)
    return tensor


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise ConfigError unless ``value`` is one of ``choices``."""
    if value not in choices:
        _refuse(name, f"{name}={value} is unknown", f"choices are {', '.join(map(str, choices))}", str(choices[0]))


def _refuse(name: str, what: str, why: str, example: str = "...") -> None:
    raise ConfigError(what, where=f"model.{name}", why=why, next_command=f"model.{name}={example}")
