import dataclasses

import numpy as np
import pytest

from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.first_spike_steps import Decay, discretise_first_spike
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import (
    Connection,
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
from lightning_neuro.graph.quantize import choose_formats, quantize
from lightning_neuro.graph.widths import QuantizeSpec
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


def with_first(graph: HardwareGraph, connection: Connection) -> HardwareGraph:
    first, *rest = graph.projections
    return dataclasses.replace(graph, projections=(dataclasses.replace(first, connection=connection), *rest))


def window(shape: tuple[int, ...]) -> Window:
    axes = len(shape) - 1
    return Window(
        input_shape=shape, kernel=(1,) * axes, stride=(1,) * axes, padding=((0, 0),) * axes, dilation=(1,) * axes
    )


def convolution(shape: tuple[int, ...], out: int) -> Convolution:
    raw = np.ones((out, shape[0], *(1,) * (len(shape) - 1)), np.int64)
    return Convolution(
        weight=Values(real=raw * 0.25, raw=raw, format=Format(bits=4, lsb=0.25)), window=window(shape), groups=1
    )


def test_convolution_and_pooling_break_nothing(small_graph: HardwareGraph) -> None:
    dense = small_graph.projections[0].connection
    assert isinstance(dense, Dense)
    assert found(with_first(small_graph, Pooled(pool=window((1, 5)), then=dense))) == []
    assert found(with_first(small_graph, convolution((5, 1), 6))) == []


def test_convolution_into_a_recurrent_layer_is_refused(small_graph: HardwareGraph) -> None:
    graph = with_first(recurrent(small_graph), convolution((5, 1), 6))
    assert found(graph) == [("input -> hidden", "connection")]


def test_an_image_cut_otherwise_than_it_was_made_is_refused(small_graph: HardwareGraph) -> None:
    graph = with_first(small_graph, convolution((5, 1), 6))  # makes 6 channels of one place
    first, last = graph.projections
    for shape, expected in (((6, 1), []), ((1, 6), [("hidden -> output", "image")])):
        weights = last.connection.weight
        again = dataclasses.replace(last, connection=Pooled(pool=window(shape), then=Dense(weight=weights)))
        assert found(dataclasses.replace(graph, projections=(first, again))) == expected


def test_lanes_of_a_convolution_divide_its_channels(small_graph: HardwareGraph) -> None:
    graph = with_first(small_graph, convolution((5, 1), 6))
    assert found(graph, lanes=[3, 1]) == [] and found(graph, lanes=5) == []
    (violation,) = target(lanes=[4, 1]).check(graph)
    assert violation.available == "1 to 6 (divisors of its channels)"


@pytest.mark.parametrize(("bits", "expected"), [(2, []), (16, []), (17, [("input", "input bits")])])
def test_numbers_at_the_input_have_2_to_16_bits(
    small_graph: HardwareGraph, bits: int, expected: list[tuple[str, str]]
) -> None:
    source = dataclasses.replace(small_graph.input, format=Format(bits=bits, lsb=1.0))
    assert found(dataclasses.replace(small_graph, input=source, coding={"kind": "direct"})) == expected


def test_numbers_into_a_recurrent_layer_are_refused(small_graph: HardwareGraph) -> None:
    source = dataclasses.replace(small_graph.input, format=Format(bits=4, lsb=1.0))
    assert found(dataclasses.replace(recurrent(small_graph), input=source)) == [("hidden", "input")]


def test_recurrent_weights_in_another_unit_are_refused(small_graph: HardwareGraph) -> None:
    *others, own = recurrent(small_graph).projections
    raw = own.connection.weight.integers()
    finer = Dense(weight=Values(real=raw * 0.125, raw=raw, format=Format(bits=4, lsb=0.125)))
    graph = dataclasses.replace(small_graph, projections=(*others, dataclasses.replace(own, connection=finer)))
    assert found(graph) == [("hidden -> hidden (delay 1)", "weight format")]


def test_too_many_biases_and_too_large_ones_are_refused(small_graph: HardwareGraph) -> None:
    def biased(count: int, value: int) -> HardwareGraph:
        values = Values(real=np.full(6, value * 0.25), raw=np.full(6, value), format=Format(bits=32, lsb=0.25))
        late = tuple(LateBias(values=values, onset=k + 1, until=None) for k in range(count))
        first, *rest = small_graph.populations
        return dataclasses.replace(small_graph, populations=(dataclasses.replace(first, late_biases=late), *rest))

    assert found(biased(constraints.BIASES_MAX, 2)) == []
    assert found(biased(constraints.BIASES_MAX + 1, 2)) == [("hidden", "bias")]
    assert found(biased(1, 2**31 - 1)) == []
    assert found(biased(1, 2**31)) == [("hidden", "bias")]


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
