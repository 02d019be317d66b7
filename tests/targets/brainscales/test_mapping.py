"""A graph in the chip's units: times, jumps, scales, notes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lightning_neuro.graph import golden
from lightning_neuro.graph.event import spike_times
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import Dense, HardwareGraph, ReadoutKind, ResetKind, Values
from lightning_neuro.targets.brainscales.analog import PUBLISHED, cadc_per_unit, calibration_targets
from lightning_neuro.targets.brainscales.chip_network import ChipLayer, ChipNetwork
from lightning_neuro.targets.brainscales.mapping import chip_network, with_scale
from lightning_neuro.targets.brainscales.mapping_cells import MappingOptions
from lightning_neuro.targets.brainscales.mapping_inputs import input_events
from lightning_neuro.targets.brainscales.rounding import with_chip_weights
from tests.graph.first_spike_networks import network, times
from tests.graph.networks import chain, real_population

OPTIONS = MappingOptions(
    speedup=1000.0,
    delta_tau_syn_us=None,
    refractory_us=None,
    sample_us=None,
    gap_us=None,
    analog=PUBLISHED,
)


def potential(layer: ChipLayer, jump: float, t: np.ndarray) -> np.ndarray:
    """Membrane a time t after a spike that lets the current jump, by the chip's two equations."""
    mem, syn = layer.tau_mem_us, layer.tau_syn_us
    if np.isclose(mem, syn, rtol=1e-9):
        return jump * t / mem * np.exp(-t / mem)
    return jump * syn / (mem - syn) * (np.exp(-t / mem) - np.exp(-t / syn))


def jumps(found: ChipNetwork, name: str) -> np.ndarray:
    return found.into(name)[0].weights / found.layer(name).weight_scale


def on_grid(graph: HardwareGraph, lsb: float, largest: int) -> HardwareGraph:
    """The graph with weights that are random integers of an lsb."""
    rng = np.random.default_rng(0)
    projections = []
    for p in graph.projections:
        raw = rng.integers(-largest, largest + 1, p.connection.weight.real.shape)
        weight = Values(real=raw * lsb, raw=raw, format=Format(bits=8, lsb=lsb))
        projections.append(dataclasses.replace(p, connection=Dense(weight=weight)))
    return dataclasses.replace(graph, projections=tuple(projections))


def with_thresholds(graph: HardwareGraph, *values: float) -> HardwareGraph:
    """The graph with other thresholds in its first layer."""
    first, *rest = graph.populations
    size = first.size
    neuron = dataclasses.replace(first.neuron, threshold=Values(real=np.resize(np.array(values), size)))
    return dataclasses.replace(graph, populations=(dataclasses.replace(first, neuron=neuron), *rest))


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_first_spike_potentials_are_the_networks(ratio: float) -> None:
    graph = network([3, 2], ratio=ratio)
    fine = dataclasses.replace(OPTIONS, analog=dataclasses.replace(PUBLISHED, weight_scale=1e6))
    found = chip_network(graph, fine)
    layer = found.layers[0]
    inputs = times(20, 3, silent=0.0)
    spikes = spike_times(graph, inputs)["layer0"]
    for sample, neuron in np.argwhere(np.isfinite(spikes)):
        since = np.maximum(0.0, spikes[sample, neuron] - inputs[sample]) * 1e3  # hardware microseconds
        membrane = sum(potential(layer, jump, t) for jump, t in zip(jumps(found, "layer0")[neuron], since, strict=True))
        assert membrane == pytest.approx(layer.threshold, rel=1e-4)
    assert layer.tau_mem_us == pytest.approx(10.0 * ratio) and layer.tau_syn_us == pytest.approx(10.0)


@pytest.mark.parametrize(("alpha", "beta"), [(0.8, 0.9), (0.9, 0.9), (0.95, 0.7)])
def test_potentials_of_current_based_neurons_pass_through_the_steps_ends(alpha: float, beta: float) -> None:
    graph = chain([1, 1], beta=beta, alpha=alpha, steps=30)
    silent = with_thresholds(graph, 1e6)
    raster = np.zeros((1, 30, 1), np.uint8)
    raster[0, 0, 0] = 1
    membrane = golden.run(silent, raster, arithmetic="real", record=True).membrane["layer1"][0, :, 0]
    fine = dataclasses.replace(OPTIONS, analog=dataclasses.replace(PUBLISHED, weight_scale=1e7))
    found = chip_network(graph, fine)
    analytic = potential(found.layers[0], jumps(found, "layer1")[0, 0], np.arange(1, 31) * 1.0)
    np.testing.assert_allclose(analytic, membrane, rtol=1e-5)


def test_delta_synapses_keep_their_charge() -> None:
    graph = chain([2, 1], beta=0.875)
    found = chip_network(graph, dataclasses.replace(OPTIONS, delta_tau_syn_us=1.0))
    layer, weight = found.layers[0], graph.projections[0].connection.weight.real
    t = np.linspace(0.0, 200.0, 400_001)
    for line in range(2):
        area = np.trapezoid(potential(layer, jumps(found, "layer1")[0, line], t), t)
        assert area == pytest.approx(weight[0, line] * layer.tau_mem_us, abs=0.5 / layer.weight_scale)


def test_the_delta_time_constant_is_as_short_as_the_rows_allow() -> None:
    found = chip_network(chain([64, 128, 10], beta=0.875), OPTIONS)
    repeats = [2, 1]
    for projection, most in zip(found.projections, repeats, strict=True):
        largest = np.abs(projection.weights).max()
        assert 63 * most - 1 <= largest <= 63 * most
    few = chip_network(chain([4, 3], beta=0.875), OPTIONS)
    assert few.layers[0].tau_syn_us >= 0.3


def test_integers_of_the_network_are_kept_where_the_threshold_can_move() -> None:
    graph = on_grid(network([5, 6, 3], ratio=1.0), 1 / 64, 63)
    uniform = with_thresholds(graph, 1.0)
    found = chip_network(uniform, OPTIONS)
    np.testing.assert_array_equal(found.projections[0].weights, uniform.projections[0].connection.weight.integers())
    assert calibration_targets(found, PUBLISHED)[0].threshold == pytest.approx(80 + 70 * 64 / 78)
    assert any("whole LSB of the chip already" in note for note in found.notes)


@pytest.mark.parametrize(("lsb", "largest"), [(1 / 20, 63), (1 / 64, 100)])
def test_integers_that_the_chip_cannot_have_are_rounded_to_its_own_scale(lsb: float, largest: int) -> None:
    graph = with_thresholds(on_grid(network([5, 6, 3]), lsb, largest), 1.0)
    found = chip_network(graph, OPTIONS)
    weight = graph.projections[0].connection.weight.real
    np.testing.assert_array_equal(found.projections[0].weights, np.rint(78 * weight))
    assert calibration_targets(found, PUBLISHED)[0].threshold == pytest.approx(150)
    assert any("sources are repeated" in note for note in found.notes)


def test_the_scale_never_depends_on_the_largest_weight() -> None:
    graph = chain([5, 6, 3], alpha=0.8)
    small = dataclasses.replace(
        graph,
        projections=tuple(
            dataclasses.replace(p, connection=Dense(weight=Values(real=0.1 * p.connection.weight.real)))
            for p in graph.projections
        ),
    )
    scales = [[layer.weight_scale for layer in chip_network(g, OPTIONS).layers] for g in (graph, small)]
    assert scales[0] == scales[1] == [78.0, 78.0]


def test_thresholds_that_differ_are_part_of_the_weights() -> None:
    graph = with_thresholds(chain([4, 2, 2], alpha=0.8), 0.5, 1.5)
    found = chip_network(graph, OPTIONS)
    plain = chip_network(with_thresholds(graph, 1.0), OPTIONS)
    assert found.layers[0].threshold == pytest.approx(1.0)
    np.testing.assert_allclose(jumps(found, "layer1")[0], 2 * jumps(plain, "layer1")[0], atol=1.5 / 78)
    assert any("thresholds that differ" in note for note in found.notes)


def read_out(lines: int) -> HardwareGraph:
    """One read-out neuron and two more, of equal excitatory weights."""
    graph = chain([lines, 3], alpha=0.8, readout=ReadoutKind.MEMBRANE_MAX)
    last = real_population("layer1", 3, beta=0.9, alpha=0.8, kind=ResetKind.NONE, delay=0)
    weight = Dense(weight=Values(real=np.full((3, lines), 0.3)))
    projection = dataclasses.replace(graph.projections[0], connection=weight)
    return dataclasses.replace(graph, populations=(last,), projections=(projection,))


def test_a_read_out_of_few_synapses_takes_all_63_steps() -> None:
    found = chip_network(read_out(2), OPTIONS)
    assert not found.layer("layer1").spiking and found.projections[0].weights.max() == 63


def test_the_membrane_of_a_read_out_stays_inside_the_converter() -> None:
    found = chip_network(read_out(100), OPTIONS)
    layer, t = found.layers[0], np.linspace(0, 60, 6001)
    jump = found.projections[0].weights[0].sum() / layer.weight_scale
    highest = 80 + cadc_per_unit(layer, PUBLISHED) * potential(layer, jump, t).max()
    assert found.projections[0].weights.max() < 10
    assert highest == pytest.approx(210, abs=130 * 0.5 / found.projections[0].weights.max())


@pytest.mark.parametrize("alpha", [None, 0.8])
def test_weights_that_were_rounded_for_the_chip_are_mapped_to_themselves(alpha: float | None) -> None:
    graph = chain([20, 12, 4], alpha=alpha, readout=ReadoutKind.MEMBRANE_MAX)
    last = real_population("layer2", 4, beta=0.875, alpha=alpha, kind=ResetKind.NONE, delay=0)
    graph = dataclasses.replace(graph, populations=(graph.populations[0], last))
    found = chip_network(graph, OPTIONS)
    again = chip_network(with_chip_weights(graph, found, OPTIONS), OPTIONS)
    for first, second in zip(found.projections, again.projections, strict=True):
        np.testing.assert_array_equal(second.weights, first.weights)
    for one, other in zip(found.layers, again.layers, strict=True):
        assert other.weight_scale == pytest.approx(one.weight_scale, rel=1e-9)
        assert other.tau_syn_us == pytest.approx(one.tau_syn_us, rel=1e-9)


def test_delta_synapses_of_a_read_out_need_no_strength() -> None:
    graph = chain([4, 3], beta=0.875, readout=ReadoutKind.MEMBRANE_LAST)
    last = real_population("layer1", 3, beta=0.875, alpha=None, kind=ResetKind.NONE, delay=0)
    layer = chip_network(dataclasses.replace(graph, populations=(last,)), OPTIONS).layers[0]
    assert layer.tau_syn_us == pytest.approx(layer.tau_mem_us / 4)


def test_times_are_a_thousand_times_shorter_unless_told_otherwise() -> None:
    graph = network([5, 6, 3])  # 10 ms, samples of 40 ms
    found = chip_network(graph, OPTIONS)
    assert found.sample_us == pytest.approx(40.0) and found.layers[0].refractory_us == pytest.approx(40.0)
    assert found.gap_us == pytest.approx(150.0)
    faster = chip_network(graph, dataclasses.replace(OPTIONS, speedup=2000.0))
    assert faster.layers[0].tau_mem_us == pytest.approx(5.0) and faster.sample_us == pytest.approx(20.0)
    np.testing.assert_array_equal(faster.projections[0].weights, found.projections[0].weights)


def test_neurons_that_may_spike_again_are_refractory_for_a_tenth_of_tau_syn() -> None:
    graph = chain([4, 3, 2], alpha=0.8)  # tau_syn 4.48 us, steps of 1 us
    assert chip_network(graph, OPTIONS).layers[0].refractory_us == pytest.approx(-0.1 / np.log(0.8))
    slow = chain([4, 3, 2], alpha=0.9)  # 9.5 us: half a step is less
    assert chip_network(slow, OPTIONS).layers[0].refractory_us == pytest.approx(0.5)
    told = dataclasses.replace(OPTIONS, refractory_us=0.2)
    assert chip_network(slow, told).layers[0].refractory_us == pytest.approx(0.2)
    held = chain([4, 3, 2], alpha=0.8, kind=ResetKind.CLAMP, delay=1)
    assert chip_network(held, told).layers[0].refractory_us == pytest.approx(1.0)


def test_spikes_of_a_raster_come_at_the_beginnings_of_their_steps() -> None:
    raster = np.zeros((2, 16, 3), np.uint8)
    raster[1, 5, 2] = raster[0, 0, 1] = 1
    events = input_events(chain([3, 2]), raster, OPTIONS)
    assert list(zip(events.sample, events.neuron, events.time_us, strict=True)) == [(0, 1, 0.0), (1, 2, 5.0)]
    assert events.samples == 2 and events.size == 3


def test_silent_lines_of_continuous_time_have_no_event() -> None:
    events = input_events(network([2, 1]), np.array([[0.003, np.inf]]), OPTIONS)
    assert events.neuron.tolist() == [0] and events.time_us.tolist() == pytest.approx([3.0])


def test_another_strength_of_the_lsb_moves_only_the_scale() -> None:
    found = chip_network(network([5, 6, 3]), OPTIONS)
    weaker = with_scale(found, 0.8)
    assert weaker.layers[0].weight_scale == pytest.approx(found.layers[0].weight_scale / 0.8)
    assert weaker.projections is found.projections
