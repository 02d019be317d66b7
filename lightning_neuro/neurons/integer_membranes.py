"""Membranes as integers in the forward pass of training: the golden model's own kernel, with surrogate gradients.

The layer before has rounded weights, so its drive is a whole number of LSBs; leak, threshold and range are those that
deployment chooses for these weights (``graph.quantize``). Gradients are those of real membranes with the same decay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_neuro.graph.fixed import Format, leak_constants, round_half_even, to_raw
from lightning_neuro.graph.hardware_graph import ResetKind
from lightning_neuro.graph.kernels import RESET_CODES, resume_integers
from lightning_neuro.graph.quantize import state_format
from lightning_neuro.neurons import recurrence
from lightning_neuro.neurons.recurrence import Reset, Trace

if TYPE_CHECKING:
    from lightning_neuro.neurons.sequence import Kernel

_NO_LEAK = np.zeros(1, np.int64)
_NEVER = np.iinfo(np.int64).max  # step in which neurons stop to spike


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegerMembranes:
    """A kernel for ``LIFSequence``; every argument as in deployment.

    Args:
        weight_lsb: LSB of the weights before the layer.
        state_bits: bits of a membrane, sign included.
        leak_bits: largest shift of a leak.
    """

    weight_lsb: float
    state_bits: int
    leak_bits: int

    def integrate(
        self, drive: Tensor, beta: Tensor, alpha: Tensor | None, threshold: Tensor, reset: Reset, reset_delay: int
    ) -> Trace:
        """Run the neurons from zero state in integers; results in the unit of the weights.

        Args:
            drive: [time, batch, neuron].
            beta, alpha, threshold: constants, [neuron].
            reset: "zero" or "subtract".
            reset_delay: 0 or 1.

        Membranes that do not leak stay real: deployment measures their range when training has ended.
        """
        if bool((beta == 1.0).any()):
            return _real_kernel(drive).integrate(drive, beta, alpha, threshold, reset, reset_delay)
        theta = threshold.detach().double().cpu().numpy()
        state = state_format(self.weight_lsb, self.state_bits, float(np.abs(theta).max()))
        decays = leak_constants(beta.detach().double().cpu().numpy(), self.leak_bits)
        slow = _NO_LEAK, 0
        current_based = alpha is not None
        if alpha is not None:
            slow = leak_constants(alpha.detach().double().cpu().numpy(), self.leak_bits)
        x = round_half_even(drive.detach().transpose(0, 1).double().cpu().numpy() / state.lsb)
        samples, _, n = x.shape
        spikes, membrane = np.empty(x.shape, np.uint8), np.empty(x.shape, np.int64)
        v, i = np.zeros((samples, n), np.int64), np.zeros((samples, n), np.int64)
        raw_threshold = to_raw(theta, state)
        resume_integers(
            np.ascontiguousarray(x), current_based, *slow, *decays, raw_threshold, np.zeros(n, np.int64),
            RESET_CODES[ResetKind(reset)], reset_delay, 0, 0, _NEVER, state.low, state.high, v, i,
            np.zeros((samples, n), np.uint8), spikes, membrane,
        )  # fmt: skip
        before = membrane if reset_delay else _before_reset(membrane, x, decays, slow, current_based, state)

        def real(values: NDArray[np.int64]) -> Tensor:
            return torch.from_numpy(np.swapaxes(values, 0, 1) * state.lsb).to(drive)

        current = drive if alpha is None else recurrence.leaky_sum(drive, alpha)
        fired = torch.from_numpy(np.ascontiguousarray(np.swapaxes(spikes, 0, 1))).to(drive)
        return Trace(fired, real(membrane), real(before), current)

    def reverse_scan(self, source: Tensor, decay: Tensor, open_gate: Tensor | None) -> Tensor:
        """The adjoint of real membranes; see ``recurrence.reverse_scan``."""
        return _real_kernel(source).reverse_scan(source, decay, open_gate)


def _real_kernel(values: Tensor) -> Kernel:
    from lightning_neuro.neurons.sequence import kernel_for  # imported late: it imports this package's kernels

    return kernel_for(values)


def _before_reset(
    after: NDArray[np.int64],
    drive: NDArray[np.int64],
    decays: tuple[NDArray[np.int64], int],
    slow: tuple[NDArray[np.int64], int],
    current_based: bool,
    state: Format,
) -> NDArray[np.int64]:
    """The membrane that was compared, [sample, step, neuron]: one step from the membrane after the last reset."""
    previous = np.concatenate([np.zeros_like(after[:, :1]), after[:, :-1]], axis=1)
    arriving = drive
    if current_based:
        arriving = np.empty_like(drive)
        current = np.zeros_like(drive[:, 0])
        for t in range(drive.shape[1]):
            current = current - ((current * slow[0]) >> slow[1]) + drive[:, t]
            arriving[:, t] = current
    return np.clip(previous - ((previous * decays[0]) >> decays[1]) + arriving, state.low, state.high)
