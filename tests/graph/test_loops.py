"""Recurrence and delays in the golden model, against plain Python."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from lightning_neuro.errors import GraphError
from lightning_neuro.graph import golden
from lightning_neuro.graph.blocks import blocks, loops, strong_components
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.digest import graph_sha256
from lightning_neuro.graph.hardware_graph import Dense, HardwareGraph, LateBias, Projection, ResetKind, Values
from lightning_neuro.graph.widths import QuantizeSpec
from tests.graph.networks import chain, spikes
from tests.graph.slow_network import simulate

SPEC = QuantizeSpec(weight_bits=6, state_bits=12, leak_bits=8)


def dense(pre: str, post: str, m: int, n: int, delay: int, seed: int, scale: float = 0.5) -> Projection:
    weight = np.random.default_rng(seed).normal(-0.1, scale, (m, n))
    return Projection(pre=pre, post=post, connection=Dense(weight=Values(real=weight)), delay=delay)


def with_projections(graph: HardwareGraph, *more: Projection) -> HardwareGraph:
    return dataclasses.replace(graph, projections=(*graph.projections, *more))


def with_late_bias(graph: HardwareGraph, onset: int, value: float) -> HardwareGraph:
    first, *others = graph.populations
    late = LateBias(values=Values(real=np.full(first.size, value)), onset=onset, until=None)
    return dataclasses.replace(graph, populations=(dataclasses.replace(first, late_biases=(late,)), *others))


def recurrent(**options) -> HardwareGraph:
    return with_projections(chain([8, 6, 4], **options), dense("layer1", "layer1", 6, 6, 1, 5))


def mutual(**options) -> HardwareGraph:
    graph = with_projections(
        chain([8, 6, 5, 3], **options), dense("layer2", "layer1", 6, 5, 1, 6), dense("layer2", "layer2", 5, 5, 3, 7)
    )
    return with_late_bias(graph, 2, 0.3)


NETWORKS = {
    "itself": recurrent(),
    "itself, subtract late": recurrent(kind=ResetKind.SUBTRACT, delay=1),
    "current-based": recurrent(alpha=0.75),
    "two populations": mutual(),
    "two populations, current-based": mutual(alpha=0.75),
    "late bias without a loop": with_late_bias(chain([8, 6, 4]), 3, 0.4),
    "two delays between the same pair": with_projections(
        chain([8, 6, 4]), dense("input", "layer1", 6, 8, 2, 8), dense("layer1", "layer2", 4, 6, 5, 9)
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("arithmetic", ["real", "fixed"])
def test_a_network_with_delays_is_what_plain_python_computes(name: str, arithmetic: str) -> None:
    graph = NETWORKS[name]
    if arithmetic == "fixed":
        graph, _ = quantize_network(graph, SPEC, None)
    raster = spikes(4, 14, 8, rate=0.5)
    run = golden.run(graph, raster, arithmetic=arithmetic, record=True)  # type: ignore[arg-type]
    for sample in range(4):
        fired, membranes = simulate(graph, raster[sample], raw=arithmetic == "fixed")
        for population in graph.populations:
            p = population.name
            assert (run.spikes[p][sample] == fired[p]).all()
            np.testing.assert_allclose(run.membrane[p][sample], np.array(membranes[p], float), rtol=0, atol=1e-9)
    assert all(run.spikes[p.name].any() for p in graph.populations)
    if arithmetic == "real":
        assert run.margin["layer1"].shape == run.spikes["layer1"].shape


def test_only_loops_advance_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = with_projections(chain([8, 6, 5, 4, 3]), dense("layer3", "layer2", 5, 4, 1, 6))
    assert blocks(graph) == (("layer1",), ("layer2", "layer3"), ("layer4",)) and loops(graph) == (("layer2", "layer3"),)
    together: list[tuple[str, ...]] = []
    original = golden._advance_together
    spy = lambda tape, group: (together.append(group), original(tape, group))  # noqa: E731
    monkeypatch.setattr(golden, "_advance_together", spy)
    golden.run(graph, spikes(2, 5, 8), arithmetic="real")
    assert together == [("layer2", "layer3")]


def test_a_loop_of_zero_weights_changes_nothing() -> None:
    plain = chain([8, 6, 4])
    silent = with_projections(plain, dense("layer1", "layer1", 6, 6, 1, 5, scale=0.0))
    silent = dataclasses.replace(
        silent,
        projections=(
            *plain.projections,
            dataclasses.replace(silent.projections[-1], connection=Dense(weight=Values(real=np.zeros((6, 6))))),
        ),
    )
    raster = spikes(5, 20, 8)
    first, second = (golden.run(g, raster, arithmetic="real", record=True) for g in (plain, silent))
    for name in ("layer1", "layer2"):
        assert (first.membrane[name] == second.membrane[name]).all()


def test_a_loop_without_delay_is_refused() -> None:
    graph = with_projections(chain([8, 6, 4]), dense("layer2", "layer1", 6, 4, 0, 5))
    with pytest.raises(GraphError, match="comes after it"):
        golden.run(graph, spikes(1, 4, 8), arithmetic="real")


def test_delay_and_late_bias_are_part_of_the_identity_of_a_graph() -> None:
    graph = recurrent()
    *others, last = graph.projections
    later = dataclasses.replace(graph, projections=(*others, dataclasses.replace(last, delay=2)))
    hashes = {graph_sha256(g) for g in (graph, later, with_late_bias(graph, 1, 0.1), with_late_bias(graph, 2, 0.1))}
    assert len(hashes) == 4


def test_projections_with_other_delays_have_other_names() -> None:
    graph = NETWORKS["two delays between the same pair"]
    assert len({p.name for p in graph.projections}) == len(graph.projections)


def test_long_chains_need_no_recursion() -> None:
    names = [str(k) for k in range(5000)]
    assert strong_components(names, {a: [b] for a, b in pairwise(names)}) == [(n,) for n in names]
