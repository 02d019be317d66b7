"""Whether a recording says something about the constants of a network's neurons."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lightning_neuro.errors import DataError, GraphError
from lightning_neuro.graph.hardware_graph import ReadoutKind
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork, SpikeEvents
from lightning_neuro.targets.brainscales.recording import spike_counts


def check_fittable(network: ChipNetwork, inputs: SpikeEvents, recorded: Mapping[str, SpikeEvents]) -> None:
    """Refuse networks whose neurons spike more than once, and recordings of something else.

    Raises:
        GraphError, DataError: names the first thing that does not fit.
    """
    for layer in network.layers:
        once = layer.spiking and layer.refractory_us >= network.sample_us
        if not once or network.readout is not ReadoutKind.FIRST_SPIKE:
            raise GraphError(
                "only networks of first spikes can be fitted",
                where=layer.name,
                why="the fit follows how the first spike of a neuron moves with its constants",
                next_command="record a network of model=spike_time on the same chip and fit that",
            )
    if network.output not in recorded:
        raise _refusal("no spikes of the output layer", network.output)
    if spike_counts(inputs).max(initial=0) > 1:
        raise _refusal("an input line that spikes more than once in a sample", network.input)
    for name, events in recorded.items():
        if (events.samples, events.size) != (inputs.samples, network.layer(name).size):
            raise _refusal(f"{events.samples} samples of {events.size} neurons", name)
    if not np.isin(recorded[network.output].sample, np.arange(inputs.samples)).any():
        raise _refusal("not one output spike", network.output)


def _refusal(what: str, where: str) -> DataError:
    return DataError(
        f"the recording has {what}",
        where=where,
        why="it must come from the network that is fitted, with the same samples",
        next_command="run the scripts of the artefact on the chip again and give their result",
    )
