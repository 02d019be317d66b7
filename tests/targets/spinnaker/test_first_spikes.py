"""First-spike networks on SpiNNaker: their spikes on NEST and the emulated machine, in steps of 0.1 ms."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_neuro.first_spike_check import analytic_first_spikes, compare_first_spikes, first_spike_check
from lightning_neuro.graph import golden
from lightning_neuro.graph.first_spike_nir import SpikeTimeNeurons, Synapses
from lightning_neuro.graph.first_spike_steps import Decay, discretise_first_spike, rasterise
from lightning_neuro.graph.hardware_graph import HardwareGraph, Population, Reset, ResetKind, Values
from lightning_neuro.report import Outcome
from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.spinnaker.artefact import WEIGHTS, write_artefact
from lightning_neuro.targets.spinnaker.bundles import bundles
from lightning_neuro.targets.spinnaker.constraints import Limits, check_graph
from lightning_neuro.targets.spinnaker.emulator import emulate
from lightning_neuro.targets.spinnaker.plan import UNTIL_THE_END, plan_network
from lightning_neuro.targets.spinnaker.reference import run_reference
from lightning_neuro.targets.spinnaker.scaling import loads_of, scale_plan
from tests.graph.first_spike_networks import TAU_S, lowered, network, times, to_graph
from tests.targets.spinnaker import cases

DT = TAU_S / 128
LIMITS = Limits(boards=1, timestep_ms=None, weight_error=0.01)
Found = tuple[HardwareGraph, HardwareGraph, np.ndarray, TestVectors]


def prepared(samples: int = 6, dt: float = DT, **options: Any) -> Found:
    """Analytic network, the same in steps, input times, and what the stepped one does with them."""
    analytic = network([5, 14, 3], seed=3, **options)
    graph = discretise_first_spike(analytic, dt, Decay.EXACT)
    drawn = times(samples, 5, seed=4, silent=0.05)
    raster = rasterise(drawn, dt, graph.steps or 0, nearest=True)
    expected = golden.run(graph, raster, arithmetic="real", record=True)
    assert all(expected.spikes[p.name].sum() > samples for p in graph.populations), "a network without spikes"
    return analytic, graph, drawn, TestVectors(spikes=raster, expected=expected, labels=np.full(samples, -1))


def rasters(found: Found) -> dict[str, np.ndarray]:
    return {found[1].input.name: found[3].spikes, **found[3].expected.spikes}


KINDS = {
    "equal time constants": {"ratio": 1.0},
    "twice as long a membrane": {"ratio": 2.0},
    "bias lines into a later layer": {"ratio": 1.0, "bias": True},
    "dendritic delays": {"ratio": 1.0, "delays": "dendritic"},
    "synaptic delays": {"ratio": 2.0, "delays": "synaptic"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_nest_spikes_as_the_network_and_the_network_in_the_steps_of_the_analytic_times(
    kind: str, tmp_path: Path
) -> None:
    pytest.importorskip("nest")
    found = prepared(**KINDS[kind])
    analytic, graph, drawn, vectors = found
    plan = plan_network(graph)
    assert plan.timestep_ms == pytest.approx(0.1)
    write_artefact(plan, tmp_path, vectors, None, None)
    assert cases.mismatches(cases.on_nest(tmp_path)) == 0
    with np.load(tmp_path / WEIGHTS) as weights:
        reference = run_reference(plan, dict(weights), vectors.spikes)
    assert all(np.array_equal(reference[name], spikes) for name, spikes in vectors.expected.spikes.items())
    check = analytic_first_spikes(analytic, graph, drawn, rasters(found))
    assert check.outcome is Outcome.PASSED and str(check.got).startswith("0 of "), check


def test_neurons_are_awake_again_after_the_gap_and_nothing_is_left_of_the_sample_before(tmp_path: Path) -> None:
    pytest.importorskip("nest")
    _, graph, _, vectors = prepared(samples=4)
    write_artefact(plan_network(graph), tmp_path, vectors, None, None)
    assert cases.mismatches(cases.on_nest(tmp_path, between="gap")) == 0
    script = tmp_path / "network.py"
    text = script.read_text()
    gap = next(line for line in text.splitlines() if line.startswith("GAP = "))
    assert int(gap.split()[2]) > (graph.steps or 0)  # any neuron that spiked in the sample is awake again
    script.write_text(text.replace(gap, "GAP = 1"))
    assert cases.mismatches(cases.on_nest(tmp_path, between="gap")) > 0


def test_a_neuron_that_may_spike_twice_is_found(tmp_path: Path) -> None:
    pytest.importorskip("nest")
    _, graph, _, vectors = prepared()
    plan = plan_network(graph)
    assert all(p.cell.refractory_steps == UNTIL_THE_END for p in plan.populations)
    awake = [dataclasses.replace(p, cell=dataclasses.replace(p.cell, refractory_steps=2)) for p in plan.populations]
    write_artefact(dataclasses.replace(plan, populations=tuple(awake)), tmp_path, vectors, None, None)
    assert cases.mismatches(cases.on_nest(tmp_path)) > 0


def spoiled(work: Callable[[HardwareGraph], HardwareGraph]) -> Outcome:
    """Outcome of the check when the network in steps is another one."""
    analytic, graph, drawn, vectors = prepared()
    expected = golden.run(work(graph), vectors.spikes, arithmetic="real", record=True)
    return analytic_first_spikes(analytic, graph, drawn, {"input": vectors.spikes, **expected.spikes}).outcome


def neurons(graph: HardwareGraph, **changes: Any) -> HardwareGraph:
    def other(p: Population) -> Population:
        return dataclasses.replace(p, neuron=dataclasses.replace(p.neuron, **changes))  # type: ignore[arg-type]

    return dataclasses.replace(graph, populations=tuple(other(p) for p in graph.populations))


def test_a_membrane_that_decays_by_a_shift_spikes_in_other_steps() -> None:
    shifted = discretise_first_spike(network([5, 14, 3], seed=3), DT, Decay.SHIFT)
    leak = shifted.populations[0].neuron.leak_mem  # type: ignore[union-attr]
    assert spoiled(lambda graph: graph) is Outcome.PASSED
    wrong = spoiled(
        lambda graph: dataclasses.replace(
            graph, populations=(neurons(graph, leak_mem=leak).populations[0], graph.populations[1])
        )
    )
    assert wrong is Outcome.FAILED


def test_a_peak_between_two_steps_is_counted_and_not_held_against_the_network() -> None:
    layer = SpikeTimeNeurons(
        name="layer0",
        incoming=(Synapses(pre="input", weight=np.ones((1, 1)), delays_s=None),),
        tau_syn_s=TAU_S,
        tau_mem_s=TAU_S,
        threshold=np.array([0.365]),  # potentials of 0.3595 and 0.3614 are seen, the peak in between is 0.3679
    )
    analytic = lowered(to_graph([layer], 1))
    graph, drawn = discretise_first_spike(analytic, 0.4 * TAU_S, Decay.EXACT), np.zeros((1, 1))
    raster = rasterise(drawn, graph.dt_s, graph.steps or 0, nearest=True)
    silent = np.zeros((1, graph.steps or 0, 1), np.uint8)
    assert golden.run(analytic, drawn, arithmetic="event").times["layer0"] < TAU_S
    assert not golden.run(graph, raster, arithmetic="real").spikes["layer0"].any()
    (found,) = compare_first_spikes(analytic, graph, drawn, {"input": raster, "layer0": silent})
    assert (found.wrong, found.unseen, found.one_alone) == (0, 1, 1)
    assert "1 peaks between two steps unseen" in str(first_spike_check((found,), 0.0, graph.dt_s).got)
    lower = neurons(analytic, threshold=Values(real=np.array([0.361])))
    (missed,) = compare_first_spikes(lower, graph, drawn, {"input": raster, "layer0": silent})
    assert (missed.wrong, missed.unseen) == (1, 0)


def test_the_emulated_machine_spikes_once_and_in_almost_all_cases_in_the_same_step() -> None:
    _, graph, _, vectors = prepared(samples=40)
    plan = plan_network(graph)
    scaled = scale_plan(plan, loads_of(plan, {"input": vectors.spikes, **vectors.expected.spikes}))
    found = emulate(scaled, vectors.spikes, record=True)
    for name, spikes in vectors.expected.spikes.items():
        assert found.spikes[name].sum(axis=1).max() == 1
        here, there = (np.where(x.any(axis=1), x.argmax(axis=1), x.shape[1]) for x in (found.spikes[name], spikes))
        assert (np.abs(here - there) <= 1).mean() > 0.97
    assert not any(found.overflows.values())


def test_silence_of_every_output_is_no_answer_on_the_emulated_machine() -> None:
    _, graph, _, vectors = prepared()
    plan = plan_network(graph)
    scaled = scale_plan(plan, loads_of(plan, {"input": vectors.spikes, **vectors.expected.spikes}))
    assert (emulate(scaled, np.zeros_like(vectors.spikes)).classes == golden.NO_CLASS).all()


def test_all_delays_between_two_layers_are_one_list_of_synapses(tmp_path: Path) -> None:
    _, graph, _, vectors = prepared(ratio=2.0, delays="synaptic")
    plan = plan_network(graph)
    assert len(plan.projections) > 20 and len(bundles(plan)) == 2
    write_artefact(plan, tmp_path, vectors, None, None)
    text = (tmp_path / "network.py").read_text()
    assert text.count("    net.connect(") == 2 and 'delay=w["input_to_layer0.delay"]' in text
    with np.load(tmp_path / WEIGHTS) as weights:
        assert weights["input_to_layer0.delay"].shape == (14, 5) == weights["input_to_layer0"].shape


def test_a_delay_beyond_the_slots_of_the_machine_is_refused_with_the_limit() -> None:
    analytic = network([5, 14, 3], seed=3, ratio=2.0, delays="synaptic")
    late = [
        p if p.delays_s is None else dataclasses.replace(p, delays_s=p.delays_s * 1000) for p in analytic.projections
    ]
    graph = discretise_first_spike(dataclasses.replace(analytic, projections=tuple(late)), DT, Decay.EXACT)
    assert any(v.what == "delay" and "steps into" in v.available for v in check_graph(graph, LIMITS))


@pytest.mark.parametrize(("dt", "asked", "step"), [(TAU_S / 128, None, 0.1), (5e-5, None, 0.1), (2.5e-4, 0.3, 0.3)])
def test_time_is_stretched_to_a_step_that_the_machine_can_do(dt: float, asked: float | None, step: float) -> None:
    _, graph, _, _ = prepared(dt=dt)
    assert check_graph(graph, dataclasses.replace(LIMITS, timestep_ms=asked)) == ()
    assert plan_network(graph, asked).timestep_ms == pytest.approx(step)


def test_a_machine_step_below_a_tenth_of_a_millisecond_is_refused() -> None:
    _, graph, _, _ = prepared()
    (violation,) = check_graph(graph, dataclasses.replace(LIMITS, timestep_ms=0.05))
    assert violation.remedy == "target.timestep_ms=0.1"


def test_a_network_with_steps_of_its_own_keeps_them() -> None:
    graph = cases.chain(hidden={"alpha": 0.7})
    assert any(v.what == "simulation step" for v in check_graph(graph, dataclasses.replace(LIMITS, timestep_ms=0.3)))


def test_once_acts_in_the_step_of_the_spike_only() -> None:
    _, graph, _, _ = prepared()
    late = neurons(graph, reset=Reset(kind=ResetKind.ONCE, delay=1))
    assert {v.what for v in check_graph(late, LIMITS)} == {"reset"}


