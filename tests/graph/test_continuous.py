"""First-spike networks through NIR files: delays of every kind, bias lines, and what cannot be said."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import nir
import numpy as np
import pytest

from lightning_neuro.errors import NirError
from lightning_neuro.graph import golden
from lightning_neuro.graph.digest import graph_sha256
from lightning_neuro.graph.first_spike_nir import Synapses, first_spike_nodes
from lightning_neuro.graph.hardware_graph import FirstSpike, ReadoutKind, ResetKind, TimeBase
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.graph.nir_hdf5 import write_graph
from tests.graph.first_spike_networks import TAU_S, draw_layers, lowered, metadata, network, times, to_graph

KINDS = ["none", "axonal", "dendritic", "synaptic"]


@pytest.mark.parametrize("delays", KINDS)
@pytest.mark.parametrize("bias", [False, True])
def test_weights_delays_and_constants_survive_the_way_through_a_file(delays: str, bias: bool, tmp_path: Path) -> None:
    layers = draw_layers([5, 7, 3], ratio=2.0, delays=delays, bias=bias)
    write_graph(tmp_path / "x.nir", to_graph(layers, 5))
    graph = lower(*read_nir(tmp_path / "x.nir", dt_s=None))
    assert graph.time is TimeBase.CONTINUOUS and graph.dt_s == 0 and graph.horizon_s == 4 * TAU_S
    for layer in layers:
        population = graph.population(layer.name)
        assert isinstance(population.neuron, FirstSpike)
        assert np.array_equal(population.neuron.threshold.real, layer.threshold)
        assert (population.neuron.tau_syn_s == TAU_S).all() and (population.neuron.tau_mem_s == 2 * TAU_S).all()
        for wanted in layer.incoming:
            got = next(p for p in graph.into(layer.name) if p.pre == wanted.pre)
            assert np.array_equal(got.connection.weight.real, wanted.weight)
            late = None if wanted.delays_s is None else np.where(wanted.weight != 0, wanted.delays_s, 0.0)
            assert (got.delays_s is None) == (late is None)
            assert late is None or np.array_equal(got.delays_s, late)


@pytest.mark.parametrize("sizes", [[3, 8], [8, 3]])
def test_synaptic_delays_take_as_many_branches_as_the_smaller_side(sizes: list[int]) -> None:
    nodes = first_spike_nodes(sizes[0], draw_layers(sizes, delays="synaptic"))[0]
    assert sum(isinstance(node, nir.Delay) for node in nodes.values()) == 3
    assert sum(isinstance(node, nir.Linear) for node in nodes.values()) == 3


@pytest.mark.parametrize("delays", ["axonal", "dendritic"])
def test_a_delay_per_line_is_one_node(delays: str) -> None:
    nodes = first_spike_nodes(3, draw_layers([3, 8], delays=delays))[0]
    assert sum(isinstance(node, nir.Delay) for node in nodes.values()) == 1


def simulated(node: nir.CubaLIF, arrivals: np.ndarray, weights: np.ndarray, dt: float) -> float:
    """First spike of NIR's literal equations by small Euler steps; a Dirac spike lets I jump by w w_in / tau_syn."""
    v = i = 0.0
    tau_syn, tau_mem, r, w_in = (float(x[0]) for x in (node.tau_syn, node.tau_mem, node.r, node.w_in))
    charge = np.zeros(int(6 * TAU_S / dt) + 1)
    np.add.at(charge, np.rint(arrivals / dt).astype(int), weights * w_in / tau_syn)
    for step, jump in enumerate(charge):
        i += jump
        v += dt / tau_mem * (-v + r * i)
        i -= dt / tau_syn * i
        if v > float(node.v_threshold[0]):
            return (step + 1) * dt
    return np.inf


@pytest.mark.parametrize("ratio", [1.0, 2.0])
@pytest.mark.parametrize(("r", "w_in"), [(1.0, None), (2.5, 0.02)])
def test_the_membrane_is_that_of_nirs_equations_to_the_letter(ratio: float, r: float, w_in: float | None) -> None:
    layers = draw_layers([6, 4], ratio=ratio, seed=3)
    graph = to_graph(layers, 6)
    node = graph.nodes["layer0"]
    node.r = np.full(4, r)
    node.w_in = node.w_in if w_in is None else np.full(4, w_in)
    inputs, spiked = times(4, 6, silent=0.0), 0
    found = golden.run(lowered(graph), inputs, arithmetic="event").times["layer0"]
    for sample in range(4):
        for k in range(4):
            single = nir.CubaLIF(**{key: getattr(node, key)[k : k + 1] for key in vars(node) if key[0] in "tvrw"})
            wanted = simulated(single, inputs[sample], layers[0].incoming[0].weight[k], TAU_S / 4000)
            spiked += np.isfinite(wanted)
            assert found[sample, k] == pytest.approx(wanted, abs=TAU_S / 300)
    assert spiked > 3


def changed(graph: nir.NIRGraph, edges: list[tuple[str, str]] | None = None, **nodes: nir.NIRNode) -> nir.NIRGraph:
    return nir.NIRGraph(
        nodes={**graph.nodes, **nodes},
        edges=graph.edges if edges is None else [*graph.edges, *edges],
        metadata=graph.metadata,
        type_check=False,
    )


def test_what_first_spikes_cannot_say_is_refused_by_name() -> None:
    graph = to_graph(draw_layers([3, 4, 2]), 3)
    middle = "layer1_from_layer0"
    weight = graph.nodes[middle].weight
    lif = nir.LIF(tau=np.ones(4), r=np.ones(4), v_leak=np.zeros(4), v_threshold=np.ones(4), v_reset=np.zeros(4))
    late = nir.Delay(np.array([1e-3, 2e-3, 3e-3, 4e-3]))
    cuba = dict(vars(graph.nodes["layer0"]))
    low = nir.CubaLIF(**{k: cuba[k] for k in cuba if k[0] in "trw" or k == "v_leak"}, v_threshold=np.zeros(4))
    for bad, words in (
        (changed(graph, layer0=lif), "LIF"),
        (changed(graph, **{middle: nir.Affine(weight, np.ones(2))}), "a bias"),
        (changed(graph, layer0=low), "not above 0"),
        (changed(graph, edges=[("layer1", "back"), ("back", "layer0")], back=nir.Linear(np.ones((4, 2)))), "a loop"),
        (changed(graph, **{middle: nir.Linear(np.ones((2, 5)))}), "for 4 lines"),
    ):
        with pytest.raises(NirError, match=words):
            lowered(bad)
    mixed = nir.NIRGraph(
        nodes={**graph.nodes, "late": late, "mix": nir.Linear(np.ones((4, 4)))},
        edges=[*(e for e in graph.edges if e[1] != middle), ("layer0", "late"), ("late", "mix"), ("mix", middle)],
        metadata=graph.metadata,
        type_check=False,
    )
    lowered(mixed)  # each line has its delay still
    mixed.nodes["again"] = nir.Linear(np.ones((4, 4)))
    mixed.nodes["late2"] = late
    mixed.edges = [*(e for e in mixed.edges if e != ("mix", middle)), ("mix", "late2"), ("late2", "again"),
                   ("again", middle)]  # fmt: skip
    with pytest.raises(NirError, match="mix delays"):
        lowered(mixed)


def test_two_synapses_of_different_delay_between_one_pair_are_refused() -> None:
    graph = to_graph(draw_layers([3, 2]), 3)
    more = {"late": nir.Delay(np.full(3, 1e-3)), "twice": nir.Linear(np.ones((2, 3)))}
    with pytest.raises(NirError, match="different delay"):
        lowered(changed(graph, edges=[("input", "late"), ("late", "twice"), ("twice", "layer0")], **more))
    parallel = changed(graph, edges=[("input", "twice"), ("twice", "layer0")], twice=nir.Linear(np.ones((2, 3))))
    assert np.allclose(
        lowered(parallel).projections[0].connection.weight.real,
        lowered(graph).projections[0].connection.weight.real + 1,
    )


def test_metadata_of_continuous_time_say_what_they_must() -> None:
    values = metadata(["a"]).to_dict()
    assert "dt" not in values and values["integration"] == "exact"
    assert Metadata.from_dict(values, "x").resets["a"].kind is ResetKind.ONCE
    for key, value in (("horizon", 0.0), ("horizon", "nan"), ("time", "sometimes"), ("resets", '{"a": "once/1"}')):
        with pytest.raises(NirError, match="damaged"):
            Metadata.from_dict({**values, key: value}, "x")
    with pytest.raises(NirError, match="read-out"):
        graph = to_graph(draw_layers([2, 2]), 2)
        lower(graph, dataclasses.replace(metadata(["layer0"]), readout=ReadoutKind.SPIKE_COUNT))


def test_the_same_nodes_without_the_metadata_are_a_stepped_network() -> None:
    graph = to_graph(draw_layers([2, 2]), 2)
    stepped = dataclasses.replace(
        metadata(["layer0"]), time=TimeBase.STEPPED, dt_s=1e-3, horizon_s=None, readout=ReadoutKind.SPIKE_COUNT
    )
    assert lower(graph, stepped).time is TimeBase.STEPPED


def test_the_digest_tells_delays_horizons_and_time_constants_apart() -> None:
    graph = network([3, 2], delays="synaptic")
    projection = graph.projections[0]
    assert projection.delays_s is not None
    later = dataclasses.replace(projection, delays_s=projection.delays_s * (1 + 1e-12))
    others = [
        dataclasses.replace(graph, projections=(later,)),
        dataclasses.replace(graph, horizon_s=1.0),
        network([3, 2], delays="synaptic", ratio=1.01),
    ]
    assert len({graph_sha256(g) for g in (graph, *others)}) == 4


def test_too_many_branches_are_refused() -> None:
    rng = np.random.default_rng(0)
    layer = draw_layers([2, 2])[0]
    big = Synapses(pre="input", weight=np.ones((600, 600)), delays_s=rng.random((600, 600)))
    with pytest.raises(NirError, match="its own delay"):
        first_spike_nodes(600, [dataclasses.replace(layer, incoming=(big,), threshold=np.ones(600))])
