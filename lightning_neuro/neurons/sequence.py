"""One autograd function for a layer of neurons over a whole sequence.

Forward keeps the membrane before the reset and nothing per step of Python; backward is one reverse scan.
The reset is detached: the spike that resets the membrane carries no gradient (the spike that leaves
does). snnTorch does the same in its default timing (``SpikingNeuron.mem_reset``); here it holds for both
reset delays.

With surrogate sigma' at v[t] - threshold, gradients ds (of spikes), dv (of the visible membrane), and
g = dL/dv:

    g[t]  = ds[t] sigma'[t] + dv[t] keep_seen[t] + beta keep[t] g[t+1]
    dx[t] = g[t]  (delta)   or   alpha dx[t+1] + g[t]  (current-based)

``keep`` is 0 where a reset to zero wiped the membrane, else 1; ``keep_seen`` likewise, unless it is delayed.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lightning_neuro.neurons import recurrence, recurrence_numba
from lightning_neuro.neurons.recurrence import Reset, Trace
from lightning_neuro.neurons.surrogate import Surrogate


class Kernel(Protocol):
    """What runs neurons forwards and their adjoint backwards; see ``recurrence``."""

    def integrate(
        self, drive: Tensor, beta: Tensor, alpha: Tensor | None, threshold: Tensor, reset: Reset, reset_delay: int
    ) -> Trace:
        """Run the neurons from zero state."""
        ...

    def reverse_scan(self, source: Tensor, decay: Tensor, open_gate: Tensor | None) -> Tensor:
        """Scan a gradient backwards."""
        ...


def kernel_for(drive: Tensor) -> Kernel:
    """Return the compiled twin for float32 on a CPU, the torch version for everything else."""
    compiled = drive.device.type == "cpu" and drive.dtype == torch.float32
    return recurrence_numba if compiled else recurrence


class LIFSequence(torch.autograd.Function):
    """drive, beta, alpha, threshold -> spikes, visible membrane; see the module docstring."""

    @staticmethod
    def forward(
        ctx,
        drive: Tensor,
        beta: Tensor,
        alpha: Tensor | None,
        threshold: Tensor,
        surrogate: Surrogate,
        reset: Reset,
        reset_delay: int,
        kernel: Kernel,
    ) -> tuple[Tensor, Tensor]:
        """Run the kernel; keep the membrane for the backward scan."""
        trace = kernel.integrate(drive, beta, alpha, threshold, reset, reset_delay)
        learns_alpha = alpha is not None and alpha.requires_grad
        ctx.save_for_backward(
            trace.membrane, trace.spikes, beta, alpha, threshold, trace.current if learns_alpha else None
        )
        ctx.surrogate, ctx.reset, ctx.reset_delay, ctx.kernel = surrogate, reset, reset_delay, kernel
        ctx.set_materialize_grads(False)
        # an output must not be the saved tensor itself under another name: autograd would then copy it anyway
        return trace.spikes, trace.visible

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]  # once_differentiable hides the signature
        ctx, *grad_outputs: Any
    ) -> tuple[Tensor | None, ...]:
        """Scan backwards once; parameter gradients only where they are needed."""
        grad_spikes, grad_visible = grad_outputs
        membrane, spikes, beta, alpha, threshold, current = ctx.saved_tensors
        at_threshold = None
        if grad_spikes is not None:
            at_threshold = ctx.surrogate.derivative(membrane - threshold).mul_(grad_spikes)
        keep = 1 - spikes if ctx.reset == "zero" else None
        source = _source(at_threshold, grad_visible, keep if ctx.reset_delay == 0 else None, membrane)
        gradient = ctx.kernel.reverse_scan(source, beta, keep)
        grad_drive = gradient if alpha is None else ctx.kernel.reverse_scan(gradient, alpha, None)
        needs = ctx.needs_input_grad
        grad_beta = _grad_beta(gradient, membrane, spikes, threshold, ctx) if needs[1] else None
        grad_alpha = (grad_drive[1:] * current[:-1]).sum((0, 1)) if needs[2] else None
        grad_threshold = None
        if needs[3]:
            grad_threshold = _grad_threshold(gradient, at_threshold, grad_visible, spikes, beta, ctx)
        return grad_drive, grad_beta, grad_alpha, grad_threshold, None, None, None, None


def _source(at_threshold: Tensor | None, grad_visible: Tensor | None, keep: Tensor | None, like: Tensor) -> Tensor:
    """Return the gradient that reaches v[t] directly, from the spike and from the visible membrane."""
    if grad_visible is None:
        return torch.zeros_like(like) if at_threshold is None else at_threshold
    seen = grad_visible if keep is None else grad_visible * keep
    return seen if at_threshold is None else at_threshold + seen


def _grad_beta(gradient: Tensor, membrane: Tensor, spikes: Tensor, threshold: Tensor, ctx) -> Tensor:
    late = ctx.reset == "subtract" and ctx.reset_delay == 1
    carry = membrane if late else recurrence.after_reset(membrane, spikes, threshold, ctx.reset)
    return (gradient[1:] * carry[:-1]).sum((0, 1))


def _grad_threshold(
    gradient: Tensor,
    at_threshold: Tensor | None,
    grad_visible: Tensor | None,
    spikes: Tensor,
    beta: Tensor,
    ctx,
) -> Tensor:
    """Return dL/dthreshold, [neuron]: through the comparison and through a subtracting reset."""
    total = torch.zeros_like(beta) if at_threshold is None else -at_threshold.sum((0, 1))
    if ctx.reset != "subtract":
        return total
    if ctx.reset_delay == 1:
        return total - (spikes[:-1] * gradient[1:]).sum((0, 1))
    total = total - (spikes[:-1] * gradient[1:] * beta).sum((0, 1))
    return total if grad_visible is None else total - (spikes * grad_visible).sum((0, 1))
