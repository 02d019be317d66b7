"""Corrections measured with spikes on training data: the mean error of every channel moves into its bias.

With reset to zero a constant drive z gives the rate 1 / ceil(threshold / z), always below z / threshold: there a spike
is first given the worth that brings rates closest to activations, a factor in the weights behind it.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from lightning_neuro.convert.folded import INPUT, FoldedNetwork, Path, activations
from lightning_neuro.convert.simulate import drive, entering, respond
from lightning_neuro.convert.spiking import SpikingLayer, SpikingNetwork
from lightning_neuro.convert.stages import by_channel, scale_input

_ROUNDS = 4  # of one layer: the response to a bias is not linear, so what error remains is measured again
_NOTHING = 1e-6  # of a spike's worth; QCFS networks that repeat their ANN exactly stay as they are


def correct_biases(folded: FoldedNetwork, network: SpikingNetwork, values: Tensor) -> SpikingNetwork:
    """Correct layer after layer, each with the spikes of the corrected layers before it (Li et al., ICML 2021).

    Args:
        folded: the ANN, whose mean activations are the aim.
        network: converted.
        values: training inputs [sample, *input shape]; T is the conversion's ``steps``.
    """
    with torch.no_grad():
        wanted = activations(folded, values)
        signals = {INPUT: entering(network, values, network.options.steps, 0)}
        for name in [layer.name for layer in network.layers]:
            layer = network.layer(name)
            arriving = drive(layer, signals)
            aim = wanted[layer.name].clamp(
                min=-torch.inf if layer.threshold is None else 0.0
            )  # spikes count upwards only
            if layer.threshold is not None and network.options.reset == "zero":
                network = _revalued(network, layer, arriving, aim)
                layer = network.layer(layer.name)
            layer = _corrected(network, layer, arriving, aim)
            network = network.with_layer(layer)
            if layer.threshold is not None:
                answer = respond(network, layer, arriving, network.options.steps)
                signals[layer.name] = answer.reshape(*answer.shape[:2], *layer.shape)
    return network


def _revalued(network: SpikingNetwork, layer: SpikingLayer, arriving: Tensor, wanted: Tensor) -> SpikingNetwork:
    """The network with spikes of a layer worth what loses the least squared error, ``sum(a r) / sum(r r)``."""
    steps = network.options.steps
    rates = _channels(respond(network, layer, arriving, steps).sum(dim=1).reshape(wanted.shape) / steps)
    fitted = (_channels(wanted) * rates).sum(dim=1) / rates.square().sum(dim=1)
    known = torch.isfinite(fitted) & (fitted > 0)  # silent channels keep theirs
    worth = torch.where(known, fitted, layer.worth)
    for later in network.layers:
        paths = tuple(
            Path(source=p.source, stages=scale_input(p.stages, worth / layer.worth, layer.shape))
            if p.source == layer.name
            else p
            for p in later.paths
        )
        network = network.with_layer(dataclasses.replace(later, paths=paths))
    return network.with_layer(dataclasses.replace(layer, worth=worth))


def _corrected(network: SpikingNetwork, layer: SpikingLayer, arriving: Tensor, wanted: Tensor) -> SpikingLayer:
    rounds = 1 if layer.threshold is None else _ROUNDS
    for _ in range(rounds):
        error = _channel_mean(wanted - _answered(network, layer, arriving).reshape(wanted.shape))
        error = torch.where(error.abs() > _NOTHING * layer.worth, error, 0)
        layer = dataclasses.replace(layer, bias=layer.bias + by_channel(error * layer.scale, len(layer.shape)))
    return layer


def _answered(network: SpikingNetwork, layer: SpikingLayer, arriving: Tensor) -> Tensor:
    """Activation that the spikes of T steps stand for, [sample, neuron]."""
    steps = network.options.steps
    if layer.threshold is not None:
        return respond(network, layer, arriving, steps).sum(dim=1) / steps * layer.spread(layer.worth)
    summed = network.options.schedule == "layer_sequential"
    return (arriving[:, 0] / steps if summed else arriving.mean(dim=1)) + layer.bias.flatten()


def _channels(values: Tensor) -> Tensor:
    return values.transpose(0, 1).flatten(1)


def _channel_mean(values: Tensor) -> Tensor:
    return _channels(values).mean(dim=1)
