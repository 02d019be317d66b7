"""Training with a chip in the loop: spikes from the chip, gradients from the model.

    model = SpikeTimeClassifier.load_from_checkpoint(...)
    in_the_loop(model.network, chip, unit_us=6.0)        # chip: anything that is a ``ChipRun``
    trainer.fit(model, data)

The chip gets the weights as integers of ``weight_step`` and the spikes of the input lines in microseconds, and answers
with the first spikes of every layer. What it does differently from the model is then in the loss, so the weights learn
around it. ``None`` in place of a chip ends it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_neuro.errors import ConfigError
from lightning_neuro.models.spike_time_network import SpikeTimeNetwork
from lightning_neuro.neurons.spike_time_layer import SpikeTimeLayer


class ChipRun(Protocol):
    """Runs a chain of layers on a chip, a real or a virtual one."""

    def __call__(
        self, weights: Sequence[NDArray[np.int64]], lines: Sequence[NDArray[np.float64]]
    ) -> Sequence[NDArray[Any]]:
        """Return the first spikes of every layer in microseconds, [sample, neuron], inf = silent.

        Args:
            weights: of every layer in LSB, [neuron, input]; inputs are the layer before, then the layer's own lines.
            lines: of every layer, spikes of its own input lines in microseconds, [sample, line], inf = silent: all
                inputs and biases of the first layer, biases of the others.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipLoop:
    """A chip and the unit of its time.

    Args:
        chip: what runs the network.
        unit_us: hardware microseconds of a unit of the network's times.
    """

    chip: ChipRun
    unit_us: float

    def spikes(self, network: SpikeTimeNetwork, times: Tensor) -> list[Tensor]:
        """Return the first spikes of every layer as the chip observed them, [batch, n_out], units of tau_syn.

        Args:
            network: the weights of which go to the chip.
            times: [batch, n_in] spikes of the data, units of tau_syn.
        """
        empty = times[:, :0]
        lines = [network.layer_input(k, times if k == 0 else empty) for k in range(len(network.layers))]
        found = self.chip(
            [lsb_weights(layer) for layer in network.layers],  # type: ignore[arg-type]
            [line.detach().cpu().to(torch.float64).numpy() * self.unit_us for line in lines],
        )
        return [torch.as_tensor(np.asarray(spikes) / self.unit_us).to(times) for spikes in found]


def lsb_weights(layer: SpikeTimeLayer) -> NDArray[np.int64]:
    """Return the weights of a layer in LSB, [neuron, input].

    Args:
        layer: with a weight step, which is the LSB.
    """
    assert layer.weight_step is not None
    weights = layer.effective_weights().detach().cpu().to(torch.float64).numpy()
    return np.rint(weights.T / layer.weight_step).astype(np.int64)


def in_the_loop(network: SpikeTimeNetwork, chip: ChipRun | None, *, unit_us: float) -> None:
    """Let a chip compute the spikes of a network from now on; None lets the network compute them itself again.

    Args:
        network: whose layers have a ``weight_step``, no delays and no noise of their own.
        chip: runs it.
        unit_us: hardware microseconds of a unit of the network's times, tau_syn on the chip.

    Raises:
        ConfigError: the weights are not on a grid, or the network has delays.
    """
    if chip is None:
        network.loop = None
        return
    for layer in network.layers:
        if layer.weight_step is None:
            raise _refusal("weights that are on no grid", "model.weight_step=0.01282051282")
        if layer.delays is not None:
            raise _refusal("delays, which the chip does not have", "model.delays=none   (train again)")
    if not 0 < unit_us < math.inf:
        raise _refusal(f"unit_us={unit_us}", "unit_us=6.0")
    network.loop = ChipLoop(chip=chip, unit_us=unit_us)


def _refusal(what: str, remedy: str) -> ConfigError:
    return ConfigError(
        f"a network with {what} cannot train with a chip in the loop",
        where="in_the_loop",
        why="the chip gets integers as weights and times in microseconds, and adds no delays",
        next_command=remedy,
    )
