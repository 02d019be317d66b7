"""What is allowed but should be known before a network goes to the chip: sentences for the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from lightning_neuro.targets.brainscales.analog import (
    RELIABLE_CADC,
    AnalogParameters,
    cadc_per_unit,
    calibration_targets,
    peak_per_jump,
)
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork, SpikeEvents
from lightning_neuro.targets.brainscales.chip_resources import SAFE_EVENT_US
from lightning_neuro.targets.brainscales.input_rules import events_per_us
from lightning_neuro.targets.brainscales.partition import Run
from lightning_neuro.targets.brainscales.recording import Membranes

LOST_SHARE = 0.3  # of weights that round to 0
LAST_CADC = 255
LONG_TAU_SYN_US, STRONG_DAC_BIAS = 20.0, 600.0


def warnings_of(
    network: ChipNetwork, runs: Sequence[Run], analog: AnalogParameters, inputs: SpikeEvents | None
) -> tuple[str, ...]:
    """Sentences about weights, synapses, voltages, placement and inputs.

    Args:
        network: passed all constraints.
        runs: its placement.
        analog: operating point.
        inputs: input spikes; None where there are none yet.
    """
    return (
        *_weights(network),
        *_strength(network),
        *_synapses(network, analog),
        *_voltages(network, analog),
        *_placement(runs),
        *(_events(network, inputs) if inputs is not None else ()),
    )


def readout_cautions(
    network: ChipNetwork, analog: AnalogParameters, membranes: Mapping[str, Membranes]
) -> tuple[str, ...]:
    """Sentences about membranes that leave the converter's range.

    Args:
        network: passed all constraints.
        analog: operating point.
        membranes: of read-outs, as an ideal chip has them.
    """
    found = []
    for name, seen in membranes.items():
        highest = analog.leak + cadc_per_unit(network.layer(name), analog) * float(np.max(seen.largest, initial=0.0))
        if highest > RELIABLE_CADC.high:
            found.append(
                f"{name}: membranes reach {highest:.0f} CADC LSB, the converter is reliable up to "
                f"{RELIABLE_CADC.high:g} and ends at {LAST_CADC}: what is beyond is cut off"
            )
    return tuple(found)


def _weights(network: ChipNetwork) -> Iterator[str]:
    for layer in network.layers:
        weights = np.concatenate([p.weights.ravel() for p in network.into(layer.name)])
        lost = float(np.mean(weights == 0))
        if lost > LOST_SHARE:
            yield (
                f"{layer.name}: {100 * lost:.0f} % of the weights are 0 LSB; training with the chip's step "
                "(model.weight_step) loses less"
            )


def _strength(network: ChipNetwork) -> Iterator[str]:
    for layer in network.layers:
        if not layer.spiking:
            continue
        largest = max(int(p.weights.max(initial=0)) for p in network.into(layer.name))
        peak = largest / layer.weight_scale * peak_per_jump(layer.tau_mem_us, layer.tau_syn_us)
        if peak <= 0:
            yield f"{layer.name}: no weight is positive, so it never spikes"
            continue
        needed = (layer.threshold - layer.v_leak) / peak
        if needed > 1:
            yield (
                f"{layer.name}: no single input reaches the threshold; it takes {int(needed) + 1} at once of the "
                f"strongest weight, {largest} LSB"
            )


def _synapses(network: ChipNetwork, analog: AnalogParameters) -> Iterator[str]:
    for layer in network.layers:
        if layer.tau_syn_us > LONG_TAU_SYN_US and analog.synapse_dac_bias > STRONG_DAC_BIAS:
            yield (
                f"{layer.name}: tau_syn of {layer.tau_syn_us:.3g} us can saturate the synaptic input; lower "
                f"synapse_dac_bias from {analog.synapse_dac_bias:g} to {STRONG_DAC_BIAS:g} or less and measure the "
                "weight scale again"
            )


def _voltages(network: ChipNetwork, analog: AnalogParameters) -> Iterator[str]:
    for target in calibration_targets(network, analog):
        for what, value in (("leak", target.leak), ("reset", target.reset), ("threshold", target.threshold)):
            if not RELIABLE_CADC.holds(value):
                yield (
                    f"{target.layer}: a {what} of {value:.0f} CADC LSB is outside {RELIABLE_CADC}, where the converter "
                    "is reliable"
                )


def _placement(runs: Sequence[Run]) -> Iterator[str]:
    blocks = [block for run in runs for block in run.placement.blocks]
    merged = {b.part.layer: b.circuits_per_neuron for b in blocks if b.circuits_per_neuron > 1}
    if merged:
        words = ", ".join(f"{count} in {layer}" for layer, count in merged.items())
        yield f"neurons are merged from several circuits: {words}"
    if any(run.placement.shares_rows for run in runs):
        yield (
            "layers share synapse rows and are told apart by labels; the default router may not find this: "
            "placement.csv holds a routing that keeps all rules"
        )
    if len(runs) > 1:
        yield f"the network is cut into {len(runs)} runs of the chip, one after the other; spikes are replayed"


def _events(network: ChipNetwork, inputs: SpikeEvents) -> Iterator[str]:
    rate = events_per_us(network, inputs)
    if rate * SAFE_EVENT_US > 1:
        yield (
            f"{rate:.3g} input events per us in the busiest sample; one per {SAFE_EVENT_US * 1e3:g} ns is what we hold "
            "to be safe, no bandwidth was found published"
        )
