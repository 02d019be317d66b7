"""Input spikes against what a run of the chip can be given."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lightning_neuro.errors import Violation
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork, SpikeEvents
from lightning_neuro.targets.brainscales.chip_resources import CYCLE_US
from lightning_neuro.targets.brainscales.driver_assignment import Fans


def check_inputs(network: ChipNetwork, inputs: SpikeEvents) -> tuple[Violation, ...]:
    """Every constraint that input spikes break.

    Args:
        network: of the inputs.
        inputs: of all samples.
    """
    return (*_inside(network, inputs), *_rate(network, inputs))


def events_per_us(network: ChipNetwork, inputs: SpikeEvents) -> float:
    """Mean rate of input events in the busiest sample, per hardware microsecond; a repeated line sends each copy."""
    if not inputs.sample.size:
        return 0.0
    copies = np.resize(Fans(network=network).copies.get(network.input, np.ones(1)), inputs.size)[inputs.neuron]
    return float(np.bincount(inputs.sample, weights=copies, minlength=inputs.samples).max()) / network.sample_us


def _inside(network: ChipNetwork, inputs: SpikeEvents) -> Iterator[Violation]:
    """Spikes come at or after 0 and before the sample ends."""
    if inputs.size != network.lines:
        yield Violation(
            where=network.input,
            what="input lines",
            needed=f"{inputs.size}",
            available=f"{network.lines}",
            remedy="check the data set that the network was trained on (data=...)",
        )
    if not inputs.time_us.size:
        return
    first, last = float(inputs.time_us.min()), float(inputs.time_us.max())
    if not np.isfinite(last) or first < 0:
        yield Violation(
            where=network.input,
            what="spike times",
            needed=f"{first:.4g} to {last:.4g} us",
            available="finite times of 0 us or more",
            remedy="data.coding.t_early=0.15   (train again)",
        )
    elif last > network.sample_us:
        yield Violation(
            where=network.input,
            what="spike times",
            needed=f"up to {last:.4g} us",
            available=f"up to {network.sample_us:.4g} us, the end of a sample",
            remedy=f"target.sample_us={np.ceil(last) + 1:.0f}",
        )


def _rate(network: ChipNetwork, inputs: SpikeEvents) -> Iterator[Violation]:
    """No link takes more than one event in each cycle of the FPGA."""
    rate = events_per_us(network, inputs)
    if rate * CYCLE_US > 1.0:
        yield Violation(
            where=network.input,
            what="event rate",
            needed=f"{rate:.4g} events per us in one sample",
            available=f"{1 / CYCLE_US:g}, one per cycle",
            remedy=f"target.speedup={network.speedup / (rate * CYCLE_US):.0f}",
        )
