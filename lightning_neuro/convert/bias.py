"""Bias calibration: the mean error of every channel, measured with spikes on training data, moves into its bias."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from lightning_neuro.convert.folded import INPUT, FoldedNetwork, activations
from lightning_neuro.convert.simulate import drive, entering, respond
from lightning_neuro.convert.spiking import SpikingLayer, SpikingNetwork
from lightning_neuro.convert.stages import by_channel

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
        for layer in network.layers:
            arriving = drive(layer, signals)
            aim = wanted[layer.name].clamp(
                min=-torch.inf if layer.threshold is None else 0.0
            )  # spikes count upwards only
            layer = _corrected(network, layer, arriving, aim)
            network = network.with_layer(layer)
            if layer.threshold is not None:
                answer = respond(network, layer, arriving, network.options.steps)
                signals[layer.name] = answer.reshape(*answer.shape[:2], *layer.shape)
    return network


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


def _channel_mean(values: Tensor) -> Tensor:
    return values.transpose(0, 1).flatten(1).mean(dim=1)
