"""A virtual chip as a partner of training: weights and input spikes in, first spikes out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import ReadoutKind
from lightning_neuro.models.spike_time_network import SpikeTimeNetwork
from lightning_neuro.targets.brainscales.chip_network import ChipLayer, ChipNetwork, ChipProjection
from lightning_neuro.targets.brainscales.emulator import emulate
from lightning_neuro.targets.brainscales.recording import events_of, first_spikes
from lightning_neuro.targets.brainscales.virtual_chip import VirtualChip

INPUT = "input"


def loop_network(network: SpikeTimeNetwork, *, unit_us: float, sample_us: float) -> ChipNetwork:
    """The chip's view of a network in training, with weights 0: constants, sizes, who feeds whom.

    Layers are called ``layer1``, ``layer2``, ...; the input's lines are those of all layers, one after the other.

    Args:
        network: with a weight step, the LSB.
        unit_us: hardware microseconds of a unit of the network's times.
        sample_us: length of a sample.
    """
    layers, projections, before = [], [], INPUT
    own = [len(times) for times in network.bias_times]
    own[0] = network.layers[0].weights.shape[0]  # type: ignore[union-attr]
    for number, layer in enumerate(network.layers, start=1):
        inputs, size = map(int, layer.weights.shape)  # type: ignore[union-attr]
        name = f"layer{number}"
        tau_mem, tau_syn = float(layer.tau_mem), float(layer.tau_syn)  # type: ignore[arg-type]
        layers.append(
            ChipLayer(
                name=name,
                size=size,
                spiking=True,
                tau_mem_us=tau_mem * unit_us,
                tau_syn_us=tau_syn * unit_us,
                threshold=float(layer.threshold),  # type: ignore[arg-type]
                v_leak=0.0,
                v_reset=0.0,
                refractory_us=sample_us,
                weight_scale=tau_syn / (layer.weight_step * tau_mem),  # type: ignore[operator]
            )
        )
        if number > 1:
            from_before = np.zeros((size, inputs - own[number - 1]), np.int64)
            projections.append(ChipProjection(pre=before, post=name, weights=from_before))
        if own[number - 1]:
            projections.append(ChipProjection(pre=INPUT, post=name, weights=np.zeros((size, sum(own)), np.int64)))
        before = name
    return ChipNetwork(
        input=INPUT,
        lines=sum(own),
        layers=tuple(layers),
        projections=tuple(projections),
        output=before,
        readout=ReadoutKind.FIRST_SPIKE,
        sample_us=sample_us,
        gap_us=0.0,
        speedup=1000.0,
        notes=(),
    )


class EmulatedChip:
    """A ``ChipRun`` on a virtual chip; every call is another run, with other noise.

    Args:
        network: of ``loop_network``.
        chip: drawn or fitted for it.
    """

    def __init__(self, network: ChipNetwork, chip: VirtualChip) -> None:
        self.network, self.chip, self.runs = network, chip, 0

    def __call__(
        self, weights: Sequence[NDArray[np.int64]], lines: Sequence[NDArray[np.float64]]
    ) -> list[NDArray[Any]]:
        """Return the first spikes of every layer; see ``ChipRun``."""
        network = _with_weights(self.network, weights, [line.shape[1] for line in lines])
        inputs = events_of(np.concatenate(list(lines), axis=1))
        recording = emulate(network, inputs, [self.chip], run=self.runs)[0]
        self.runs += 1
        return [first_spikes(recording.spikes[layer.name]) for layer in network.layers]


def _with_weights(network: ChipNetwork, weights: Sequence[NDArray[np.int64]], own: Sequence[int]) -> ChipNetwork:
    """The network with weights [neuron, input]: of the layer before, then of the layer's own lines."""
    first = np.cumsum([0, *own])
    by_layer = {layer.name: number for number, layer in enumerate(network.layers)}
    projections = []
    for projection in network.projections:
        number = by_layer[projection.post]
        matrix = weights[number]
        split = matrix.shape[1] - own[number]
        values = matrix[:, :split]
        if projection.pre == network.input:
            values = np.zeros(projection.weights.shape, np.int64)
            values[:, first[number] : first[number + 1]] = matrix[:, split:]
        projections.append(ChipProjection(pre=projection.pre, post=projection.post, weights=values))
    return dataclasses.replace(network, projections=tuple(projections))
