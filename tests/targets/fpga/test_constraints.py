import dataclasses

import numpy as np
import pytest

from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.first_spike_steps import Decay, discretise_first_spike
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import (
    Convolution,
    Dense,
    HardwareGraph,
    LateBias,
    Pooled,
    Projection,
    ReadoutKind,
    Reset,
    ResetKind,
    TimeBase,
    Values,
    Window,
)
from lightning_neuro.graph.quantize import QuantizeSpec, choose_formats, quantize
from lightning_neuro.targets.fpga import constraints
from tests.graph.first_spike_networks import TAU_S, network
from tests.targets.fpga.conftest import recurrent, target


def change_neuron(graph: HardwareGraph, index: int, **changes: object) -> HardwareGraph:
    populations = list(graph.populations)
    neuron = dataclasses.replace(populations[index].neuron, **changes)  # type: ignore[type-var]
    populations[index] = dataclasses.replace(populations[index], neuron=neuron)
    return dataclasses.replace(graph, populations=tuple(populations))


def found(graph: HardwareGraph, **changes: object) -> list[tuple[str, str]]:
    return [(violation.where, violation.what) for violation in target(**changes).check(graph)]


def test_a_graph_that_fits_breaks_nothing(small_graph: HardwareGraph) -> None:
    assert target().check(small_graph) == ()


def test_continuous_time_is_refused(small_graph: HardwareGraph) -> None:
    assert ("network", "time") in found(dataclasses.replace(small_graph, time=TimeBase.CONTINUOUS))


def test_direct_coding_is_refused(small_graph: HardwareGraph) -> None:
    assert found(dataclasses.replace(small_graph, coding={"kind": "direct"})) == [("input", "input")]


def connect(graph: HardwareGraph, pre: str, post: str, delay: int) -> HardwareGraph:
    """The graph with one more projection; its weights would fit."""
    sizes = {graph.input.name: graph.input.size} | {p.name: p.size for p in graph.populations}
    raw = np.ones((sizes[post], sizes[pre]), np.int64)
    weight = Values(real=raw * 0.25, raw=raw, format=Format(bits=4, lsb=0.25))
    more = Projection(pre=pre, post=post, connection=Dense(weight=weight), delay=delay)
    return dataclasses.replace(graph, projections=(*graph.projections, more))


def test_a_layer_that_feeds_itself_one_step_later_breaks_nothing(small_graph: HardwareGraph) -> None:
    assert found(connect(connect(small_graph, "hidden", "hidden", 1), "output", "output", 1)) == []


@pytest.mark.parametrize(
    ("pre", "post", "delay", "what"),
    [
        ("hidden", "hidden", 2, "recurrent delay"),
        ("output", "hidden", 1, "feedback between layers"),
        ("input", "output", 0, "skip connection"),
        ("input", "output", 1, "skip connection"),
        ("hidden", "output", 1, "delays"),
        ("hidden", "output", 0, "inputs"),
    ],
)
def test_other_connections_are_refused_by_name_with_a_remedy(
    small_graph: HardwareGraph, pre: str, post: str, delay: int, what: str
) -> None:
    violations = target().check(connect(small_graph, pre, post, delay))
    assert what in {v.what for v in violations}
    assert all("(train again)" in v.remedy and post in v.where for v in violations)


def test_two_loops_of_one_layer_are_refused(small_graph: HardwareGraph) -> None:
    assert ("hidden", "inputs") in found(connect(recurrent(small_graph), "hidden", "hidden", 1))


@pytest.mark.parametrize("kind", ["Convolution", "Pooled"])
def test_convolution_and_pooling_are_refused_by_name(small_graph: HardwareGraph, kind: str) -> None:
    weight = small_graph.projections[0].connection.weight
    window = Window(input_shape=(1, 5), kernel=(1,), stride=(1,), padding=((0, 0),), dilation=(1,))
    connections = {
        "Convolution": Convolution(weight=weight, window=window, groups=1),
        "Pooled": Pooled(pool=window, then=Dense(weight=weight)),
    }
    first, *rest = small_graph.projections
    changed = dataclasses.replace(first, connection=connections[kind])
    (violation,) = target().check(dataclasses.replace(small_graph, projections=(changed, *rest)))
    assert (violation.needed, violation.available) == (kind, "Dense") and "fully connected" in violation.remedy


def test_recurrent_weights_in_another_unit_are_refused(small_graph: HardwareGraph) -> None:
    *others, own = recurrent(small_graph).projections
    raw = own.connection.weight.integers()
    finer = Dense(weight=Values(real=raw * 0.125, raw=raw, format=Format(bits=4, lsb=0.125)))
    graph = dataclasses.replace(small_graph, projections=(*others, dataclasses.replace(own, connection=finer)))
    assert found(graph) == [("hidden -> hidden (delay 1)", "weight format")]


@pytest.mark.parametrize(("onset", "expected"), [(1, []), (2, [("hidden", "late bias")])])
def test_a_bias_may_start_one_step_late(
    small_graph: HardwareGraph, onset: int, expected: list[tuple[str, str]]
) -> None:
    values = Values(real=np.full(6, 0.5), raw=np.full(6, 2), format=Format(bits=32, lsb=0.25))
    first, *rest = small_graph.populations
    late = dataclasses.replace(first, late_biases=(LateBias(values=values, onset=onset, until=None),))
    assert found(dataclasses.replace(small_graph, populations=(late, *rest))) == expected


def test_own_spikes_count_as_fan_in_and_memory(small_graph: HardwareGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = recurrent(small_graph)
    monkeypatch.setattr(constraints, "FAN_IN_MAX", 10)
    assert found(graph) == [("hidden", "fan-in")]
    monkeypatch.setattr(constraints, "FAN_IN_MAX", 11)
    monkeypatch.setattr(constraints, "MEMORY_BITS_MAX", 11 * 6 * 4 - 1)
    assert found(graph) == [("hidden", "weight memory bits")]


def test_read_out_in_the_middle_is_refused(small_graph: HardwareGraph) -> None:
    assert ("hidden", "output") in found(dataclasses.replace(small_graph, output="hidden"))


def test_empty_network_is_refused(small_graph: HardwareGraph) -> None:
    empty = dataclasses.replace(small_graph, populations=(), projections=())
    assert ("network", "layers") in found(empty)


def test_layer_without_reset_is_a_membrane_read_out_or_refused(small_graph: HardwareGraph) -> None:
    silent = change_neuron(small_graph, 1, reset=Reset(kind=ResetKind.NONE, delay=0))
    assert found(silent) == [("output", "reset none")]
    assert found(dataclasses.replace(silent, readout=ReadoutKind.MEMBRANE_MAX)) == []


def test_negative_threshold_is_refused(small_graph: HardwareGraph) -> None:
    state = small_graph.populations[0].state_format
    below = Values(real=np.full(6, -0.25), raw=np.full(6, -1), format=state)
    assert found(change_neuron(small_graph, 0, threshold=below)) == [("hidden", "threshold")]


@pytest.mark.parametrize("lanes", [0, -1, "many", True, [1], [7, 3], [1, 2, 3], [2.5, 1]])
def test_impossible_lanes_are_refused_with_a_remedy(small_graph: HardwareGraph, lanes: object) -> None:
    violations = target(lanes=lanes).check(small_graph)
    assert violations and {violation.remedy for violation in violations} == {"target.lanes=auto"}


@pytest.mark.parametrize(
    ("limit", "value", "what"),
    [
        ("NEURONS_MAX", 5, "neurons"),
        ("FAN_IN_MAX", 4, "fan-in"),
        ("LANES_MAX", 2, "lanes"),
        ("MEMORY_BITS_MAX", 100, "weight memory bits"),
        ("LAYERS_MAX", 1, "layers"),
        ("SUM_BITS_MAX", 8, "accumulator bits"),
        ("WEIGHT_BITS", range(5, 9), "weight bits"),
        ("STATE_BITS", range(9, 16), "state bits"),
    ],
)
def test_every_limit_is_enforced(
    small_graph: HardwareGraph, monkeypatch: pytest.MonkeyPatch, limit: str, value: object, what: str
) -> None:
    monkeypatch.setattr(constraints, limit, value)
    violations = [v for v in target().check(small_graph) if v.what == what]
    assert violations and all(v.remedy and v.needed and v.available for v in violations)


def test_all_violations_come_at_once(small_graph: HardwareGraph) -> None:
    graph = dataclasses.replace(small_graph, coding={"kind": "direct"}, output="hidden")
    assert len(found(graph, lanes=0)) == 3


def test_clock_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="clock_mhz"):
        target(clock_mhz=0)


def test_synaptic_delays_are_one_violation_per_layer_and_name_hardware_that_has_them() -> None:
    graph = discretise_first_spike(network([5, 8, 3], delays="synaptic"), TAU_S / 32, Decay.SHIFT)
    spec = QuantizeSpec(weight_bits=8, state_bits=20, leak_bits=8)
    rounded = quantize(graph, choose_formats(graph, spec, membrane_range={}))
    violations = target().check(rounded)
    assert [(v.where, v.what) for v in violations] == [("input -> layer0", "delays"), ("layer0 -> layer1", "delays")]
    assert all("target=spinnaker" in v.remedy and "model.delays=none" in v.remedy for v in violations)
