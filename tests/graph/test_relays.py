"""Lines that skip layers, through relay neurons: everybody else's spikes stay the same."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from lightning_neuro.graph import golden
from lightning_neuro.graph.first_spike_steps import Decay, discretise_first_spike, rasterise
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.graph.quantize import choose_formats, quantize
from lightning_neuro.graph.relays import relay_counts, relay_skips
from lightning_neuro.graph.widths import QuantizeSpec
from tests.graph.first_spike_networks import TAU_S, network, times


def stepped(sizes: list[int], seed: int, **options: object) -> HardwareGraph:
    return discretise_first_spike(network(sizes, seed=seed, bias=True, **options), TAU_S / 32, Decay.SHIFT)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sizes", [[4, 7, 3], [3, 6, 5, 4], [2, 5, 4, 4, 3]])
def test_spikes_of_all_other_neurons_stay_the_same(sizes: list[int], seed: int) -> None:
    graph = stepped(sizes, seed)
    chained = relay_skips(graph)
    names = [graph.input.name, *(p.name for p in graph.populations)]
    assert [(p.pre, p.post) for p in chained.projections] == list(itertools.pairwise(names))
    raster = rasterise(times(30, sizes[0], seed=seed), graph.dt_s, graph.steps)
    wanted = golden.run(graph, raster, arithmetic="real", record=True)
    spec = QuantizeSpec(weight_bits=6, state_bits=18, leak_bits=8)
    for form, arithmetic in ((chained, "real"), (rounded(chained, spec), "fixed")):
        got = golden.run(form, raster, arithmetic=arithmetic, record=True)
        for population in graph.populations:
            spikes = got.spikes[population.name]
            relays = spikes[:, :, population.size :]
            if population.name != graph.output:  # the bias line, in its own step
                assert np.array_equal(relays, raster[:, :, -1:])
            if arithmetic == "real":
                assert np.array_equal(spikes[:, :, : population.size], wanted.spikes[population.name])
    assert relay_counts(graph, chained) == {name: 1 for name in names[1:-1]}


def rounded(graph: HardwareGraph, spec: QuantizeSpec) -> HardwareGraph:
    return quantize(graph, choose_formats(graph, spec, membrane_range={}))


def test_delays_of_the_skipping_line_are_kept() -> None:
    graph = stepped([4, 7, 3], 1)
    skips = ("input", "layer1")
    late = tuple(dataclasses.replace(p, delay=5) if (p.pre, p.post) == skips else p for p in graph.projections)
    graph = dataclasses.replace(graph, projections=late)
    raster = rasterise(times(30, 4), graph.dt_s, graph.steps)
    wanted = golden.run(graph, raster, arithmetic="real").spikes["layer1"]
    assert np.array_equal(golden.run(relay_skips(graph), raster, arithmetic="real").spikes["layer1"], wanted)
    without = golden.run(stepped([4, 7, 3], 1), raster, arithmetic="real").spikes["layer1"]
    assert not np.array_equal(without, wanted)


def test_a_chain_stays_as_it_is() -> None:
    graph = discretise_first_spike(network([4, 7, 3]), TAU_S / 32, Decay.SHIFT)
    chained = relay_skips(graph)
    assert relay_counts(graph, chained) == {}
    for old, new in zip(graph.projections, chained.projections, strict=True):
        assert np.array_equal(old.connection.weight.real, new.connection.weight.real)
