"""First-spike networks in steps: exact decays sample the analytic membrane, shift decays are shifts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lightning_neuro.errors import ConfigError
from lightning_neuro.graph import golden
from lightning_neuro.graph.digest import graph_sha256
from lightning_neuro.graph.event import population_times
from lightning_neuro.graph.first_spike_steps import (
    Decay,
    Discretisation,
    discretise_first_spike,
    gain,
    rasterise,
    step_length,
    times_of,
)
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import CubaLif, HardwareGraph, Reset, ResetKind, TimeBase, Values
from lightning_neuro.graph.quantize import choose_formats, quantize
from lightning_neuro.graph.widths import QuantizeSpec
from tests.graph.first_spike_networks import TAU_S, network, times
from tests.graph.networks import identity_graph, real_population

FPGA = Discretisation(decay=Decay.SHIFT, dt_s=None, steps_per_tau=64, relays=True)
SPINNAKER = Discretisation(decay=Decay.EXACT, dt_s=1e-4, steps_per_tau=64, relays=True)


def potential(t: np.ndarray, ratio: float) -> np.ndarray:
    if ratio == 1:
        return t * np.exp(-t)
    return ratio / (ratio - 1) * (np.exp(-t / ratio) - np.exp(-t))


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0, 3.3])
def test_with_exact_decays_the_membrane_is_the_analytic_one_a_step_later(ratio: float) -> None:
    graph = discretise_first_spike(network([2, 3], ratio=ratio), TAU_S / 50, Decay.EXACT)
    quiet = dataclasses.replace(
        graph,
        populations=tuple(
            dataclasses.replace(p, neuron=dataclasses.replace(p.neuron, threshold=Values(real=np.full(3, 1e9))))
            for p in graph.populations
        ),
    )
    raster = np.zeros((1, graph.steps, 2), np.uint8)
    raster[0, 7, 0] = 1
    membrane = golden.run(quiet, raster, arithmetic="real", record=True).membrane["layer0"][0]
    later = (np.arange(graph.steps) - 7 + 1) / 50
    weight = network([2, 3], ratio=ratio).projections[0].connection.weight.real[:, 0]
    wanted = np.where(later[:, None] > 0, potential(later[:, None], ratio) * weight, 0.0)
    assert np.allclose(membrane, wanted, atol=1e-12)


@pytest.mark.parametrize("delays", ["none", "synaptic"])
@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_with_exact_decays_first_spikes_lie_within_one_step_of_the_analytic_ones(ratio: float, delays: str) -> None:
    dt = 1e-4
    analytic = network([6, 40], ratio=ratio, delays=delays)
    if delays != "none":  # delays that are whole steps, so that only times are rounded
        projection = analytic.projections[0]
        assert projection.delays_s is not None
        whole = dataclasses.replace(projection, delays_s=np.rint(projection.delays_s / dt) * dt)
        analytic = dataclasses.replace(analytic, projections=(whole,), horizon_s=6 * TAU_S)
    graph = discretise_first_spike(analytic, dt, Decay.EXACT)
    raster = rasterise(times(50, 6), dt, graph.steps)
    got = times_of(golden.run(graph, raster, arithmetic="real", record=True).spikes["layer0"], dt)
    wanted = population_times(analytic, analytic.populations[0], {"input": times_of(raster, dt) - dt})
    both = np.isfinite(got) & np.isfinite(wanted)
    assert both.sum() > 500
    late = got[both] - wanted[both]
    assert (late >= -1e-12).all() and (late <= dt + 1e-12).all()
    # a membrane that passes the threshold and comes back between two grid points is all that is missed
    assert (np.isfinite(got) != np.isfinite(wanted)).mean() < 0.005


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_with_exact_decays_a_step_is_that_of_a_simulator_with_propagators(ratio: float) -> None:
    """NEST's iaf_psc_exp: V <- P22 V + P21 I, then I <- P11 I + w: one step later than ours, and otherwise the same."""
    dt, steps = 0.1, 300
    analytic = network([5, 30], ratio=ratio, seed=4)
    graph = discretise_first_spike(analytic, dt * 1e-3, Decay.EXACT)
    raster = rasterise(times(8, 5), dt * 1e-3, steps)
    ours = golden.run(graph, raster, arithmetic="real", record=True).spikes["layer0"].argmax(axis=1)
    tau_syn, tau_mem, capacitance = 10.0, 10.0 * ratio, 250.0
    p11, p22 = np.exp(-dt / tau_syn), np.exp(-dt / tau_mem)
    p21 = (
        dt / capacitance * p22 if ratio == 1 else tau_syn * tau_mem / (capacitance * (tau_mem - tau_syn)) * (p22 - p11)
    )
    current_of_weight = capacitance / tau_syn  # pA that make V = w K(t)
    weight = analytic.projections[0].connection.weight.real * current_of_weight
    threshold = analytic.populations[0].neuron.threshold.real
    v, i, first = np.zeros((8, 30)), np.zeros((8, 30)), np.full((8, 30), -1)
    for step in range(steps):
        v, i = p22 * v + p21 * i, p11 * i
        i += (raster[:, step - 1] if step else 0 * raster[:, 0]) @ weight.T  # delay of one step
        first = np.where((first < 0) & (v > threshold), step, first)
    assert (first > 0).sum() > 100
    assert np.array_equal(np.where(first > 0, first - 2, 0), ours)


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_shift_decays_are_powers_of_two_and_keep_the_peak(ratio: float) -> None:
    analytic = network([2, 3], ratio=ratio)
    graph = discretise_first_spike(analytic, TAU_S / 64, Decay.SHIFT)
    neuron = graph.populations[0].neuron
    assert isinstance(neuron, CubaLif)
    assert (neuron.leak_syn.beta == 1 - 1 / 64).all() and (neuron.leak_mem.beta == 1 - 1 / (64 * ratio)).all()
    formats = choose_formats(graph, QuantizeSpec(weight_bits=8, state_bits=20, leak_bits=8), membrane_range={})
    rounded = quantize(graph, formats).populations[0].neuron
    assert isinstance(rounded, CubaLif) and (rounded.leak_syn.multiplier == 1).all() and rounded.leak_syn.shift == 6
    n = np.arange(1, 4000)
    alpha, beta = 1 - 1 / 64, 1 - 1 / (64 * ratio)
    stepped = n * beta ** (n - 1) if ratio == 1 else (beta**n - alpha**n) / (beta - alpha)
    factor = float(gain(analytic.populations[0].neuron, TAU_S / 64, Decay.SHIFT)[0])
    assert factor * stepped.max() == pytest.approx(potential(np.linspace(0, 9, 90001), ratio).max(), rel=1e-4)


def test_delays_become_whole_steps_one_projection_each_without_losing_a_synapse() -> None:
    analytic = network([4, 6, 2], delays="synaptic", bias=True)
    graph = discretise_first_spike(analytic, TAU_S / 20, Decay.EXACT)
    assert graph.time is TimeBase.STEPPED and graph.steps == 80 and graph.horizon_s is None
    for population in analytic.populations:
        factor = gain(population.neuron, TAU_S / 20, Decay.EXACT)[:, None]
        for projection in analytic.into(population.name):
            parts = [p for p in graph.into(population.name) if p.pre == projection.pre]
            total = np.sum([p.connection.weight.real for p in parts], axis=0)
            assert np.array_equal(total, projection.connection.weight.real * factor)
            if projection.delays_s is not None:
                steps = np.sum([p.delay * (p.connection.weight.real != 0) for p in parts], axis=0)
                assert np.abs(steps - projection.delays_s / (TAU_S / 20)).max() <= 0.5
    assert len({p.name for p in graph.projections}) == len(graph.projections)


def test_inputs_belong_to_the_step_they_fall_into() -> None:
    raster = rasterise(np.array([[0.0, 0.29999, 0.3, np.inf, 0.5]]), 0.1, 5)[0]
    assert raster.argmax(axis=0)[:3].tolist() == [0, 2, 3]
    assert raster.sum(axis=0).tolist() == [1, 1, 1, 0, 0]  # silent, and after the end
    assert np.allclose(times_of(raster[None], 0.1), [[0.1, 0.3, 0.4, np.inf, np.inf]])


def test_a_target_gets_its_step_unless_the_user_names_one() -> None:
    graph = network([2, 2], ratio=2.0)
    assert step_length(graph, FPGA, None) == TAU_S / 64
    assert step_length(graph, FPGA, 0.0003125) == TAU_S / 32
    assert step_length(graph, SPINNAKER, None) == 1e-4
    assert step_length(graph, SPINNAKER, 3e-4) == 3e-4


@pytest.mark.parametrize(
    ("how", "asked", "remedy"),
    [
        (FPGA, 1e-4, "dt=7.8125e-05"),
        (FPGA, 0.02, "dt=0.000625"),
        (SPINNAKER, 0.006, "dt=0.0001"),
        (SPINNAKER, 1e-9, ""),
    ],
)
def test_a_step_that_does_not_suit_the_target_is_refused_with_one_that_does(
    how: Discretisation, asked: float, remedy: str
) -> None:
    graph = network([2, 2])
    with pytest.raises(ConfigError) as error:
        step_length(graph, how, asked)
    assert remedy in error.value.next_command
    step_length(graph, how, float(error.value.next_command.split()[0].removeprefix("dt=")))


# -- a neuron that spikes once -----------------------------------------------------------------------------------


def once(graph: HardwareGraph, kind: ResetKind = ResetKind.ONCE) -> HardwareGraph:
    reset = Reset(kind=kind, delay=0)
    changed = tuple(
        dataclasses.replace(p, neuron=dataclasses.replace(p.neuron, reset=reset)) for p in graph.populations
    )
    return dataclasses.replace(graph, populations=changed)


@pytest.mark.parametrize("alpha", [None, 0.75])
def test_a_neuron_spikes_once_and_rests_until_the_sample_ends(alpha: float | None) -> None:
    population = real_population("n", 3, beta=0.875, alpha=alpha, kind=ResetKind.ZERO, delay=0)
    spikes = np.ones((2, 12, 3), np.uint8)
    spikes[1, :6] = 0
    often = golden.run(identity_graph(population, None), spikes, arithmetic="real", record=True)
    single = golden.run(once(identity_graph(population, None)), spikes, arithmetic="real", record=True)
    assert (often.spikes["n"].sum(axis=1) > 1).all() and (single.spikes["n"].sum(axis=1) == 1).all()
    first = often.spikes["n"].argmax(axis=1)
    assert np.array_equal(single.spikes["n"].argmax(axis=1), first)
    silent = np.arange(12)[None, :, None] >= first[:, None, :]
    assert (single.membrane["n"][silent] == 0).all() and (
        single.membrane["n"][~silent] == often.membrane["n"][~silent]
    ).all()


def test_one_spike_in_steps_and_in_integers_is_the_first_one() -> None:
    graph = discretise_first_spike(network([6, 9, 4], bias=True), TAU_S / 32, Decay.SHIFT)
    spec = QuantizeSpec(weight_bits=8, state_bits=20, leak_bits=8)
    rounded = quantize(graph, choose_formats(graph, spec, membrane_range={}))
    raster = rasterise(times(40, 6), graph.dt_s, graph.steps)
    for arithmetic in ("real", "fixed"):
        found = golden.run(rounded, raster, arithmetic=arithmetic, record=True)
        often = golden.run(once(rounded, ResetKind.ZERO), raster, arithmetic=arithmetic, record=True)
        assert all(spikes.sum(axis=1).max() == 1 for spikes in found.spikes.values())
        assert np.array_equal(found.spikes["layer0"].argmax(axis=1), often.spikes["layer0"].argmax(axis=1))
    assert set(found.classes.tolist()) - {golden.NO_CLASS}
    quiet = golden.run(rounded, 0 * raster, arithmetic="fixed")
    assert (quiet.classes == golden.NO_CLASS).all()


def test_a_membrane_above_its_range_still_spikes_once_at_the_top() -> None:
    state = Format(bits=4, lsb=1.0)
    population = real_population("n", 1, beta=1.0, alpha=None, kind=ResetKind.ONCE, delay=0, threshold=5.0)
    graph = identity_graph(population, state)
    spec = QuantizeSpec(weight_bits=2, state_bits=4, leak_bits=1)
    rounded = quantize(graph, choose_formats(graph, spec, membrane_range={}))
    found = golden.run(rounded, np.ones((1, 40, 1), np.uint8), arithmetic="fixed", record=True)
    assert found.spikes["n"].sum() == 1


def test_the_digest_of_steps_differs_by_dt_and_decay() -> None:
    graph = network([3, 2])
    digests = {graph_sha256(discretise_first_spike(graph, dt, decay)) for dt in (1e-4, 2e-4) for decay in Decay}
    assert len(digests) == 4
