"""The emulated machine on hand-computed neurons and against the golden model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lightning_neuro.graph import golden
from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    HardwareGraph,
    LateBias,
    Leak,
    ReadoutKind,
    Reset,
    ResetKind,
    Values,
)
from lightning_neuro.targets.spinnaker.accum import membrane_constants, synapse_constants, to_accum
from lightning_neuro.targets.spinnaker.emulator import Emulation, emulate, run_samples
from lightning_neuro.targets.spinnaker.loading import load_network
from lightning_neuro.targets.spinnaker.plan import plan_network
from lightning_neuro.targets.spinnaker.scaling import RingBuffers, ScaledPlan
from tests.graph.networks import chain
from tests.targets.spinnaker.small_graphs import convolutional, one_neuron, recurrent, rounded, scaled, spikes_for


def with_buffers(graph: HardwareGraph, shifts: tuple[int, int], scale: float = 1.0) -> ScaledPlan:
    plan = plan_network(graph)
    populations = tuple(dataclasses.replace(p, scale=scale) for p in plan.populations)
    buffers = {p.name: RingBuffers(expected=(1.0, 1.0), shifts=shifts) for p in populations}
    return ScaledPlan(plan=dataclasses.replace(plan, populations=populations), buffers=buffers)


def run_one(graph: HardwareGraph, raster: list[list[int]], **buffers: object) -> Emulation:
    return emulate(with_buffers(graph, **buffers), np.array([raster], np.uint8), record=True)  # type: ignore[arg-type]


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(bool), b.astype(bool)
    return float((a & b).sum() / max(1, (a | b).sum()))


def test_a_delta_neuron_by_hand() -> None:
    # A = 1/2: the asymptote of a spike of weight 0.5 is 1, so v = 1 - (1 - 0)/2 = 0.5; then 1 - (1 - 0.5)/2 = 0.75
    found = run_one(one_neuron([0.5], beta=0.5, threshold=2.0), [[1], [1], [0], [1]], shifts=(0, 0))
    np.testing.assert_allclose(found.membrane["layer1"][0, :, 0], [0.5, 0.75, 0.375, 0.6875], atol=2**-13)


def test_an_exponential_neuron_by_hand() -> None:
    # i = 0.25, 0.125, 0.0625 + 0.25; v = v/2 + i
    found = run_one(one_neuron([0.25], beta=0.5, alpha=0.5, threshold=2.0), [[1], [0], [1]], shifts=(0, 0))
    np.testing.assert_allclose(found.membrane["layer1"][0, :, 0], [0.25, 0.25, 0.4375], atol=2**-12)


def test_products_are_cut_off_not_rounded() -> None:
    graph = one_neuron([3 * 2.0**-15], beta=0.5, threshold=1.0)
    found = run_one(graph, [[1], [0], [0], [0]], shifts=(0, 0))
    raw = np.rint(found.membrane["layer1"][0, :, 0] * 2**15)
    # 6 - floor(6/2) = 3, then 0 - floor(-3/2) = 2, then 1, and 0 - floor(-1/2) = 1: it never gets back to 0
    assert raw.tolist() == [3, 2, 1, 1]


def test_a_spike_needs_more_than_the_threshold() -> None:
    graph = one_neuron([0.5, 2.0**-8], beta=0.5, threshold=0.5)
    raster = np.array([[[1, 0]], [[1, 1]]], np.uint8)
    plan = with_buffers(graph, (3, 3), scale=8.0)
    expected = golden.run(graph, raster, arithmetic="real", record=True)
    assert expected.spikes["layer1"].ravel().tolist() == [0, 1]
    assert emulate(plan, raster).spikes["layer1"].ravel().tolist() == [0, 1]


def test_reset_goes_to_v_reset() -> None:
    graph = one_neuron([1.0], beta=0.5, threshold=0.6)
    population = graph.populations[0]
    neuron = dataclasses.replace(population.neuron, v_reset=Values(real=np.array([-0.25])))
    graph = dataclasses.replace(graph, populations=(dataclasses.replace(population, neuron=neuron),))
    found = run_one(graph, [[1], [0], [1]], shifts=(1, 1))
    np.testing.assert_allclose(found.membrane["layer1"][0, :, 0], [-0.25, -0.125, -0.25], atol=2**-12)
    assert found.spikes["layer1"].ravel().tolist() == [1, 0, 1]


def test_a_refractory_period_freezes_the_membrane_and_loses_its_input() -> None:
    graph = one_neuron([1.0], beta=0.5, threshold=0.6)
    population = graph.populations[0]
    neuron = dataclasses.replace(population.neuron, reset=Reset(kind=ResetKind.CLAMP, delay=1))
    graph = dataclasses.replace(graph, populations=(dataclasses.replace(population, neuron=neuron),))
    found = run_one(graph, [[1], [1], [1], [1]], shifts=(1, 1))
    assert found.spikes["layer1"].ravel().tolist() == [1, 0, 1, 0]
    expected = golden.run(graph, np.ones((1, 4, 1), np.uint8), arithmetic="real", record=True)
    assert expected.spikes["layer1"].ravel().tolist() == [1, 0, 1, 0]


def test_ring_buffers_saturate_and_say_so() -> None:
    graph = one_neuron([0.75, 0.75, 0.75], beta=0.5, threshold=9.0)
    found = run_one(graph, [[1, 1, 1]], shifts=(0, 0))
    assert found.saturations == {"layer1": 1}
    assert found.membrane["layer1"][0, 0, 0] == pytest.approx(65535 / 2**15, abs=2**-12)
    assert run_one(graph, [[1, 1, 1]], shifts=(1, 1)).saturations == {"layer1": 0}


def test_membranes_wrap_and_say_so() -> None:
    graph = one_neuron([1.0], beta=0.875, threshold=9.0)
    found = run_one(graph, [[1], [1]], shifts=(14, 14), scale=16000.0)
    assert found.overflows["layer1"] > 0


def test_inhibition_has_a_ring_buffer_of_its_own() -> None:
    graph = one_neuron([1.5, -1.5], beta=0.5, threshold=9.0)
    found = run_one(graph, [[1, 1], [0, 1]], shifts=(0, 0))
    np.testing.assert_allclose(found.membrane["layer1"][0, :, 0], [0.0, -1.5], atol=2**-12)


GRAPHS = {
    "delta": chain([40, 60, 10], beta=0.9),
    "exponential": chain([40, 60, 10], beta=0.9, alpha=0.8),
    "refractory": chain([40, 60, 10], beta=0.9, alpha=0.8, kind=ResetKind.CLAMP, delay=1),
    "recurrent": recurrent(chain([40, 60, 10], beta=0.9)),
    "recurrent, exponential": recurrent(chain([40, 60, 10], beta=0.9, alpha=0.8)),
    "convolution": convolutional(),
    "convolution, exponential": convolutional(alpha=0.8),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_the_machine_spikes_as_the_network(name: str) -> None:
    graph = rounded(GRAPHS[name])
    spikes = spikes_for(graph)
    expected = golden.run(graph, spikes, arithmetic="real", record=True)
    found = emulate(scaled(graph, spikes), spikes, record=True)
    assert expected.spikes[graph.output].any()
    assert not any(found.overflows.values()) and not any(found.saturations.values())
    for population in graph.populations:
        assert jaccard(expected.spikes[population.name], found.spikes[population.name]) > 0.98


def test_the_machine_converges_to_the_network_as_its_factor_grows() -> None:
    graph = chain([20, 8], beta=0.5, kind=ResetKind.NONE, readout=ReadoutKind.MEMBRANE_MAX)
    weight = np.rint(graph.projections[0].connection.weight.real * 64) / 64
    connection = dataclasses.replace(graph.projections[0].connection, weight=Values(real=weight))
    projection = dataclasses.replace(graph.projections[0], connection=connection)
    graph = dataclasses.replace(graph, projections=(projection,))
    spikes = spikes_for(graph)
    expected = golden.run(graph, spikes, arithmetic="real", record=True).membrane["layer1"]
    errors = []
    for digits in (0, 3, 6):
        loaded = load_network(with_buffers(graph, (9 + digits, 9 + digits), scale=2.0**digits))
        exact = {"resistance": np.full(8, 2 << 15), "mem_decay": np.full(8, 1 << 14)}  # A = 1/2, (1 - A) R = 1
        layer = dataclasses.replace(
            loaded.layers[0], constants=dataclasses.replace(loaded.layers[0].constants, **exact)
        )
        found = run_samples(dataclasses.replace(loaded, layers=(layer,), groups=((layer,),)), spikes, record=True)
        errors.append(np.abs(found.membrane["layer1"] - expected).max())
    assert 0 < errors[0] < 3 * 2.0**-15
    assert errors[1] == pytest.approx(errors[0] / 8, rel=0.5) and errors[2] < errors[0] / 32


def test_neurons_may_have_constants_of_their_own() -> None:
    rng = np.random.default_rng(1)
    graph = chain([40, 60, 10], beta=0.9, alpha=0.8)
    populations = []
    for population in graph.populations:
        n, neuron = population.size, population.neuron
        assert isinstance(neuron, CubaLif)
        own = dataclasses.replace(
            neuron,
            leak_mem=Leak(beta=rng.uniform(0.7, 0.97, n)),
            leak_syn=Leak(beta=rng.uniform(0.3, 0.9, n)),
            threshold=Values(real=rng.uniform(0.7, 1.5, n)),
            v_reset=Values(real=rng.uniform(-0.3, 0.3, n)),
        )
        populations.append(dataclasses.replace(population, neuron=own))
    graph = rounded(dataclasses.replace(graph, populations=tuple(populations)))
    spikes = spikes_for(graph)
    expected = golden.run(graph, spikes, arithmetic="real", record=True)
    found = emulate(scaled(graph, spikes), spikes, record=True)
    assert jaccard(expected.spikes["layer1"], found.spikes["layer1"]) > 0.99


def test_a_bias_begins_with_its_layer_and_a_late_one_later() -> None:
    graph = one_neuron([0.0], beta=0.5, threshold=9.0)
    late = LateBias(values=Values(real=np.array([-0.5])), onset=2, until=None)
    population = dataclasses.replace(graph.populations[0], bias=Values(real=np.array([1.0])), late_biases=(late,))
    graph = dataclasses.replace(graph, populations=(population,))
    expected = golden.run(graph, np.zeros((1, 5, 1), np.uint8), arithmetic="real", record=True)
    found = run_one(graph, [[0]] * 5, shifts=(2, 2))
    np.testing.assert_allclose(found.membrane["layer1"], expected.membrane["layer1"], atol=2**-10)


def test_an_initial_membrane_is_there_in_the_first_step_and_a_bias_ends() -> None:
    graph = one_neuron([0.0], beta=0.5, threshold=9.0)
    window = LateBias(values=Values(real=np.array([1.0])), onset=1, until=3)
    population = graph.populations[0]
    started = dataclasses.replace(population.neuron, v_init=Values(real=np.array([1.5])))
    population = dataclasses.replace(population, neuron=started, late_biases=(window,))
    graph = dataclasses.replace(graph, populations=(population,))
    found = run_one(graph, [[0]] * 5, shifts=(2, 2))
    expected = [0.75, 1.375, 1.6875, 0.84375, 0.421875]
    np.testing.assert_allclose(found.membrane["layer1"][0, :, 0], expected, atol=2**-10)


def test_an_explicit_delay_is_kept() -> None:
    graph = one_neuron([0.5], beta=0.5, threshold=9.0)
    graph = dataclasses.replace(graph, projections=(dataclasses.replace(graph.projections[0], delay=3),))
    found = run_one(graph, [[1], [0], [0], [0], [0]], shifts=(0, 0))
    np.testing.assert_allclose(found.membrane["layer1"][0, :, 0], [0, 0, 0, 0.5, 0.25], atol=2**-12)


def test_a_read_out_is_a_membrane_that_never_spikes() -> None:
    graph = chain([40, 10], beta=0.9, kind=ResetKind.NONE, readout=ReadoutKind.MEMBRANE_MAX)
    spikes = spikes_for(graph)
    found, expected = emulate(scaled(graph, spikes), spikes), golden.run(graph, spikes, arithmetic="real")
    assert not found.spikes["layer1"].any()
    np.testing.assert_allclose(found.scores, expected.scores, rtol=2e-3, atol=1e-3)
    assert (found.classes == expected.classes).mean() > 0.95


def test_portions_of_samples_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = chain([40, 60, 10])
    spikes = spikes_for(graph)
    plan = scaled(graph, spikes)
    seen: list[int] = []
    monkeypatch.setattr("lightning_neuro.targets.spinnaker.emulator._CHUNK_VALUES", 7 * 16 * 60)
    found = emulate(plan, spikes, record=True, progress=seen.append)
    whole = run_samples(load_network(plan), spikes, record=True)
    assert seen == [7] * 5 + [5]
    assert found.spike_counts == whole.spike_counts
    np.testing.assert_array_equal(found.spikes["layer1"], whole.spikes["layer1"])


@pytest.mark.parametrize("broken", ["mem_decay", "resistance", "syn_decay", "threshold"])
def test_a_wrong_constant_is_seen(broken: str) -> None:
    graph = rounded(GRAPHS["exponential"])
    spikes = spikes_for(graph)
    loaded = load_network(scaled(graph, spikes))
    expected = golden.run(graph, spikes, arithmetic="real", record=True)
    wrong = []
    for layer in loaded.layers:
        values = getattr(layer.constants, broken)
        constants = dataclasses.replace(layer.constants, **{broken: (values * 0.9).astype(np.int64)})
        wrong.append(dataclasses.replace(layer, constants=constants))
    groups = tuple((layer,) for layer in wrong)
    found = run_samples(dataclasses.replace(loaded, layers=tuple(wrong), groups=groups), spikes, record=True)
    assert jaccard(expected.spikes["layer1"], found.spikes["layer1"]) < 0.97


def test_constants_by_hand() -> None:
    # dt/tau = 1 exactly; 2^15/e = 12054.6, cut off; g = 1 - 1/e = 0.63212
    resistance, decay = membrane_constants(np.array([1.0]), np.array([0.25]), 1.0)
    assert (resistance.tolist(), decay.tolist()) == ([4 << 15], [12054])
    decay, gain = synapse_constants(np.array([1.0]), 1.0)
    assert decay[0] == pytest.approx(2**32 * np.exp(-1), rel=2e-6)
    assert gain[0] == pytest.approx(2**32 * (1 - np.exp(-1)), rel=2e-6)
    assert to_accum([0.5 / 2**15, 1.5 / 2**15]).tolist() == [0, 2]
