"""Every constraint with its message, and the nearest network that passes."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from torch import nn

from lightning_neuro.errors import ConstraintError, NirError, Violation
from lightning_neuro.graph.blocks import loops
from lightning_neuro.graph.export import describe, lowered, to_nir
from lightning_neuro.graph.hardware_graph import (
    Dense,
    FirstSpike,
    HardwareGraph,
    Leak,
    Projection,
    ReadoutKind,
    Reset,
    ResetKind,
    TimeBase,
    Values,
)
from lightning_neuro.graph.widths import QuantizeSpec
from lightning_neuro.targets.spinnaker.constraints import Limits, check_graph, longest_delay
from lightning_neuro.targets.spinnaker.maps import connector_violations
from lightning_neuro.targets.spinnaker.notes import notes
from lightning_neuro.targets.spinnaker.number_rules import check_numbers
from lightning_neuro.targets.spinnaker.plan import plan_network
from lightning_neuro.targets.spinnaker.timing import CellKind
from tests.graph.networks import chain
from tests.graph.test_export_table import Stepwise, leaky, random_input
from tests.targets.spinnaker.small_graphs import convolutional, one_neuron, recurrent, rounded, scaled, spikes_for

LIMITS = Limits(boards=1, timestep_ms=None, weight_error=0.01)
BASE = chain([6, 5, 4], beta=0.9)


def neurons(graph: HardwareGraph, layer: int, **changes: Any) -> HardwareGraph:
    """The graph with other constants in one layer."""
    populations = list(graph.populations)
    chosen = populations[layer]
    populations[layer] = dataclasses.replace(chosen, neuron=dataclasses.replace(chosen.neuron, **changes))
    return dataclasses.replace(graph, populations=tuple(populations))


def reset(kind: ResetKind, delay: int) -> dict[str, Any]:
    return {"reset": Reset(kind=kind, delay=delay)}


def beta(*values: float) -> dict[str, Any]:
    return {"leak_mem": Leak(beta=np.array(values))}


def alpha(*values: float) -> dict[str, Any]:
    return {"leak_syn": Leak(beta=np.array(values))}


def delay(graph: HardwareGraph, steps: int) -> HardwareGraph:
    late = dataclasses.replace(graph.projections[1], delay=steps)
    return dataclasses.replace(graph, projections=(graph.projections[0], late))


def first_spike(graph: HardwareGraph) -> HardwareGraph:
    population = graph.populations[1]
    neuron = FirstSpike(tau_syn_s=np.full(4, 5e-3), tau_mem_s=np.full(4, 1e-2), threshold=Values(real=np.ones(4)))
    return dataclasses.replace(
        graph, populations=(graph.populations[0], dataclasses.replace(population, neuron=neuron))
    )


def two_layer_loop(steps: int) -> HardwareGraph:
    """The second layer feeds the first, ``steps`` later."""
    back = Projection(pre="layer2", post="layer1", connection=Dense(weight=Values(real=np.ones((5, 4)))), delay=steps)
    return dataclasses.replace(BASE, projections=(*BASE.projections, back))


def wide(size: int) -> HardwareGraph:
    graph = chain([4, 4], beta=0.9)
    projection = graph.projections[0]
    weight = Dense(weight=Values(real=np.zeros((size, 4))))
    population = dataclasses.replace(
        graph.populations[0],
        shape=(size,),
        bias=Values(real=np.zeros(size)),
        neuron=dataclasses.replace(
            graph.populations[0].neuron,
            leak_mem=Leak(beta=np.full(size, 0.9)),
            threshold=Values(real=np.ones(size)),
            v_reset=Values(real=np.zeros(size)),
        ),
    )
    return dataclasses.replace(
        graph, populations=(population,), projections=(dataclasses.replace(projection, connection=weight),)
    )


CUBA = chain([6, 5, 4], beta=0.9, alpha=0.8)
READ_OUT = {"readout": ReadoutKind.MEMBRANE_MAX}
SILENT_END = dataclasses.replace(neurons(BASE, 1, **reset(ResetKind.NONE, 0)), **READ_OUT)

# what is refused, words of its row in the table (where, what, needed, available, remedy), and the nearest that passes
CASES: dict[str, tuple[HardwareGraph, tuple[str, ...], HardwareGraph]] = {
    "subtractive reset": (
        neurons(BASE, 0, **reset(ResetKind.SUBTRACT, 0)),
        ("layer1", "reset", "subtract", "zero", "model.reset=zero", "SpiNNaker2", "network.nir"),
        neurons(BASE, 0, **reset(ResetKind.ZERO, 1)),
    ),
    "reset two steps late": (
        neurons(BASE, 0, **reset(ResetKind.ZERO, 2)),
        ("layer1", "reset", "zero, delay 2", "model.reset_delay=0"),
        neurons(BASE, 0, **reset(ResetKind.ZERO, 1)),
    ),
    "clamp at once": (
        neurons(BASE, 0, **reset(ResetKind.CLAMP, 0)),
        ("layer1", "reset", "clamp, delay 0", "clamp with delay 1"),
        neurons(BASE, 0, **reset(ResetKind.CLAMP, 1)),
    ),
    "rate-coded input": (
        dataclasses.replace(BASE, coding={"kind": "direct"}),
        ("input", "real values (direct coding)", "spikes", "data.coding.kind=rate"),
        dataclasses.replace(BASE, coding={"kind": "rate"}),
    ),
    "hidden layer without spikes": (
        dataclasses.replace(neurons(BASE, 0, **reset(ResetKind.NONE, 0)), **READ_OUT),
        ("layer1", "layer without spikes", "model.readout=membrane_max"),
        SILENT_END,
    ),
    "output without spikes, read by spikes": (
        neurons(BASE, 1, **reset(ResetKind.NONE, 0)),
        ("layer2", "layer without spikes", "as a read-out by membrane"),
        SILENT_END,
    ),
    "membrane before a delayed reset": (
        dataclasses.replace(neurons(BASE, 1, **reset(ResetKind.ZERO, 1)), **READ_OUT),
        ("layer2", "membrane read-out", "before a delayed reset", "model.readout=spike_count"),
        dataclasses.replace(neurons(BASE, 1, **reset(ResetKind.ZERO, 0)), **READ_OUT),
    ),
    "membrane that grows": (
        neurons(BASE, 0, **beta(0.9, 0.9, 0.9, 0.9, 1.01)),
        ("layer1", "membrane decay", "0.9 to 1.01", "0 to 1", "model.beta=0.9"),
        neurons(BASE, 0, **beta(0.9, 0.9, 0.9, 0.9, 1.0)),
    ),
    "membrane that alternates": (
        neurons(BASE, 0, **beta(-0.1, 0.9, 0.9, 0.9, 0.9)),
        ("layer1", "membrane decay", "-0.1 to 0.9"),
        neurons(BASE, 0, **beta(0.0, 0.9, 0.9, 0.9, 0.9)),
    ),
    "current that never decays": (
        neurons(CUBA, 0, **alpha(0.8, 0.8, 0.8, 0.8, 1.0)),
        ("layer1", "synapse decay", "0.8 to 1", "1 exclusive", "model.tau_syn=5e-3"),
        neurons(CUBA, 0, **alpha(0.8, 0.8, 0.8, 0.8, 0.999)),
    ),
    "threshold below rest": (
        neurons(BASE, 0, threshold=Values(real=np.array([1.0, 1.0, 1.0, 1.0, -0.1]))),
        ("layer1", "threshold", "-0.1", "rest at 0", "model.threshold=1.0"),
        neurons(BASE, 0, threshold=Values(real=np.array([1.0, 1.0, 1.0, 1.0, 0.0]))),
    ),
    "delay beyond ring buffer and extension": (
        delay(chain([6, 128, 128], beta=0.9), 578),
        ("layer1 -> layer2 (delay 578)", "delay", "577 steps", "1 to 576 steps into 128 neurons", "at most 577 steps"),
        delay(chain([6, 128, 128], beta=0.9), 577),
    ),
    "loop faster than its projections": (
        two_layer_loop(1),
        ("network", "delay of a loop", "a step or more for every projection", "delay of one step"),
        two_layer_loop(2),
    ),
    "more boards than allowed": (
        wide(760 * 256),
        ("network", "boards", "2 (761 cores)", "1 of 760 cores", "target.boards=2"),
        wide(759 * 256),
    ),
    "step below what a core can do": (
        dataclasses.replace(BASE, dt_s=5e-5),
        ("network", "simulation step", "0.05 ms", "0.1 to 1000 ms", "model.dt=1e-3"),
        dataclasses.replace(BASE, dt_s=1e-4),
    ),
    "step of a fraction of a microsecond": (
        dataclasses.replace(BASE, dt_s=1.0005e-3 + 1e-7),
        ("network", "simulation step", "1.0006 ms", "whole microseconds"),
        dataclasses.replace(BASE, dt_s=1.001e-3),
    ),
    "continuous time": (
        dataclasses.replace(BASE, time=TimeBase.CONTINUOUS),
        ("network", "time", "continuous", "stepped", "dt=SECONDS"),
        BASE,
    ),
    "first-spike neurons": (first_spike(BASE), ("layer2", "neuron", "FirstSpike", "Lif, CubaLif", "model=lif"), BASE),
    "no layer": (
        dataclasses.replace(BASE, populations=(), projections=()),
        ("network", "layers", "1 or more", "model.layers="),
        chain([6, 5]),
    ),
}


def words_of(violations: tuple[Violation, ...]) -> str:
    return str(ConstraintError("spinnaker", violations))


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused_and_what_to_do(name: str) -> None:
    refused, words, allowed = CASES[name]
    found = check_graph(refused, LIMITS)
    assert len(found) == 1, found
    row = " ".join(dataclasses.astuple(found[0]))
    assert found[0].where == words[0]
    assert all(word in row for word in words), row
    assert all(word in words_of(found) for word in words)
    assert check_graph(allowed, LIMITS) == ()


def test_all_violations_are_collected() -> None:
    graph = dataclasses.replace(neurons(BASE, 0, **reset(ResetKind.SUBTRACT, 0)), coding={"kind": "direct"}, dt_s=1e-6)
    graph = neurons(graph, 1, **beta(2.0, 0.9, 0.9, 0.9))
    found = check_graph(graph, LIMITS)
    assert {v.what for v in found} == {"reset", "input", "membrane decay", "simulation step"}


def test_another_step_than_the_networks_is_refused() -> None:
    found = check_graph(BASE, dataclasses.replace(LIMITS, timestep_ms=0.1))
    assert [v.where for v in found] == ["target.timestep_ms"]
    assert "1 ms, the step that the network was trained with" in words_of(found)
    assert found[0].remedy == "target.timestep_ms=null"
    assert check_graph(BASE, dataclasses.replace(LIMITS, timestep_ms=1.0)) == ()


def test_more_boards_may_be_allowed() -> None:
    assert check_graph(wide(760 * 256), dataclasses.replace(LIMITS, boards=2)) == ()


@pytest.mark.parametrize(("neurons", "steps"), [(128, 576), (256, 288), (1000, 288), (10, 4608), (1, 73728)])
def test_the_longest_delay_depends_on_the_neurons_of_a_core(neurons: int, steps: int) -> None:
    assert longest_delay(neurons) == steps


def test_values_of_their_own_for_every_neuron_are_allowed() -> None:
    graph = neurons(
        BASE,
        0,
        threshold=Values(real=np.linspace(0.5, 1.5, 5)),
        v_reset=Values(real=np.linspace(-0.2, 0.1, 5)),
        **beta(0.5, 0.6, 0.7, 0.8, 0.9),
    )
    assert check_graph(graph, LIMITS) == ()
    found = plan_network(graph).populations[0].cell
    assert len(set(found.decay_mem)) == len(set(found.threshold)) == len(set(found.v_reset)) == 5


# -- convolutions ------------------------------------------------------------------------------------------------


def test_a_convolution_into_delta_cells_is_a_list_of_synapses_and_no_connector() -> None:
    plan = plan_network(convolutional())
    assert check_graph(convolutional(), LIMITS) == ()
    assert plan.population("conv").cell.kind is CellKind.DELTA
    assert "connectors exist for current-based neurons only" in words_of(tuple(connector_violations(plan)))
    assert tuple(connector_violations(plan_network(convolutional(alpha=0.8)))) == ()


def test_a_dilated_convolution_is_a_list_of_synapses_and_no_connector() -> None:
    graph = convolutional(alpha=0.8, dilation=2)
    assert check_graph(graph, LIMITS) == ()
    found = tuple(connector_violations(plan_network(graph)))
    assert "a connector knows no dilation" in words_of(found)
    assert "target.convolution=auto" in words_of(found)


def test_a_grouped_convolution_is_allowed() -> None:
    assert check_graph(convolutional(alpha=0.8, groups=2), LIMITS) == ()


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        (
            (nn.Conv2d(1, 2, 3), leaky(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 3), leaky()),
            (1, 8, 8),
            "MaxPool2d",
        ),
        ((nn.BatchNorm1d(20), nn.Linear(20, 3), leaky()), (20,), "BatchNorm1d without a Linear"),
    ],
)
def test_max_pooling_and_loose_batch_normalisation_never_reach_a_target(
    layers: tuple[nn.Module, ...], shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(NirError, match=message):
        to_nir(Stepwise(*layers), random_input(*shape))


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ((nn.Conv2d(1, 2, 3), leaky(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(18, 3), leaky()), (1, 8, 8)),
        ((nn.Linear(20, 3), nn.BatchNorm1d(3), leaky()), (20,)),
    ],
)
def test_average_pooling_and_folded_batch_normalisation_do(
    layers: tuple[nn.Module, ...], shape: tuple[int, ...]
) -> None:
    module = Stepwise(*layers).eval()
    raster = random_input(*shape)
    described = describe(module, lambda: module(raster), dt_s=None, readout=None, coding={})
    graph = lowered(described)
    resets = {"reset": Reset(kind=ResetKind.ZERO, delay=0)}
    for layer in range(len(graph.populations)):
        graph = neurons(graph, layer, **resets)
    assert check_graph(graph, LIMITS) == ()


# -- numbers -----------------------------------------------------------------------------------------------------


def test_weights_that_lose_too_much_are_refused() -> None:
    graph = rounded(chain([400, 60, 10], beta=0.9), QuantizeSpec(weight_bits=16, state_bits=32, leak_bits=8))
    plan = scaled(graph, spikes_for(graph, rate=0.9))
    strict = dataclasses.replace(LIMITS, weight_error=1e-6)
    found = check_numbers(plan, strict)
    assert found and {v.what for v in found} == {"weights"}
    assert "quantize.weight_bits=SMALLER" in words_of(found) and "lost in 16 bits" in words_of(found)
    assert check_numbers(plan, LIMITS) == ()


def test_a_threshold_that_drowns_in_the_resolution_is_refused() -> None:
    def loud(weight: float) -> HardwareGraph:
        return one_neuron([weight, 0.5], beta=0.999, threshold=1.0)

    def check(weight: float) -> tuple[Violation, ...]:
        graph = loud(weight)
        return check_numbers(scaled(graph, np.ones((2, 8, 2), np.uint8)), dataclasses.replace(LIMITS, weight_error=1.0))

    found = check(1e6)
    assert [v.what for v in found] == ["membrane resolution"]
    assert "256 steps of 2^-15" in words_of(found) and "model.weight_clip=1" in words_of(found)
    assert check(10.0) == ()


def test_factors_that_overflow_are_refused() -> None:
    graph = one_neuron([0.1], beta=0.5, threshold=1.0)
    plan = scaled(graph, np.ones((1, 8, 1), np.uint8))
    too_large = tuple(dataclasses.replace(p, scale=65536.0) for p in plan.plan.populations)
    broken = dataclasses.replace(plan, plan=dataclasses.replace(plan.plan, populations=too_large))
    found = check_numbers(broken, dataclasses.replace(LIMITS, weight_error=10.0))
    assert [v.what for v in found] == ["threshold and reset"]
    assert "less than 65536 (signed 16.15)" in words_of(found)
    assert check_numbers(plan, LIMITS) == ()


# -- notes -------------------------------------------------------------------------------------------------------


def test_thresholds_that_sums_can_meet_exactly_are_said() -> None:
    tied = one_neuron([0.25, 0.5], beta=0.5, threshold=1.0, lsb=0.25)
    loose = one_neuron([0.25, 0.5], beta=0.5, threshold=1.1, lsb=0.25)
    assert any("meet them exactly" in note for note in notes(tied, plan_network(tied)))
    assert notes(loose, plan_network(loose)) == ()


def test_neurons_without_leak_are_said() -> None:
    graph = chain([6, 5], beta=1.0)
    assert check_graph(graph, LIMITS) == ()
    assert any("without leak" in note for note in notes(graph, plan_network(graph)))


def test_recurrent_networks_pass() -> None:
    for graph in (recurrent(BASE), recurrent(CUBA)):
        assert loops(graph) and check_graph(graph, LIMITS) == ()
