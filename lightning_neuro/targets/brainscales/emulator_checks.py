"""Whether a network, its inputs and its chips can be emulated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lightning_neuro.errors import GraphError
from lightning_neuro.graph.hardware_graph import ReadoutKind
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork, SpikeEvents
from lightning_neuro.targets.brainscales.virtual_chip import VirtualChip

_BY_SPIKES = (ReadoutKind.FIRST_SPIKE, ReadoutKind.SPIKE_COUNT)


def check_emulatable(network: ChipNetwork, inputs: SpikeEvents, chips: Sequence[VirtualChip]) -> None:
    """Refuse what the emulator's equations do not cover.

    Raises:
        GraphError: names the first thing that does not fit.
    """
    seen = {network.input: network.lines}
    for layer in network.layers:
        incoming = network.into(layer.name)
        if not incoming or any(p.pre not in seen or p.weights.shape != (layer.size, seen[p.pre]) for p in incoming):
            raise _refusal("synapses from an unknown or later layer, or of the wrong shape, or none", layer.name)
        if layer.spiking and not layer.threshold > max(layer.v_leak, layer.v_reset):
            raise _refusal("a threshold that is not above leak and reset potential", layer.name)
        seen[layer.name] = layer.size
    output = network.layer(network.output)
    if output.spiking is not (network.readout in _BY_SPIKES):
        raise _refusal(f"read-out {network.readout.value} of a layer that cannot give it", output.name)
    if inputs.size != network.lines or not ((inputs.time_us >= 0) & np.isfinite(inputs.time_us)).all():
        raise _refusal(
            f"{inputs.size} input lines for {network.lines}, or a spike time that is negative", network.input
        )
    for chip in chips:
        if any(layer.name not in chip.layers for layer in network.layers):
            raise _refusal(f"chip {chip.name!r} has other layers than the network", "chips")
        for layer in network.layers:
            if len(chip.layers[layer.name].threshold) != layer.size:
                raise _refusal(f"chip {chip.name!r} has another number of neurons", layer.name)


def _refusal(what: str, where: str) -> GraphError:
    return GraphError(
        what,
        where=where,
        why="virtual chips emulate feed-forward populations of current-based neurons on spikes of each input line",
        next_command="draw_chips(network, profile, ...)   (for the network at hand)",
    )
