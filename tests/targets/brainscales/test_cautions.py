"""What is allowed is said where it should be known, and only there."""

from __future__ import annotations

import dataclasses

import numpy as np

from lightning_neuro.targets.brainscales.analog import PUBLISHED, peak_per_jump
from lightning_neuro.targets.brainscales.cautions import readout_cautions, warnings_of
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork, ChipProjection, SpikeEvents
from lightning_neuro.targets.brainscales.partition import partition
from lightning_neuro.targets.brainscales.recording import Membranes
from tests.targets.brainscales.chip_networks import chip_chain


def cautions(network: ChipNetwork, analog=PUBLISHED, inputs: SpikeEvents | None = None) -> str:
    runs = partition(network)
    assert runs is not None
    return "\n".join(warnings_of(network, runs, analog, inputs))


def strong(network: ChipNetwork) -> ChipNetwork:
    """Every synapse reaches the threshold alone."""
    projections = tuple(
        ChipProjection(pre=p.pre, post=p.post, weights=np.full(p.weights.shape, 300)) for p in network.projections
    )
    return dataclasses.replace(network, projections=projections)


def test_a_network_without_peculiarities_is_passed_over_in_silence() -> None:
    assert cautions(strong(chip_chain([6, 5, 4]))) == ""


def test_weights_that_round_to_zero_are_said() -> None:
    network = chip_chain([6, 5, 4], largest=1)
    words = "layer1: 33 % of the weights are 0 LSB"
    assert words in cautions(network) and "model.weight_step" in cautions(network)
    assert "are 0 LSB" not in cautions(chip_chain([6, 5, 4]))


def test_how_many_inputs_a_spike_takes_is_said() -> None:
    network = strong(chip_chain([6, 5, 4]))
    weights = np.full((5, 6), 63)
    weak = dataclasses.replace(
        network, projections=(ChipProjection(pre="input", post="layer1", weights=weights), network.projections[1])
    )
    assert "layer1: no single input reaches the threshold; it takes 4 at once" in cautions(weak)  # 78 e / 63 = 3.4
    never = dataclasses.replace(
        network, projections=(ChipProjection(pre="input", post="layer1", weights=-weights), network.projections[1])
    )
    assert "layer1: no weight is positive, so it never spikes" in cautions(never)


def test_potentials_peak_where_two_exponentials_do() -> None:
    t = np.linspace(0, 60, 60_001)
    potential = 6 / (12 - 6) * (np.exp(-t / 12) - np.exp(-t / 6))
    assert np.isclose(peak_per_jump(12.0, 6.0), potential.max(), rtol=1e-6)
    assert np.isclose(peak_per_jump(6.0, 6.0), np.exp(-1))


def test_membranes_beyond_the_converter_are_said() -> None:
    network = chip_chain([6, 5, 4])  # 70 LSB per unit above a leak of 80
    seen = {"layer2": Membranes(largest=np.array([[1.0, 2.0]]), last=np.array([[-9.0, 1.0]]))}
    assert "layer2: membranes reach 220 CADC LSB" in "".join(readout_cautions(network, PUBLISHED, seen))
    seen = {"layer2": Membranes(largest=np.array([[1.0, 1.8]]), last=np.array([[-9.0, 1.0]]))}
    assert readout_cautions(network, PUBLISHED, seen) == ()


def test_synapses_that_may_saturate_are_said() -> None:
    network = strong(chip_chain([6, 5, 4]))
    long = dataclasses.replace(network, layers=tuple(dataclasses.replace(x, tau_syn_us=25.0) for x in network.layers))
    assert "can saturate the synaptic input; lower synapse_dac_bias from 1000 to 600" in cautions(long)
    assert "saturate" not in cautions(long, dataclasses.replace(PUBLISHED, synapse_dac_bias=600.0))


def test_voltages_outside_the_reliable_range_are_said() -> None:
    network = strong(chip_chain([6, 5, 4]))
    words = "layer1: a threshold of 215 CADC LSB is outside 30 to 210"
    assert words in cautions(network, dataclasses.replace(PUBLISHED, leak=145.0, threshold=215.0))


def test_merged_circuits_shared_rows_and_runs_are_said() -> None:
    whole = cautions(chip_chain([256, 246, 10]))
    assert "merged from several circuits: 2 in layer1, 2 in layer2" in whole
    assert "layers share synapse rows" in whole and "runs of the chip" not in whole
    assert "cut into 3 runs" in cautions(chip_chain([784, 128, 10]))


def test_a_high_event_rate_is_said() -> None:
    network = strong(chip_chain([6, 5, 4]))

    def inputs(count: int) -> SpikeEvents:
        times = np.linspace(0.0, 24.0, count)
        return SpikeEvents(
            sample=np.zeros(count), neuron=np.arange(count) % 6, time_us=times, samples=2, size=6
        )  # each line five times: 300 LSB

    assert "input events per us" in cautions(network, inputs=inputs(160))  # 31.25 per us are safe
    assert "input events per us" not in cautions(network, inputs=inputs(140))
