import dataclasses

import numpy as np
import pytest

from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.hardware_graph import (
    HardwareGraph,
    Projection,
    ReadoutKind,
    Reset,
    ResetKind,
    TimeBase,
    Values,
)
from lightning_neuro.targets.fpga import constraints
from tests.targets.fpga.conftest import target


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


def test_recurrent_delayed_and_second_projections_are_refused(small_graph: HardwareGraph) -> None:
    loop = Projection(pre="hidden", post="hidden", connection=small_graph.projections[0].connection, delay=1)
    assert ("hidden", "inputs") in found(dataclasses.replace(small_graph, projections=(*small_graph.projections, loop)))
    late = dataclasses.replace(small_graph.projections[1], delay=1)
    assert ("output", "inputs") in found(
        dataclasses.replace(small_graph, projections=(small_graph.projections[0], late))
    )


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
