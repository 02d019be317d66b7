"""A layer of neurons that spike at most once, at exact times."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons.chip_noise import ChipNoise
from lightning_neuro.neurons.delays import Delays
from lightning_neuro.neurons.first_spike import spike_times
from lightning_neuro.neurons.lif import straight_through
from lightning_neuro.neurons.observed_spikes import observed_spikes
from lightning_neuro.neurons.spike_noise import LOWEST_THRESHOLD, SpikeNoise


class SpikeTimeLayer(nn.Module):
    """First-spike times of current-based LIF neurons; equations in ``first_spike``.

    All constants are buffers, so a checkpoint holds them; so is the fixed pattern of the thresholds
    (``threshold_offset``), which is drawn once, here. Noise acts in training and evaluation alike, as on hardware.

    Args:
        weights: [n_in, n_out] first weights, unit of the threshold; their type is that of the computation.
        tau_syn: synaptic time constant, unit of the times.
        tau_mem: membrane time constant, unit of the times.
        threshold: > 0.
        delays: learnable delays between inputs and neurons, or None.
        max_dw_norm: a (sample, neuron) whose largest |dL/dw| is above it adds nothing to the weight gradient; None = no
            veto.
        weight_step: the forward pass sees w = step round(w / step), half to even, with the gradient passed straight
            through; None = unrounded.
        weight_max: and -weight_max <= w <= weight_max; None = unlimited.
        noise: see :class:`SpikeNoise`.
        chip: neurons are on chips drawn anew in every call, see :class:`ChipNoise`; None = on none.

    Raises:
        ConfigError: a constant is out of range, or the delays do not fit the weights.
    """

    tau_syn: Tensor
    tau_mem: Tensor
    threshold: Tensor
    threshold_offset: Tensor

    def __init__(
        self,
        weights: Tensor,
        *,
        tau_syn: float,
        tau_mem: float,
        threshold: float,
        delays: Delays | None,
        max_dw_norm: float | None,
        weight_step: float | None,
        weight_max: float | None,
        noise: SpikeNoise,
        chip: ChipNoise | None,
    ) -> None:
        super().__init__()
        for name, value in (
            ("tau_syn", tau_syn),
            ("tau_mem", tau_mem),
            ("threshold", threshold),
            ("max_dw_norm", max_dw_norm),
            ("weight_step", weight_step),
            ("weight_max", weight_max),
        ):
            _check_positive(name, value)
        self.weights = nn.Parameter(weights.detach().clone())
        self.delays = delays
        self.max_dw_norm = math.inf if max_dw_norm is None else max_dw_norm
        self.weight_step, self.weight_max, self.noise, self.chip = weight_step, weight_max, noise, chip
        for name, value in (("tau_syn", tau_syn), ("tau_mem", tau_mem), ("threshold", threshold)):
            self.register_buffer(name, torch.tensor(value, dtype=weights.dtype))
        self.register_buffer("threshold_offset", noise.fixed_pattern(weights.shape[1], weights.dtype))

    def effective_weights(self) -> Tensor:
        """Return the weights as the neurons see them, rounded and limited, [n_in, n_out], differentiable."""
        if self.weight_step is None and self.weight_max is None:
            return self.weights
        seen = self.weights.detach()
        if self.weight_step is not None:
            seen = torch.round(seen / self.weight_step) * self.weight_step
        if self.weight_max is not None:
            seen = seen.clamp(-self.weight_max, self.weight_max)
        return straight_through(self.weights, seen)

    def thresholds(self) -> Tensor:
        """Return the thresholds with their fixed pattern, without the noise that changes, [n_out]."""
        return torch.maximum(self.threshold + self.threshold_offset, LOWEST_THRESHOLD * self.threshold)

    def forward(self, times: Tensor) -> Tensor:
        """Return the first spikes [batch, n_out], inf = silent.

        Args:
            times: [batch, n_in] input spikes, inf = silent.
        """
        thresholds = self.thresholds()
        if self.noise.varies:
            thresholds = torch.maximum(self.noise.thresholds(thresholds, len(times)), LOWEST_THRESHOLD * self.threshold)
        times, weights = times.to(self.weights.dtype), self.effective_weights()
        if self.chip is None:
            spikes = self._solve(times, weights, thresholds, None)
        else:
            spikes = self.chip.spikes(times, weights, thresholds, self._solve)
        return self.noise.jittered(spikes)

    def _solve(self, times: Tensor, weights: Tensor, thresholds: Tensor, stretch: Tensor | None) -> Tensor:
        return spike_times(
            times,
            weights,
            tau_syn=float(self.tau_syn),
            tau_mem=float(self.tau_mem),
            threshold=thresholds,
            delays=None if self.delays is None else self.delays(),
            max_dw_norm=self.max_dw_norm,
            stretch=stretch,
        )

    def observed(self, times: Tensor, spikes: Tensor) -> Tensor:
        """Return spikes that a chip observed, with the gradients of these neurons at their times.

        Args:
            times: [batch, n_in] spikes that the neurons got, inf = silent.
            spikes: [batch, n_out] first spikes.
        """
        unit = float(self.tau_syn)
        found = observed_spikes(
            spikes.to(self.weights.dtype) / unit,
            times.to(self.weights.dtype) / unit,
            self.effective_weights(),
            conductance=unit / float(self.tau_mem),
            threshold=self.thresholds(),
            max_dw_norm=self.max_dw_norm,
        )
        return found * unit

    @torch.no_grad()
    def rectify(self) -> None:
        """Bring weights and delays back into their range; call it after each step of the optimiser."""
        if self.weight_max is not None:
            self.weights.clamp_(-self.weight_max, self.weight_max)
        if self.delays is not None:
            self.delays.rectify()

    def extra_repr(self) -> str:
        """Show size and time constants in printed models."""
        n_in, n_out = self.weights.shape
        return f"{n_in} -> {n_out}, tau_syn={float(self.tau_syn):g}, tau_mem={float(self.tau_mem):g}"


def _check_positive(name: str, value: float | None) -> None:
    if value is not None and not 0 < value < math.inf:
        raise ConfigError(
            f"{name} {value:g} must be positive and finite",
            where=f"model.{name}",
            why="it is a time constant, a level or a limit",
            next_command=f"model.{name}=1",
        )
