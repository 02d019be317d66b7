"""Factors, shifts and 16-bit weights: as sPyNNaker makes them, and as little lost as possible."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from lightning_neuro.graph import golden
from lightning_neuro.graph.hardware_graph import Dense, ReadoutKind, ResetKind, Values
from lightning_neuro.graph.widths import QuantizeSpec
from lightning_neuro.targets.spinnaker.accum import ACCUM_MAX
from lightning_neuro.targets.spinnaker.emulator import emulate
from lightning_neuro.targets.spinnaker.number_rules import weight_error
from lightning_neuro.targets.spinnaker.plan import plan_network
from lightning_neuro.targets.spinnaker.scaling import (
    Load,
    arriving,
    choose_buffers,
    common_lsb,
    loads_of,
    ring_buffer_shift,
    scale_plan,
    stored_weights,
    unit,
    worst_sums,
)
from tests.graph.networks import chain
from tests.targets.spinnaker.small_graphs import convolutional, one_neuron, recurrent, rounded, scaled, spikes_for

THEIRS = """
import json, sys, types
import numpy
from spynnaker.pyNN.models.neuron.population_vertex import PopulationVertex as Vertex
found = []
for expected, weights in json.load(sys.stdin):
    impl = types.SimpleNamespace(get_n_synapse_types=lambda: 2, get_global_weight_scale=lambda: 1.0)
    vertex = object.__new__(Vertex)
    vertex._PopulationVertex__neuron_impl = impl
    vertex._PopulationVertex__max_expected_summed_weight = expected
    shifts = Vertex.get_ring_buffer_shifts(vertex)
    scaled = numpy.array(weights) * Vertex.get_weight_scales(vertex, shifts)[0]
    found.append([shifts, (numpy.rint(numpy.abs(scaled)).astype(numpy.uint32) & 0xFFFF).tolist()])
print("RESULT" + json.dumps(found))
"""


@pytest.mark.skipif(find_spec("spynnaker") is None, reason="sPyNNaker is not installed (pip install sPyNNaker)")
def test_shifts_and_stored_weights_are_spynnakers() -> None:
    rng = np.random.default_rng(0)
    sums = [0.0, 1e-9, 0.5, 1.0, 1.0000001, 2.0, 3.9, 4.0, 1023.999, 1024.0, 30000.0, *rng.uniform(0, 5000, 40)]
    weights = [rng.uniform(0, max(a, 1e-3), 20).tolist() for a in sums]
    asked = [[[a, b], w] for a, b, w in zip(sums, sums[::-1], weights, strict=True)]
    run = subprocess.run(
        [sys.executable, "-c", THEIRS], input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=120
    )
    theirs = json.loads(run.stdout.split("RESULT")[1])
    for ([a, b], w), (shifts, stored) in zip(asked, theirs, strict=True):
        ours = (ring_buffer_shift(a), ring_buffer_shift(b))
        assert list(ours) == shifts
        assert stored_weights(np.array(w), ours).tolist() == stored
        assert stored_weights(-np.array(w), ours[::-1]).tolist() == [-count for count in stored]


def test_a_ring_buffer_holds_the_sum_that_spynnaker_is_told() -> None:
    for expected in np.geomspace(1e-3, 60000, 200):
        shift = ring_buffer_shift(float(expected))
        assert expected < 2**15 * unit(shift) and (shift == 0 or expected >= 2**14 * unit(shift))


GRAPHS = {
    "delta": chain([40, 60, 10], beta=0.9),
    "exponential": chain([40, 60, 10], beta=0.9, alpha=0.8),
    "recurrent": recurrent(chain([40, 60, 10], beta=0.9)),
    "convolution": convolutional(),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_weights_of_a_quantised_network_are_stored_exactly(name: str) -> None:
    graph = rounded(GRAPHS[name])
    plan = scaled(graph, spikes_for(graph))
    for population in plan.plan.populations:
        assert weight_error(plan, population) < 1e-12
        shifts = plan.buffers[population.name].shifts
        for projection in plan.plan.into(population.name):
            counts = stored_weights(projection.connection.weight.real * population.scale, shifts)
            raw = projection.connection.weight.integers()
            assert np.abs(counts).max() < 2**15
            ratios = counts[raw != 0] / raw[raw != 0]
            assert set(np.log2(ratios) % 1) == {0.0}


def test_weights_in_real_numbers_use_all_bits_they_can() -> None:
    graph = chain([40, 60, 10], beta=0.9)
    spikes = spikes_for(graph)
    plan = scaled(graph, spikes)
    for population in plan.plan.populations:
        assert common_lsb(plan.plan, population) is None
        buffers = plan.buffers[population.name]
        # the fuller of both ring buffers is told a sum just below the next power of two
        assert 1 - 1e-5 < max(e / 2.0**s for e, s in zip(buffers.expected, buffers.shifts, strict=True)) < 1
        assert weight_error(plan, population) < 2e-3


def test_calibration_sums_fit_and_the_default_of_spynnaker_would_lose_more() -> None:
    graph = chain([200, 60, 10], beta=0.9)
    spikes = spikes_for(graph)
    plan = plan_network(graph)
    recorded = golden.run(graph, spikes, arithmetic="real", record=True)
    rasters = {"input": spikes, **recorded.spikes}
    loads = loads_of(plan, rasters)
    first = plan.populations[0]
    assert loads["layer1"].exc == arriving(plan, first, rasters, 1.0).max() < worst_sums(plan, first)[0] / 2
    found = scale_plan(plan, loads).plan.populations[0]
    tight = choose_buffers(scale_plan(plan, loads).plan, found, loads["layer1"])
    every = worst_sums(plan, first)[0] * found.scale
    assert ring_buffer_shift(every) > tight.shifts[0]


def test_every_single_weight_fits_even_one_that_calibration_never_used() -> None:
    graph = one_neuron([0.1, 50.0], beta=0.5, threshold=1.0)
    silent = np.zeros((1, 8, 2), np.uint8)
    silent[0, 0, 0] = 1
    plan = scaled(graph, silent)
    population = plan.plan.populations[0]
    counts = stored_weights(np.array([50.0 * population.scale]), plan.buffers["layer1"].shifts)
    assert counts[0] < 2**16


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99, 1.0])
def test_membranes_stay_in_signed_16_15(beta: float) -> None:
    graph = chain([40, 60, 10], beta=beta)
    spikes = spikes_for(graph)
    recorded = golden.run(graph, spikes, arithmetic="real", record=True)
    plan = scaled(graph, spikes)
    for population in plan.plan.populations:
        largest = np.abs(recorded.membrane[population.name]).max() * population.scale
        assert largest < ACCUM_MAX / 2


@pytest.mark.parametrize("alpha", [None, 0.8])
@pytest.mark.parametrize("kind", [ResetKind.ZERO, ResetKind.NONE])
def test_no_input_at_all_overflows_where_digits_are_plenty(alpha: float | None, kind: ResetKind) -> None:
    graph = chain([40, 20], beta=0.9, alpha=alpha, kind=kind, readout=ReadoutKind.MEMBRANE_MAX, steps=40)
    weight = np.abs(graph.projections[0].connection.weight.real)
    projection = dataclasses.replace(graph.projections[0], connection=Dense(weight=Values(real=weight)))
    graph = rounded(dataclasses.replace(graph, projections=(projection,)))
    quiet, loud = spikes_for(graph, rate=0.05), np.ones((1, 40, 40), np.uint8)
    found = emulate(scaled(graph, quiet), loud)
    assert found.overflows == {"layer1": 0} and found.saturations == {"layer1": 0}
    if kind is ResetKind.NONE:
        expected = golden.run(graph, loud, arithmetic="real").scores
        np.testing.assert_allclose(found.scores, expected, rtol=1e-3)


def test_one_factor_changes_no_spike_in_exact_arithmetic() -> None:
    graph = chain([40, 60, 10], beta=0.875)
    spikes = spikes_for(graph)
    factors = [p.scale for p in scaled(graph, spikes).plan.populations]
    populations, projections = [], []
    for population, projection, factor in zip(graph.populations, graph.projections, factors, strict=True):
        neuron = dataclasses.replace(
            population.neuron, threshold=Values(real=population.neuron.threshold.real * factor)
        )
        populations.append(dataclasses.replace(population, neuron=neuron))
        connection = dataclasses.replace(
            projection.connection, weight=Values(real=projection.connection.weight.real * factor)
        )
        projections.append(dataclasses.replace(projection, connection=connection))
    other = dataclasses.replace(graph, populations=tuple(populations), projections=tuple(projections))
    a, b = (golden.run(g, spikes, arithmetic="real", record=True) for g in (graph, other))
    for name in a.spikes:
        np.testing.assert_array_equal(a.spikes[name], b.spikes[name])


def test_sixteen_bit_weights_beside_large_sums_lose_bits_and_it_is_measured() -> None:
    graph = rounded(chain([400, 60, 10], beta=0.9), QuantizeSpec(weight_bits=16, state_bits=32, leak_bits=8))
    spikes = spikes_for(graph, rate=0.9)
    plan = scaled(graph, spikes)
    assert 0 < weight_error(plan, plan.plan.populations[0]) < 0.01


def test_nothing_arrives_nothing_is_divided_by_zero() -> None:
    graph = one_neuron([0.0], beta=0.5, threshold=1.0)
    plan = scale_plan(plan_network(graph), {"layer1": Load(exc=0.0, inh=0.0, current=0.0)})
    assert plan.buffers["layer1"].shifts == (0, 0) and np.isfinite(plan.plan.populations[0].scale)
