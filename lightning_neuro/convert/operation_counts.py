"""How many synapses a spike reaches: the price of a spike in synaptic operations."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from lightning_neuro.convert.folded import INPUT
from lightning_neuro.convert.spiking import SpikingNetwork
from lightning_neuro.convert.stages import apply, ones_like


@lru_cache(maxsize=16)
def fan_outs(network: SpikingNetwork) -> dict[str, Tensor]:
    """Synapses behind every neuron of every spiking layer, [neuron]; borders of convolutions have fewer."""
    sources = [layer.name for layer in network.layers if layer.threshold is not None]
    return {name: _fan_out(network, name) for name in sources}


@lru_cache(maxsize=16)
def input_fan_out(network: SpikingNetwork) -> Tensor:
    """Synapses behind every input line, [line]."""
    return _fan_out(network, INPUT)


def _fan_out(network: SpikingNetwork, source: str) -> Tensor:
    """Number of paths from each unit to all neurons behind it: the gradient of the sum of weights of one."""
    shape = network.shape_of(source)
    with torch.enable_grad():
        lines = torch.zeros(1, *shape, dtype=torch.float64, requires_grad=True)
        paths = [path for layer in network.layers for path in layer.paths if path.source == source]
        total = lines.sum() * 0 + sum(apply(ones_like(path.stages), lines).sum() for path in paths)
        (found,) = torch.autograd.grad(total, lines)
    return found.flatten()
