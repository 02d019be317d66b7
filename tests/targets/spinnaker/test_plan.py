"""Shifts, delays, cells and names of a plan, and how long silence lasts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.graph import golden
from lightning_neuro.graph.connections import prepare_real
from lightning_neuro.graph.hardware_graph import CubaLif, HardwareGraph, ResetKind, Values
from lightning_neuro.targets.spinnaker.cells import cell_parameters
from lightning_neuro.targets.spinnaker.gap import REMAINDER, gap_steps
from lightning_neuro.targets.spinnaker.plan import REFRACTORY_STEPS, UNTIL_THE_END, plan_network
from lightning_neuro.targets.spinnaker.reference import run_reference, synapse_list
from lightning_neuro.targets.spinnaker.timing import EXTRA_LATENCY, Backend, CellKind, Edge, pynn_delay, solve_shifts
from tests.targets.spinnaker import cases

DELTA, CURRENT = {}, {"alpha": 0.7}


@pytest.mark.parametrize(
    ("hidden", "nest", "brian2", "spinnaker"), [(DELTA, (1, 2), (2, 4), (1, 2)), (CURRENT, (2, 4), (2, 4), (1, 2))]
)
def test_layers_of_a_chain_are_behind_by_the_latency_of_their_cells(
    hidden: dict, nest: tuple, brian2: tuple, spinnaker: tuple
) -> None:
    plan = plan_network(cases.chain(hidden=hidden))
    for backend, expected in ((Backend.NEST, nest), (Backend.BRIAN2, brian2), (Backend.SPINNAKER, spinnaker)):
        assert tuple(p.shift[backend] for p in plan.populations) == expected
        assert {p.delay[backend] for p in plan.projections} == {1}


def test_a_skip_connection_waits_for_the_longer_way() -> None:
    plan = plan_network(cases.skipping())
    delays = {p.name: (p.steps, p.delay[Backend.NEST]) for p in plan.projections}
    shifts = {p.name: p.shift[Backend.NEST] for p in plan.populations}
    assert shifts == {"a": 2, "b": 2, "sum": 3}
    assert delays["input -> sum"] == (0, 3) and delays["a -> sum"] == (0, 1)
    assert delays["input -> b (delay 4)"] == (4, 6)


def test_every_delay_adds_up_to_the_networks_own() -> None:
    for graph in (cases.skipping(), cases.convolutional(alpha=0.5), cases.recurrent(hidden=CURRENT, delay=2)):
        plan = plan_network(graph)
        for backend in Backend:
            shift = {plan.input.name: 0, **{p.name: p.shift[backend] for p in plan.populations}}
            for p in plan.projections:
                kind = plan.population(p.post).cell.kind
                extra = EXTRA_LATENCY[backend][kind]
                assert p.delay[backend] >= 1
                assert shift[p.post] - shift[p.pre] == p.delay[backend] + extra - p.steps


def test_a_loop_that_is_faster_than_a_simulator_has_no_shifts() -> None:
    own = Edge(pre="a", post="a", delay=1, extra=0)
    assert solve_shifts("in", ["a"], [own]) == {"in": 0, "a": 0} and pynn_delay(own, {"a": 0}) == 1
    round_trip = [Edge(pre="a", post="b", delay=0, extra=0), Edge(pre="b", post="a", delay=1, extra=0)]
    assert solve_shifts("in", ["a", "b"], round_trip) is None


def test_loops_of_currents_become_pulses_on_nest_only_where_they_must() -> None:
    fast, slow = (plan_network(cases.recurrent(hidden=CURRENT, delay=delay)) for delay in (1, 2))
    assert [p.pulses for p in fast.populations] == [cases.STEPS, 0]
    assert [p.pulses for p in slow.populations] == [0, 0]
    assert fast.population("hidden").cell.kind is CellKind.EXP
    assert fast.runs_on(Backend.SPINNAKER) and not fast.runs_on(Backend.BRIAN2)


def test_too_many_pulses_leave_nest_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_neuro.targets.spinnaker.plan.MOST_PULSES", 100)
    plan = plan_network(cases.recurrent(hidden=CURRENT))
    assert not plan.runs_on(Backend.NEST) and plan.runs_on(Backend.SPINNAKER)


def test_names_become_identifiers_that_differ() -> None:
    graph = cases.chain(hidden={})
    renamed = [dataclasses.replace(p, name=name) for p, name in zip(graph.populations, ("in", "in."), strict=True)]
    first, second = (
        dataclasses.replace(p, pre=pre, post=post)
        for p, pre, post in zip(graph.projections, ("input", "in"), ("in", "in."), strict=True)
    )
    plan = plan_network(
        dataclasses.replace(graph, populations=tuple(renamed), projections=(first, second), output="in.")
    )
    assert [p.label for p in plan.populations] == ["in_2", "in_3"]
    assert [p.label for p in plan.projections] == ["input_to_in_2", "in_2_to_in_3"]


@cases.needs_nest
@pytest.mark.parametrize("hidden", [DELTA, CURRENT])
def test_refractory_steps_can_last_until_the_sample_ends(tmp_path: Path, hidden: dict) -> None:
    graph = cases.chain(hidden=hidden)
    plan = plan_network(graph)
    once = [dataclasses.replace(p.cell, refractory_steps=UNTIL_THE_END) for p in plan.populations]
    changed = (dataclasses.replace(p, cell=cell) for p, cell in zip(plan.populations, once, strict=True))
    plan = dataclasses.replace(plan, populations=tuple(changed))
    assert plan.once and plan.longest_refractory == 0
    with np.load(cases.written(graph, tmp_path, plan=plan) / "weights.npz") as arrays:
        weights = dict(arrays)
    found = run_reference(plan, weights, cases.draw_vectors(graph).spikes)
    assert all(raster.sum(axis=1).max() == 1 for raster in found.values())
    with np.load(tmp_path / "testset.npz") as arrays:
        testset = dict(arrays) | {f"expected.{name}": raster for name, raster in found.items()}
    np.savez(tmp_path / "testset.npz", **testset)
    for between in ("reset", "gap"):
        assert cases.mismatches(cases.on_nest(tmp_path, between)) == 0


# -- parameters of cells -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["nest", "brian2"])
@pytest.mark.parametrize(
    ("a", "b"), [(0.9, 0.5), (0.5, 0.9), (0.8, 0.8), (0.8, 0.8 + 1e-10), (1.0, 0.6), (0.0, 0.5), (0.7, 0.0)]
)
def test_a_weight_of_one_moves_the_membrane_by_one(a: float, b: float, backend: str) -> None:
    found = cell_parameters(
        "IF_curr_exp", np.array([a]), np.array([b]), np.ones(1), np.zeros(1),
        refractory_steps=0, spiking=True, scale=1.0, step_ms=1.0, backend=backend,
    )  # fmt: skip
    tau_m, tau_syn, cm = (float(found[key][0]) for key in ("tau_m", "tau_syn_E", "cm"))
    assert np.exp(-1 / tau_m) == pytest.approx(a, abs=1e-15) and np.exp(-1 / tau_syn) == pytest.approx(b, abs=1e-15)
    fine = np.linspace(0, 1, 20_001)  # v(1) of tau_m v' = -v + tau_m / cm exp(-t / tau_syn), by quadrature
    pushed = np.trapezoid(np.exp(-(1 - fine) / tau_m) * np.exp(-fine / tau_syn) / cm, fine)
    assert pushed == pytest.approx(1.0, rel=1e-4)


def test_thresholds_are_strict_and_read_outs_out_of_reach() -> None:
    def threshold(backend: str, spiking: bool) -> float:
        found = cell_parameters(
            "IF_curr_delta", np.array([0.5]), None, np.ones(1), np.zeros(1),
            refractory_steps=0, spiking=spiking, scale=1.0, step_ms=1.0, backend=backend,
        )  # fmt: skip
        return float(np.max(found["v_thresh"]))

    assert 0 < threshold("nest", True) - 1 < 1e-9
    assert threshold("spinnaker", True) == 1 + 2.0**-15
    assert threshold("nest", False) > 1e6 and 1e4 < threshold("spinnaker", False) < 2**16


# -- synapses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("graph", [cases.convolutional(), cases.chain(hidden={}), cases.skipping()])
def test_lists_of_synapses_are_the_connections(graph: HardwareGraph) -> None:
    for projection in graph.projections:
        connection = projection.connection
        pre, post, weight = synapse_list(connection, connection.weight.real)
        lines = graph.input.size if projection.pre == "input" else graph.population(projection.pre).size
        matrix = np.zeros((graph.population(projection.post).size, lines))
        np.add.at(matrix, (post, pre), weight)
        assert np.allclose(matrix, prepare_real(connection)(np.eye(lines)).T, rtol=0, atol=1e-12)


# -- silence -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [{}, {"alpha": 0.8}, {"beta": 0.97, "bias": 0.02}, {"alpha": 0.875}])
def test_after_the_gap_nothing_is_left(hidden: dict) -> None:
    graph = cases.chain(hidden=hidden)
    steps = gap_steps(plan_network(graph))
    assert steps is not None and steps < 2000
    resting = tuple(dataclasses.replace(p, bias=Values(real=0 * p.bias.real)) for p in graph.populations)
    spikes = np.zeros((1, cases.STEPS + steps, 20), np.uint8)
    spikes[:, : cases.STEPS] = 1
    found = golden.run(dataclasses.replace(graph, populations=resting), spikes, arithmetic="real", record=True)
    for population in graph.populations:
        assert not found.spikes[population.name][:, -1].any()
        assert np.abs(found.membrane[population.name][:, -1]).max() < REMAINDER * 20


def test_where_nothing_decays_there_is_no_gap() -> None:
    assert gap_steps(plan_network(cases.chain(hidden={"beta": 1.0}))) is None
    assert gap_steps(plan_network(cases.recurrent(hidden={}))) is None


def test_every_reset_but_subtraction_has_a_refractory_period() -> None:
    assert set(ResetKind) - set(REFRACTORY_STEPS) == {ResetKind.SUBTRACT}
    assert isinstance(cases.chain(hidden=CURRENT).populations[0].neuron, CubaLif)
