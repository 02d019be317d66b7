"""Random networks: any mixture of neurons, resets, biases, delays, loops and read-outs spikes on NEST as it should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.graph.hardware_graph import (
    HardwareGraph,
    LateBias,
    Population,
    Projection,
    ReadoutKind,
    Reset,
    ResetKind,
    Values,
)
from lightning_neuro.targets.spinnaker.plan import plan_network
from lightning_neuro.targets.spinnaker.reference import run_reference
from lightning_neuro.targets.spinnaker.timing import Backend
from tests.targets.spinnaker import cases

RESETS = (cases.ZERO, cases.LATE_ZERO, cases.CLAMP)
NETWORKS = 25


def random_network(seed: int) -> HardwareGraph:
    """One to four layers; every layer takes the one before it and perhaps the input, itself or an earlier one."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 14, rng.integers(1, 5)).tolist()
    by_membrane = bool(rng.integers(2))
    names = [f"layer {k}" for k in range(len(sizes))]
    populations = [
        _layer(rng, name, n, cases.NONE if by_membrane and name == names[-1] else RESETS[rng.integers(3)])
        for name, n in zip(names, sizes, strict=True)
    ]
    inputs = int(rng.integers(1, 12))
    before, projections = {"input": inputs}, []
    for name, n in zip(names, sizes, strict=True):
        latest = list(before)[-1]
        sources = {latest, *(s for s in before if rng.random() < 0.3)}
        projections += [_edge(rng, s, name, before[s], n, int(rng.choice((0, 0, 1, 3)))) for s in sorted(sources)]
        if rng.random() < 0.4 and not (by_membrane and name == names[-1]):
            projections.append(_edge(rng, name, name, n, n, int(rng.integers(1, 4))))
        before[name] = n
    readout = ReadoutKind.MEMBRANE_MAX if by_membrane else ReadoutKind.SPIKE_COUNT
    return cases.network(populations, projections, inputs=(inputs,), readout=readout)


def _layer(rng: np.random.Generator, name: str, n: int, reset: Reset) -> Population:
    def some(low: float, high: float) -> np.ndarray:
        return np.full(n, rng.uniform(low, high)) if rng.random() < 0.5 else rng.uniform(low, high, n)

    beta = np.ones(n) if rng.random() < 0.2 else some(0.3, 0.99)
    late = (LateBias(values=Values(real=some(-0.2, 0.3)), onset=int(rng.integers(1, 6)), until=None),)
    return cases.layer(
        name,
        (n,),
        reset=reset,
        beta=beta,
        alpha=some(0.2, 0.9) if rng.random() < 0.5 else None,
        threshold=some(0.5, 1.5),
        v_reset=some(-0.5, 0.3) if reset.kind is not ResetKind.NONE and rng.random() < 0.3 else 0.0,
        bias=some(-0.05, 0.2) if rng.random() < 0.4 else 0.0,
        late=late if rng.random() < 0.3 else (),
    )


def _edge(rng: np.random.Generator, pre: str, post: str, n_pre: int, n_post: int, delay: int) -> Projection:
    spread = rng.uniform(0.4, 1.5) / np.sqrt(n_pre)
    return cases.edge(pre, post, cases.dense(rng, n_post, n_pre, spread), delay)


@cases.needs_nest
@pytest.mark.parametrize("seed", range(NETWORKS))
def test_random_networks_on_nest(seed: int, tmp_path: Path) -> None:
    graph = random_network(seed)
    assert plan_network(graph).runs_on(Backend.NEST)
    found = cases.on_nest(cases.written(graph, tmp_path))
    assert cases.mismatches(found) == 0, found


@pytest.mark.parametrize("seed", range(4 * NETWORKS))
def test_random_networks_in_the_reference(seed: int, tmp_path: Path) -> None:
    graph = random_network(seed)
    plan = plan_network(graph)
    with np.load(cases.written(graph, tmp_path, plan=plan) / "weights.npz") as weights:
        vectors = cases.draw_vectors(graph)
        found = run_reference(plan, dict(weights), vectors.spikes)
    for population in plan.populations:
        if population.cell.spiking:
            assert np.array_equal(found[population.name], vectors.expected.spikes[population.name])
        else:
            expected = vectors.expected.membrane[population.name]
            assert np.allclose(found[population.name], expected, rtol=1e-12, atol=1e-12)


def test_most_random_networks_are_active() -> None:
    rates = [
        np.mean([raster.mean() for raster in cases.draw_vectors(random_network(seed)).expected.spikes.values()])
        for seed in range(NETWORKS)
    ]
    assert np.mean([0.01 < rate < 0.9 for rate in rates]) > 0.7
