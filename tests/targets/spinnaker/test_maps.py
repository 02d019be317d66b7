"""Where convolutions become connectors of sPyNNaker, and why they do not elsewhere."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.graph.hardware_graph import Convolution, Dense, HardwareGraph, Pooled, Values, Window
from lightning_neuro.targets.spinnaker.maps import (
    ConvolutionBy,
    connector_violations,
    even_tile,
    lay_out,
    why_no_connector,
)
from lightning_neuro.targets.spinnaker.plan import SpinnakerPlan, plan_network
from tests.targets.spinnaker import boards
from tests.targets.spinnaker.boards import edge, layer, network, window

RNG = np.random.default_rng(0)


def one_convolution(geometry: Window, *, current_based: bool = True, out: int = 2) -> HardwareGraph:
    shape = (out, *geometry.positions)
    connection = boards.convolution(RNG, out, geometry)
    return network(
        geometry.input_shape, [layer("maps", shape, current_based=current_based)], [edge("input", "maps", connection)]
    )


def pooled(kernel: tuple[int, int], stride: tuple[int, int], shape: tuple[int, ...] = (2, 8, 8)) -> HardwareGraph:
    pool = window(shape, kernel, stride=stride)
    inner = boards.convolution(RNG, 2, window((shape[0], *pool.positions), (3, 3)))
    connection = Pooled(pool=pool, then=inner)
    return network(shape, [layer("maps", (2, *inner.window.positions))], [edge("input", "maps", connection)])


def plan_of(graph: HardwareGraph) -> SpinnakerPlan:
    return plan_network(graph, None)


def tiles(graph: HardwareGraph, by: ConvolutionBy = ConvolutionBy.AUTO) -> dict[str, tuple[int, int] | None]:
    plan = lay_out(plan_of(graph), by)
    return {plan.input.name: plan.input_tile, **{p.name: p.tile for p in plan.populations}}


def test_current_based_convolutions_and_what_feeds_them_become_maps() -> None:
    assert tiles(boards.convolutional()) == {"input": (10, 8), "conv": (6, 8), "deep": (5, 2), "out": None}


def test_lists_can_be_asked_for() -> None:
    assert set(tiles(boards.convolutional(), ConvolutionBy.LIST).values()) == {None}


def test_no_tile_exceeds_a_core_and_every_tile_divides_its_map() -> None:
    for height in range(1, 40):
        for width in range(1, 40):
            tile = even_tile((3, height, width), 256)
            if tile is not None:
                assert width % tile[0] == 0 and height % tile[1] == 0 and tile[0] * tile[1] <= 256


SQUARE = window((1, 8, 8), (3, 3))
REASONS = {
    "delta cells": (one_convolution(SQUARE, current_based=False), "current-based neurons only"),
    "stride": (one_convolution(dataclasses.replace(SQUARE, stride=(2, 2))), "stride 2 x 2"),
    "even kernel": (one_convolution(window((1, 8, 8), (2, 3))), "even side"),
    "dilation": (one_convolution(dataclasses.replace(SQUARE, dilation=(2, 2))), "no dilation"),
    "uneven padding": (one_convolution(dataclasses.replace(SQUARE, padding=((0, 1), (0, 1)))), "two sides"),
    "no even tile": (one_convolution(window((1, 31, 31), (3, 3))), "does not divide into equal cores"),
    "overlapping pooling": (pooled((3, 3), (2, 2), (2, 13, 13)), "overlap"),
    "pooling with a rest": (pooled((2, 2), (2, 2), (2, 9, 8)), "leaves a rest"),
    "too many weights": (one_convolution(window((400, 8, 8), (7, 7)), out=1), "16,000 weights"),
}


@pytest.mark.parametrize("case", REASONS)
def test_what_a_connector_cannot_do_exactly_becomes_a_list(case: str) -> None:
    graph, words = REASONS[case]
    plan = plan_of(graph)
    assert words in "; ".join(why_no_connector(plan, plan.population("maps")))
    assert tiles(graph) == {"input": None, "maps": None}


@pytest.mark.parametrize("case", REASONS)
def test_demanding_a_connector_is_refused_with_the_reason_and_the_remedy(case: str) -> None:
    graph, words = REASONS[case]
    violations = list(connector_violations(plan_of(graph)))
    assert any(words in violation.needed for violation in violations)
    assert all(violation.remedy.startswith("target.convolution=auto") for violation in violations)


def test_a_layer_with_another_kind_of_input_takes_lists() -> None:
    graph = one_convolution(window((1, 8, 8), (3, 3)))
    loop = edge("maps", "maps", Dense(weight=Values(real=np.eye(72))), delay=2)
    mixed = dataclasses.replace(graph, projections=(*graph.projections, loop))
    assert tiles(mixed) == {"input": None, "maps": None}


def test_a_layer_behind_one_that_needs_lists_needs_lists_too() -> None:
    def two(stride: int) -> HardwareGraph:
        first = window((1, 8, 8), (3, 3), stride=(stride, stride))
        shape = (2, *first.positions)
        second = window(shape, (3, 3), padding=(1, 1))
        edges = [
            edge("input", "first", boards.convolution(RNG, 2, first)),
            edge("first", "second", boards.convolution(RNG, 2, second)),
        ]
        return network((1, 8, 8), [layer("first", shape), layer("second", shape)], edges)

    assert tiles(two(1)) == {"input": (8, 8), "first": (6, 6), "second": (6, 6)}
    assert set(tiles(two(2)).values()) == {None}


def test_scripts_name_connectors_only_where_they_are_used(tmp_path: Path) -> None:
    with_maps = boards.deployed(boards.convolutional(), tmp_path / "a").folder / "network.py"
    without = boards.deployed(boards.convolutional(), tmp_path / "b", ConvolutionBy.LIST).folder / "network.py"
    assert with_maps.read_text().count("connector=dict(kernel=") == 2
    assert "ConvolutionConnector" not in without.read_text() and "class Maps" not in without.read_text()


def test_a_convolution_is_what_torch_computes() -> None:
    torch = pytest.importorskip("torch")
    from lightning_neuro.targets.spinnaker.reference import synapse_list

    geometry = window((4, 8, 10), (3, 2), stride=(2, 1), padding=(1, 0))
    connection: Convolution = boards.convolution(RNG, 6, geometry, groups=2)
    pre, post, weight = synapse_list(connection, connection.weight.real)
    matrix = np.zeros((6 * 4 * 9, 4 * 8 * 10))
    np.add.at(matrix, (post, pre), weight)
    frames = torch.eye(320, dtype=torch.float64).reshape(320, 4, 8, 10)
    kernel = torch.tensor(connection.weight.real)
    expected = torch.nn.functional.conv2d(frames, kernel, stride=(2, 1), padding=(1, 0), groups=2)
    np.testing.assert_allclose(matrix, expected.reshape(320, -1).T.numpy(), atol=1e-15)
