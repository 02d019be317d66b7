"""Virtual chips: exact times, every deviation does what it says, and a twin that computes in another way."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from lightning_neuro.errors import GraphError
from lightning_neuro.graph.hardware_graph import ReadoutKind
from lightning_neuro.neurons.chip_profiles import PROFILES
from lightning_neuro.neurons.first_spike import first_spike_times
from lightning_neuro.targets.brainscales import emulator
from lightning_neuro.targets.brainscales.cadc import Cadc
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork, ChipProjection, SpikeEvents
from lightning_neuro.targets.brainscales.emulator import emulate
from lightning_neuro.targets.brainscales.emulator_torch import StepConstants, crossings
from lightning_neuro.targets.brainscales.prediction import predict
from lightning_neuro.targets.brainscales.recording import events_of, first_spikes, spike_counts
from lightning_neuro.targets.brainscales.virtual_chip import VirtualChip, draw_chips, ideal_chip
from tests.targets.brainscales.chip_networks import chip_chain, chip_layer

EXACT_US = {6.0: [4.1445, 5.9029, 7.6118], 12.0: [5.8901]}
"""Exact spikes by tau_mem of three inputs at 2, 5, 9 us, weights 1.2, 0.9, -0.4, threshold 0.3, tau_syn 6 us."""


def one_neuron(**changes: object) -> ChipNetwork:
    constants = {"threshold": 0.3, "refractory_us": 0.0, "weight_scale": 10.0}
    return ChipNetwork(
        input="input",
        lines=3,
        layers=(chip_layer("output", 1, **(constants | changes)),),
        projections=(ChipProjection(pre="input", post="output", weights=np.array([[12, 9, -4]])),),
        output="output",
        readout=ReadoutKind.FIRST_SPIKE if changes.get("spiking", True) else ReadoutKind.MEMBRANE_MAX,
        sample_us=40.0,
        gap_us=0.0,
        speedup=1000.0,
        notes=(),
    )


THREE = events_of(np.array([[2.0, 5.0, 9.0]]))


def sensitive(network: ChipNetwork) -> ChipNetwork:
    """The network with thresholds that random weights reach."""
    layers = tuple(dataclasses.replace(layer, threshold=0.2) for layer in network.layers)
    return dataclasses.replace(network, layers=layers, sample_us=60.0)


def spikes_on(network: ChipNetwork, inputs: SpikeEvents, chip: VirtualChip) -> SpikeEvents:
    return emulate(network, inputs, [chip], run=0)[0].spikes[network.output]


def random_inputs(lines: int, samples: int = 20, seed: int = 0) -> SpikeEvents:
    times = np.random.default_rng(seed).uniform(1.0, 12.0, (samples, lines))
    return events_of(np.where(times < 11.5, times, np.inf))


@pytest.mark.parametrize("tau_mem_us", EXACT_US)
def test_three_inputs_give_the_exact_spikes(tau_mem_us: float) -> None:
    network = one_neuron(tau_mem_us=tau_mem_us)
    times = spikes_on(network, THREE, ideal_chip(network)).time_us
    np.testing.assert_allclose(times, EXACT_US[tau_mem_us], rtol=0, atol=1e-3)


@pytest.mark.parametrize("tau_mem_us", [4.0, 6.0, 12.0])
def test_first_spikes_are_those_of_the_analytic_solver(tau_mem_us: float) -> None:
    network = chip_chain([10, 20], seed=3)
    layer = dataclasses.replace(network.layers[0], tau_mem_us=tau_mem_us, refractory_us=1e3, threshold=0.4)
    network = dataclasses.replace(network, layers=(layer,), sample_us=500.0)
    inputs = random_inputs(10)
    found = first_spikes(spikes_on(network, inputs, ideal_chip(network)))
    weights = network.projections[0].weights.T / layer.weight_scale * layer.tau_syn_us / tau_mem_us
    wanted = first_spike_times(
        torch.from_numpy(first_spikes(inputs)),
        torch.from_numpy(weights),
        tau_syn=layer.tau_syn_us,
        tau_mem=tau_mem_us,
        threshold=0.4,
    ).numpy()
    assert 20 < np.isfinite(wanted).sum() < wanted.size
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)


def test_the_membrane_is_held_for_the_refractory_time() -> None:
    network = one_neuron(refractory_us=1.0)
    free = spikes_on(one_neuron(), THREE, ideal_chip(network)).time_us
    held = spikes_on(network, THREE, ideal_chip(network)).time_us
    assert held[0] == free[0] and held[1] > free[1] and len(held) < len(free)


def test_leak_and_reset_shift_like_the_threshold() -> None:
    shifted = one_neuron(threshold=1.3, v_leak=1.0, v_reset=1.0)
    wanted = spikes_on(one_neuron(), THREE, ideal_chip(shifted)).time_us
    np.testing.assert_allclose(spikes_on(shifted, THREE, ideal_chip(shifted)).time_us, wanted)


def changed(network: ChipNetwork, **factors: float) -> VirtualChip:
    """The ideal chip with factors on all neurons."""
    chip = ideal_chip(network)
    layers = {
        name: dataclasses.replace(f, **{k: v if k == "latency_us" else np.full(len(f.threshold), v)
                                        for k, v in factors.items()})
        for name, f in chip.layers.items()
    }  # fmt: skip
    return dataclasses.replace(chip, layers=layers)


def test_gain_and_threshold_are_exchangeable_and_inhibition_has_its_own() -> None:
    network = one_neuron()
    both = changed(network, excitatory_gain=1.1, inhibitory_gain=1.1)
    low = changed(network, threshold=1 / 1.1)
    np.testing.assert_allclose(spikes_on(network, THREE, both).time_us[0], spikes_on(network, THREE, low).time_us[0])
    early = events_of(np.array([[2.0, 5.0, 3.0]]))
    inhibited = spikes_on(network, early, changed(network, inhibitory_gain=3.0)).time_us
    assert inhibited[0] > spikes_on(network, early, ideal_chip(network)).time_us[0]


@pytest.mark.parametrize("name", ["tau_mem", "tau_syn"])
def test_factors_on_time_constants_are_other_time_constants(name: str) -> None:
    wanted = one_neuron(**{f"{name}_us": 7.5})
    np.testing.assert_allclose(
        spikes_on(one_neuron(), THREE, changed(one_neuron(), **{name: 1.25})).time_us,
        spikes_on(wanted, THREE, ideal_chip(wanted)).time_us,
    )


def test_latency_adds_up_over_layers() -> None:
    network = sensitive(chip_chain([6, 8, 4], seed=2))
    inputs = random_inputs(6)
    early = first_spikes(spikes_on(network, inputs, ideal_chip(network)))
    late = first_spikes(spikes_on(network, inputs, changed(network, latency_us=0.1)))
    spiked = np.isfinite(early)
    assert spiked.sum() > 10
    np.testing.assert_allclose(late[spiked] - early[spiked], 0.2, atol=1e-9)


def test_jitter_has_its_deviation_and_is_another_in_every_run() -> None:
    network = sensitive(chip_chain([6, 40], seed=1))
    chip = dataclasses.replace(ideal_chip(network), jitter_us=0.05)
    inputs = random_inputs(6, samples=200)
    exact = first_spikes(spikes_on(network, inputs, ideal_chip(network)))
    first, again = (emulate(network, inputs, [chip], run=run)[0].spikes["layer1"] for run in (0, 1))
    spiked = np.isfinite(exact) & (exact < 50)
    moved = (first_spikes(first)[spiked] - exact[spiked])[first_spikes(first)[spiked] < 60]
    assert len(moved) > 500 and abs(moved.std() / 0.05 - 1) < 0.1
    assert not np.array_equal(first.time_us[:50], again.time_us[:50])


def test_recorded_times_are_on_the_grid_of_the_fpga() -> None:
    network = sensitive(chip_chain([6, 8, 4], seed=1))
    chip = draw_chips(network, PROFILES["delgrad"], chips=1, seed=0)[0]
    recording = emulate(network, random_inputs(6), [chip], run=0)[0]
    for events in recording.spikes.values():
        assert len(events.time_us) > 10
        cycles = events.time_us / 0.008
        np.testing.assert_allclose(cycles, np.rint(cycles), atol=1e-6)


def test_a_chip_is_the_same_however_many_are_drawn_and_no_two_are_equal() -> None:
    network = chip_chain([6, 30])
    few, many = (draw_chips(network, PROFILES["measured-w66f3"], chips=n, seed=5) for n in (2, 4))
    gains = [chip.layers["layer1"].excitatory_gain for chip in (*few, *many)]
    np.testing.assert_array_equal(gains[1], gains[3])
    assert len({gain.tobytes() for gain in gains}) == 4
    drawn = np.concatenate([c.layers["layer1"].tau_syn for c in draw_chips(
        network, PROFILES["measured-w66f3"], chips=40, seed=1)])  # fmt: skip
    assert abs(drawn.mean() - 1.040) < 0.02 and abs(drawn.std() - 0.097) < 0.01


def test_room_for_more_spikes_is_made_when_it_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    network = sensitive(chip_chain([6, 8], seed=2))
    inputs = random_inputs(6)
    wanted = spikes_on(network, inputs, ideal_chip(network))
    monkeypatch.setattr(emulator, "_SPIKES", 1)
    found = spikes_on(network, inputs, ideal_chip(network))
    assert len(wanted.time_us) > 30
    np.testing.assert_array_equal(found.time_us, wanted.time_us)
    np.testing.assert_array_equal(found.neuron, wanted.neuron)


def test_predictions_are_the_accuracies_of_the_chips() -> None:
    network, inputs = sensitive(chip_chain([6, 8, 3], seed=2)), random_inputs(6, samples=60)
    labels = emulate(network, inputs, [ideal_chip(network)], run=0)[0].classes
    prediction = predict(network, inputs, labels, draw_chips(network, PROFILES["delgrad"], chips=3, seed=0), run=0)
    assert (labels >= 0).sum() > 20 and len(prediction.accuracies) == 3 and 0 < prediction.min <= prediction.mean <= 1
    assert predict(network, inputs, labels, [ideal_chip(network)], run=0).accuracies == (1.0,)


def test_membranes_of_a_readout_are_the_sum_of_responses() -> None:
    network = one_neuron(spiking=False, tau_mem_us=12.0)
    membranes = emulate(network, THREE, [ideal_chip(network)], run=0)[0].membranes["output"]
    t = np.linspace(0, 40, 400001)
    lag = np.maximum(t[:, None] - np.array([2.0, 5.0, 9.0]), 0)
    v = ((np.exp(-lag / 12) - np.exp(-lag / 6)) * 6 / (12 - 6) * np.array([1.2, 0.9, -0.4])).sum(1)
    np.testing.assert_allclose([membranes.largest[0, 0], membranes.last[0, 0]], [v.max(), v[-1]], atol=1e-8)


def test_the_converter_reads_whole_lsb_at_its_moments() -> None:
    network = one_neuron(spiking=False)
    cadc = Cadc(period_us=2.0, leak_lsb=80.0, scale_lsb=70.0, noise_lsb=0.0)
    exact = emulate(network, THREE, [ideal_chip(network)], run=0)[0].membranes["output"]
    read = emulate(network, THREE, [ideal_chip(network)], run=0, cadc=cadc)[0].membranes["output"]
    digits = read.largest * 70.0
    np.testing.assert_allclose(digits, np.rint(digits), atol=1e-9)
    assert 0 <= exact.largest[0, 0] - read.largest[0, 0] + 0.5 / 70 < 0.05


def test_the_twin_in_torch_finds_the_same_spikes() -> None:
    network = chip_chain([8, 12], seed=6)
    layer = dataclasses.replace(network.layers[0], refractory_us=2.0, threshold=0.5)
    network = dataclasses.replace(network, layers=(layer,))
    inputs = random_inputs(8, samples=10)
    quiet = dataclasses.replace(PROFILES["measured-w66f3"], jitter_us=0.0, latency_us=0.0, grid_us=0.0)
    chips = draw_chips(network, quiet, chips=2, seed=0)
    exact = [r.spikes["layer1"] for r in emulate(network, inputs, chips, run=0)]
    factors = [chip.layers["layer1"] for chip in chips]

    def of(name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([getattr(f, name) for f in factors]))

    weights = torch.from_numpy(network.projections[0].weights / layer.weight_scale)
    gain = torch.where(weights > 0, of("excitatory_gain")[:, :, None], of("inhibitory_gain")[:, :, None])
    found = crossings(
        torch.from_numpy(first_spikes(inputs)).expand(2, -1, -1),
        weights * gain,
        StepConstants(
            tau_mem=6.0 * of("tau_mem"),
            tau_syn=6.0 * of("tau_syn"),
            threshold=0.5 * of("threshold"),
            reset=0.0,
            refractory=2.0,
        ),
        end=network.sample_us,
        step=0.01,
    )
    for number, events in enumerate(exact):
        on_chip = found.chip == number
        twin = SpikeEvents(
            sample=found.sample[on_chip].numpy(),
            neuron=found.neuron[on_chip].numpy(),
            time_us=found.time[on_chip].numpy(),
            samples=10,
            size=12,
        )
        counts = spike_counts(events)
        assert counts.max() > 1
        np.testing.assert_array_equal(spike_counts(twin), counts)
        np.testing.assert_allclose(twin.time_us, events.time_us, rtol=0, atol=2e-3)


def test_what_the_equations_do_not_cover_is_refused() -> None:
    network = one_neuron()
    for wrong, words in (
        (one_neuron(v_reset=0.5), "threshold"),
        (dataclasses.replace(network, projections=()), "synapses"),
        (dataclasses.replace(network, readout=ReadoutKind.MEMBRANE_MAX), "read-out"),
    ):
        with pytest.raises(GraphError, match=words):
            emulate(wrong, THREE, [ideal_chip(network)], run=0)
    with pytest.raises(GraphError, match="input lines"):
        emulate(network, random_inputs(5), [ideal_chip(network)], run=0)
    with pytest.raises(GraphError, match="another number of neurons"):
        emulate(chip_chain([3, 2]), THREE, [_renamed(ideal_chip(network))], run=0)


def _renamed(chip: VirtualChip) -> VirtualChip:
    return dataclasses.replace(chip, layers={"layer1": chip.layers["output"]})
