"""First spikes in continuous time: against closed forms, potentials on a fine grid, torch, and publications."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_neuro.errors import GraphError
from lightning_neuro.graph import golden
from lightning_neuro.graph.event import population_times
from lightning_neuro.graph.event_kernel import first_crossings
from lightning_neuro.graph.hardware_graph import HardwareGraph, Values
from lightning_neuro.neurons import first_spike_times
from tests.graph.first_spike_networks import TAU_S, lowered, network, published, times
from tests.graph.networks import chain

RATIOS = (0.4, 1.0, 1.0 + 1e-7, 2.0, 3.3)


def solve(arrivals: list[float], weights: list[float], *, ratio: float = 1.0, threshold: float = 1.0) -> float:
    """First spike of one neuron, unit tau_syn."""
    out, one = np.empty((1, 1)), np.ones(1)
    first_crossings(np.array([arrivals]), np.array([weights]), np.zeros((0, 0)), one, one * ratio, one * threshold, out)
    return float(out[0, 0])


def potential(t: np.ndarray, ratio: float) -> np.ndarray:
    t = np.maximum(t, 0.0)
    if abs(ratio - 1) < 1e-6:
        return t * np.exp(-t)
    return ratio / (ratio - 1) * (np.exp(-t / ratio) - np.exp(-t))


def test_one_input_of_equal_time_constants_crosses_where_lambert_says() -> None:
    from scipy.special import lambertw

    assert solve([0.3], [4.0]) == pytest.approx(0.3 - float(lambertw(-1 / 4.0).real), abs=1e-14)


def test_one_input_of_double_time_constant_crosses_where_the_square_root_says() -> None:
    x = (1 + np.sqrt(1 - 4 * 1.0 / (2 * 3.0))) / 2  # 2 w (x - x^2) = 1, x = exp(-t / 2)
    assert solve([0.3], [3.0], ratio=2.0) == pytest.approx(0.3 - 2 * np.log(x), abs=1e-14)


@pytest.mark.parametrize("ratio", RATIOS)
def test_membrane_meets_the_threshold_at_the_spike_and_not_before(ratio: float) -> None:
    rng = np.random.default_rng(3)
    spiked, exact = 0, 1e-11 if ratio in (0.4, 1.0, 2.0, 3.3) else 1e-6  # the potential below takes 1 + 1e-7 for 1
    for _ in range(200):
        arrivals, weights = np.sort(rng.uniform(0, 3, 9)), rng.normal(0.5, 1.2, 9)
        time = solve(arrivals.tolist(), weights.tolist(), ratio=ratio)
        grid = np.linspace(0, 12 if np.isinf(time) else time, 4000)
        membrane = potential(grid[:, None] - arrivals, ratio) @ weights
        assert membrane.max() <= 1 + exact
        if np.isfinite(time):
            spiked += 1
            assert membrane[-1] == pytest.approx(1.0, abs=exact)
    assert 40 < spiked < 190


def test_a_peak_between_inputs_is_found_even_when_the_next_input_inhibits() -> None:
    assert np.isfinite(solve([0.0, 1.2], [2.8, -50.0]))
    assert np.isinf(solve([0.0, 0.2], [2.8, -50.0]))


def test_a_membrane_that_rises_from_below_to_rest_does_not_spike() -> None:
    assert np.isinf(solve([0.0, 0.1], [-5.0, 0.5], threshold=1e-3, ratio=2.0))


def test_silent_inputs_have_no_effect_and_order_does_not_matter() -> None:
    assert solve([0.5, np.inf, 0.1], [2.0, 9.0, 3.0]) == solve([0.1, 0.5], [3.0, 2.0])
    assert np.isinf(solve([np.inf], [9.0]))


@pytest.mark.parametrize("delays", ["none", "axonal", "dendritic", "synaptic"])
@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0, 3.3])
def test_the_golden_model_equals_torch(ratio: float, delays: str) -> None:
    graph = network([6, 9, 4], ratio=ratio, delays=delays, seed=5)
    inputs = times(60, 6, silent=0.4)
    found = golden.run(graph, inputs, arithmetic="event")
    known, silent = torch.from_numpy(inputs / TAU_S), 0
    for projection, population in zip(graph.projections, graph.populations, strict=True):
        late = None if projection.delays_s is None else torch.from_numpy(projection.delays_s.T / TAU_S)
        weights = torch.from_numpy(np.array(projection.connection.weight.real.T))
        threshold = torch.from_numpy(np.array(population.neuron.threshold.real))
        known = first_spike_times(known, weights, tau_syn=1.0, tau_mem=ratio, threshold=threshold, delays=late)
        got = found.times[population.name] / TAU_S
        assert np.array_equal(np.isinf(got), torch.isinf(known).numpy())
        finite = np.isfinite(got)
        assert np.allclose(got[finite], known.numpy()[finite], atol=1e-9)
        silent += int((~finite).sum())
    assert 0 < silent < 60 * 13


@pytest.mark.parametrize(("name", "share"), [("equal_5_120_3", 0.960), ("double_4_30_3", 0.967)])
def test_published_networks_repeat_their_published_times(shared_data: Path, name: str, share: float) -> None:
    graph, inputs, stored = published(shared_data, name)
    found = golden.run(lowered(graph), inputs, arithmetic="event")
    got, wanted = found.times["label"] / TAU_S, stored["test_label_times"]
    assert np.array_equal(np.isinf(got), np.isinf(wanted))
    spiked = np.isfinite(wanted)
    assert np.abs(got[spiked] - wanted[spiked]).max() < 1e-4
    assert (found.classes == stored["test_labels"]).mean() == share


def test_the_first_class_to_spike_wins_the_lowest_a_tie_and_silence_is_no_answer() -> None:
    graph = network([2, 3], seed=1)
    same = dataclasses.replace(
        graph.projections[0],
        connection=dataclasses.replace(
            graph.projections[0].connection, weight=Values(real=np.array([[1.0, 0], [4, 0], [4, 0]]))
        ),
    )
    neuron = dataclasses.replace(graph.populations[0].neuron, threshold=Values(real=np.ones(3)))
    graph = dataclasses.replace(
        graph, projections=(same,), populations=(dataclasses.replace(graph.populations[0], neuron=neuron),)
    )
    inputs = np.array([[0.01, np.inf], [np.inf, 0.01]])
    assert golden.run(graph, inputs, arithmetic="event").classes.tolist() == [1, golden.NO_CLASS]


def test_a_higher_threshold_never_makes_a_spike_earlier() -> None:
    graph = network([6, 40], seed=2)
    known = {"input": times(50, 6)}
    low, high = (population_times(graph, graph.populations[0], known, f) for f in (1.0, 1.05))
    assert (high >= low).all() and (high > low).any()


def broken(graph: HardwareGraph, **neuron: object) -> HardwareGraph:
    first = graph.populations[0]
    changed = dataclasses.replace(first, neuron=dataclasses.replace(first.neuron, **neuron))
    return dataclasses.replace(graph, populations=(changed, *graph.populations[1:]))


def test_what_has_no_first_spikes_is_refused() -> None:
    graph = network([3, 2])
    for bad, inputs in (
        (graph, np.zeros((2, 4))),
        (graph, np.full((2, 3), np.nan)),
        (broken(graph, threshold=Values(real=np.zeros(2))), times(2, 3)),
        (chain([3, 2]), times(2, 3)),
        (dataclasses.replace(graph, projections=()), times(2, 3)),
    ):
        with pytest.raises(GraphError):
            golden.run(bad, inputs, arithmetic="event")
    with pytest.raises(GraphError, match="continuous-time"):
        golden.run(graph, np.zeros((1, 4, 3), np.uint8), arithmetic="real")
