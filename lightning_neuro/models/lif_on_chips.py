"""Training of LIF layers as an analogue chip runs them: weights on its grid, neurons of another chip in every batch.

Both act in training alone, like dropout: validation and test are of the network that was asked for. With factors f of
the neurons of a chip (``chip_profiles``), per neuron:

    threshold <- f_threshold threshold,   alpha <- alpha^(1 / f_syn),   beta <- beta^(1 / f_mem)
    w <- w f_gain / f_mem   (delta synapses: w f_gain f_syn / f_mem, the charge of the short current in their place)

Latency and jitter are left out: they are a part of a step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons.chip_profiles import ChipProfile, NeuronFactors, chip_profile
from lightning_neuro.neurons.lif import LIF, LIFConstants, straight_through
from lightning_neuro.neurons.spike_matmul import spike_linear

SMALLEST_DECAY = 1e-6  # a power of 0 has no gradient


class LIFOnChips:
    """What the chip does to a layer in training.

    Args:
        noise: name of a profile of chips; "ideal" = exact neurons.
        weight_step: grid that weights are rounded to, half to even, with the gradient passed straight through; None =
            unrounded.
        neuron: library of the neurons.

    Raises:
        ConfigError: an unknown profile, a step that is not positive, or noise for neurons of another library.
    """

    def __init__(self, *, noise: str, weight_step: float | None, neuron: str) -> None:
        self.profile: ChipProfile | None = None if noise == "ideal" else chip_profile(noise, "model.noise")
        self.weight_step = weight_step
        if weight_step is not None and not weight_step > 0:
            raise ConfigError(
                f"weight_step={weight_step} must be > 0 or null",
                where="model.weight_step",
                why="it is the distance of neighbouring weights",
                next_command="model.weight_step=null",
            )
        if self.profile is not None and neuron != "native":
            raise ConfigError(
                f"model.noise={noise} with model.neuron={neuron}",
                where="model.noise",
                why="only native neurons have constants that differ from chip to chip",
                next_command="model.neuron=native   (or model.noise=ideal)",
            )

    @property
    def acts(self) -> bool:
        """Whether training differs from evaluation."""
        return self.profile is not None or self.weight_step is not None

    def layer(self, linear: nn.Linear, neurons: nn.Module, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Return spikes and membrane of a layer [time, batch, neuron] on a new chip.

        Args:
            linear: its weights.
            neurons: of the layer.
            signal: [time, batch, n_in] spikes or currents.
        """
        weight, bias = self._on_grid(linear.weight), linear.bias
        if self.profile is None:
            return neurons(spike_linear(signal, weight, bias))
        assert isinstance(neurons, LIF)
        draw = self.profile.draw((neurons.size,), None).to(weight)
        charge = (1 if neurons.alpha is not None else draw.tau_syn) / draw.tau_mem
        gain = torch.where(weight > 0, draw.excitatory_gain[:, None], draw.inhibitory_gain[:, None])
        drive = spike_linear(signal, weight * gain * charge[:, None], None if bias is None else bias * charge)
        return neurons.run(drive, on_chip(neurons.constants(), draw))

    def _on_grid(self, weight: Tensor) -> Tensor:
        if self.weight_step is None:
            return weight
        return straight_through(weight, torch.round(weight.detach() / self.weight_step) * self.weight_step)


def on_chip(constants: LIFConstants, draw: NeuronFactors) -> LIFConstants:
    """Return the constants [neuron] of neurons on a chip with the factors ``draw``, [neuron] each."""
    alpha = constants.alpha
    return LIFConstants(
        beta=constants.beta.clamp_min(SMALLEST_DECAY) ** (1 / draw.tau_mem),
        alpha=None if alpha is None else alpha.clamp_min(SMALLEST_DECAY) ** (1 / draw.tau_syn),
        threshold=constants.threshold * draw.threshold,
    )
