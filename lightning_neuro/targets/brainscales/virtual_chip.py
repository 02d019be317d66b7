"""One virtual chip: the constants of every neuron, drawn from a profile with a fixed seed, or fitted to recordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import frozen
from lightning_neuro.neurons.chip_profiles import PROFILES, ChipProfile
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerFactors:
    """Factors on the nominal constants of the neurons of one layer, [neuron] each, on its synapses, and its latency.

    Args:
        threshold: on ``threshold - v_leak``.
        excitatory_gain, inhibitory_gain: on synapses with positive and negative weight.
        tau_mem, tau_syn: on the time constants.
        latency_us: from a threshold crossing to the arrival of the spike.
        synapses: on single synapses, [neuron, input of all projections in their order]; None = 1.
    """

    threshold: NDArray[Any]
    excitatory_gain: NDArray[Any]
    inhibitory_gain: NDArray[Any]
    tau_mem: NDArray[Any]
    tau_syn: NDArray[Any]
    latency_us: float
    synapses: NDArray[Any] | None

    def __post_init__(self) -> None:
        for name in FACTORS:
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))
        if self.synapses is not None:
            object.__setattr__(self, "synapses", frozen(self.synapses, np.float64))


FACTORS = ("threshold", "excitatory_gain", "inhibitory_gain", "tau_mem", "tau_syn")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VirtualChip:
    """Everything that sets one chip apart, for one network.

    Args:
        name: of the chip.
        layers: factors by layer.
        threshold_run_std, jitter_us, grid_us: see :class:`ChipProfile`.
        seed: of its noise.
    """

    name: str
    layers: Mapping[str, LayerFactors]
    threshold_run_std: float
    jitter_us: float
    grid_us: float
    seed: int


def ideal_chip(network: ChipNetwork) -> VirtualChip:
    """The chip whose neurons are those of the textbook."""
    return draw_chips(network, PROFILES["ideal"], chips=1, seed=0)[0]


def draw_chips(network: ChipNetwork, profile: ChipProfile, *, chips: int, seed: int) -> tuple[VirtualChip, ...]:
    """Draw virtual chips; chip k of a seed is the same however many are drawn.

    Args:
        network: whose layers the chips hold.
        profile: distributions.
        chips: how many.
        seed: of the draws and of the noise.
    """
    return tuple(_draw(network, profile, chip, seed) for chip in range(chips))


def _draw(network: ChipNetwork, profile: ChipProfile, chip: int, seed: int) -> VirtualChip:
    own = int(np.random.SeedSequence([seed, chip]).generate_state(1)[0])
    random = torch.Generator().manual_seed(own)
    return VirtualChip(
        name=f"chip {chip}",
        layers={
            layer.name: LayerFactors(
                **{name: getattr(profile, name).draw((layer.size,), random).numpy() for name in FACTORS},
                latency_us=profile.latency_us,
                synapses=None,
            )
            for layer in network.layers
        },
        threshold_run_std=profile.threshold_run_std,
        jitter_us=profile.jitter_us,
        grid_us=profile.grid_us,
        seed=own,
    )
