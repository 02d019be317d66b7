"""Convolution and pooling: exact in integers, equal to torch's dense matrices, shared weights rounded once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lightning_neuro.graph import golden
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.connections import fan_in, input_size, prepare_fixed, prepare_real
from lightning_neuro.graph.digest import graph_sha256
from lightning_neuro.graph.hardware_graph import (
    Connection,
    Convolution,
    Dense,
    HardwareGraph,
    Input,
    Pooled,
    Population,
    Projection,
    ResetKind,
    Values,
    Window,
)
from lightning_neuro.graph.widths import QuantizeSpec
from tests.graph.networks import chain, real_population, spikes
from tests.graph.slow_network import dense_of, simulate


def window(shape, kernel, stride=1, padding=0, dilation=1) -> Window:
    axes = len(shape) - 1
    spread = lambda v: (v,) * axes if isinstance(v, int) else tuple(v)  # noqa: E731
    pads = tuple((p, p) if isinstance(p, int) else p for p in spread(padding))
    return Window(
        input_shape=shape, kernel=spread(kernel), stride=spread(stride), padding=pads, dilation=spread(dilation)
    )


def convolution(win: Window, out: int, groups: int = 1, scale: int = 1, seed: int = 0) -> Convolution:
    shape = (out, win.input_shape[0] // groups, *win.kernel)
    raw = np.random.default_rng(seed).integers(-20, 21, shape) * scale
    return Convolution(weight=Values(real=raw / 7, raw=raw), window=win, groups=groups)


CASES: dict[str, Connection] = {
    "plain": convolution(window((2, 6, 5), 3), 4),
    "stride and padding": convolution(window((3, 7, 8), (3, 2), (2, 3), (1, 0)), 5),
    "dilation": convolution(window((2, 9, 9), 3, 1, 2, 2), 3),
    "same padding on one side": convolution(window((2, 5, 6), 2, 1, ((0, 1), (0, 1))), 3),
    "groups": convolution(window((6, 5, 5), 3, 1, 1), 4, groups=2),
    "depthwise": convolution(window((5, 4, 4), 2, 2), 5, groups=5),
    "one axis": convolution(window((3, 11), 4, 2, 1, 2), 6),
    "one axis, groups": convolution(window((4, 9), 3), 8, groups=4),
    "pooled convolution": Pooled(pool=window((2, 8, 9), 2, 2), then=convolution(window((2, 4, 4), 3, 1, 1), 4)),
    "pooled twice": Pooled(
        pool=window((2, 9, 9), 3, 2, 1),
        then=Pooled(pool=window((2, 5, 5), 2, 1), then=convolution(window((2, 4, 4), 1), 3)),
    ),
    "pooled dense": Pooled(
        pool=window((2, 6, 6), 2, 2),
        then=Dense(weight=Values(real=np.arange(54).reshape(3, 18) / 9, raw=np.arange(54).reshape(3, 18))),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_drive_equals_the_dense_matrix_of_torch(name: str) -> None:
    connection = CASES[name]
    rows = spikes(1, 9, input_size(connection), rate=0.4)[0]
    exact = rows.astype(np.int64) @ dense_of(connection, raw=True).T
    assert (prepare_fixed(connection)(rows) == exact).all() and exact.any()
    np.testing.assert_allclose(prepare_real(connection)(rows), rows @ dense_of(connection, raw=False).T, atol=1e-12)


@pytest.mark.parametrize("scale", [1, 2**17, 2**30, 2**44])
def test_convolution_is_exact_at_every_size_of_weight(scale: int) -> None:
    connection = convolution(window((3, 5, 5), 3, 1, 1), 4, scale=scale)
    connection = dataclasses.replace(
        connection, weight=Values(real=connection.weight.real, raw=connection.weight.integers() + 1)
    )
    rows = spikes(1, 6, 75, rate=0.9)[0]
    unit = convolution(window((3, 5, 5), 3, 1, 1), 4)  # small numbers, exact in any arithmetic
    ones = dataclasses.replace(unit, weight=Values(real=unit.weight.real * 0 + 1, raw=unit.weight.integers() * 0 + 1))
    expected = prepare_fixed(unit)(rows).astype(object) * scale + prepare_fixed(ones)(rows)
    assert (prepare_fixed(connection)(rows).astype(object) == expected).all()


def test_pooling_widens_the_bound_of_exactness() -> None:
    """20 * 2**19 fits float32's 24 bits once, but not nine times."""
    raw = np.full((1, 1, 1, 1), (1 << 21) + 1)
    then = Convolution(weight=Values(real=raw, raw=raw), window=window((1, 1, 1), 1), groups=1)
    rows = np.ones((1, 9), np.uint8)
    assert prepare_fixed(Pooled(pool=window((1, 3, 3), 3), then=then))(rows).item() == 9 * ((1 << 21) + 1)


def test_rows_in_parts_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = CASES["pooled convolution"]
    rows = spikes(1, 50, 144)[0]
    whole = prepare_fixed(connection)(rows)
    monkeypatch.setattr("lightning_neuro.graph.connections._ROW_VALUES", 500)
    assert (prepare_fixed(connection)(rows) == whole).all()


def test_fan_in_counts_the_lines_under_the_window() -> None:
    assert fan_in(CASES["groups"]) == 27 and fan_in(CASES["pooled convolution"]) == 2 * 9 * 4


def convolutional(kind: ResetKind = ResetKind.SUBTRACT, alpha: float | None = None) -> HardwareGraph:
    """2x8x8 input, convolution to 3x4x4, pooled to 3x2x2, dense to 4."""
    rng = np.random.default_rng(1)
    first = Convolution(
        weight=Values(real=rng.normal(0.1, 0.4, (3, 2, 3, 3))), window=window((2, 8, 8), 3, 2, 1), groups=1
    )
    second = Pooled(pool=window((3, 4, 4), 2, 2), then=Dense(weight=Values(real=rng.normal(0.05, 0.5, (4, 12)))))
    options = {"beta": 0.875, "alpha": alpha, "kind": kind, "delay": 0}
    conv = dataclasses.replace(real_population("conv", 48, **options), shape=(3, 4, 4))
    out: Population = real_population("out", 4, **options)
    return dataclasses.replace(
        chain([128, 4]),
        input=Input(name="input", shape=(2, 8, 8), format=None),
        populations=(conv, out),
        projections=(
            Projection(pre="input", post="conv", connection=first, delay=0),
            Projection(pre="conv", post="out", connection=second, delay=0),
        ),
        output="out",
    )


@pytest.mark.parametrize("alpha", [None, 0.75])
def test_a_convolutional_network_is_what_plain_python_computes(alpha: float | None) -> None:
    graph = convolutional(alpha=alpha)
    quantized, _ = quantize_network(graph, QuantizeSpec(weight_bits=5, state_bits=10, leak_bits=8), None)
    raster = spikes(3, 12, 128)
    for which, arithmetic in ((graph, "real"), (quantized, "fixed")):
        run = golden.run(which, raster, arithmetic=arithmetic, record=True)  # type: ignore[arg-type]
        for sample in range(3):
            fired, membranes = simulate(which, raster[sample], raw=arithmetic == "fixed")
            for name in ("conv", "out"):
                assert (run.spikes[name][sample] == fired[name]).all() and fired[name].any()
                np.testing.assert_allclose(
                    run.membrane[name][sample], np.array(membranes[name], float), rtol=0, atol=1e-9
                )


def test_shared_weights_are_rounded_once() -> None:
    quantized, _ = quantize_network(convolutional(), QuantizeSpec(weight_bits=4, state_bits=10, leak_bits=8), None)
    weight = quantized.projections[0].connection.weight
    assert weight.integers().shape == (3, 2, 3, 3) and np.abs(weight.integers()).max() <= 8
    assert isinstance(quantized.projections[1].connection, Pooled)


def test_geometry_is_part_of_the_identity_of_a_graph() -> None:
    graph = convolutional()
    first = graph.projections[0]
    other = dataclasses.replace(first.connection, window=window((2, 8, 8), 3, 2, ((1, 0), (1, 0))))
    moved = dataclasses.replace(first, connection=other)
    changed = dataclasses.replace(graph, projections=(moved, graph.projections[1]))
    assert graph_sha256(changed) != graph_sha256(graph)
