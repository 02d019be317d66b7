"""NIR graphs to HardwareGraph: nesting, loops, delays, convolution, pooling, and the published files against Norse."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lightning_neuro.errors import NirError
from lightning_neuro.graph import golden
from lightning_neuro.graph.blocks import loops
from lightning_neuro.graph.connections import input_size, prepare_real
from lightning_neuro.graph.flatten import closing_edges
from lightning_neuro.graph.hardware_graph import (
    Convolution,
    Dense,
    HardwareGraph,
    Pooled,
    ReadoutKind,
    Reset,
    ResetKind,
)
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.peers import norse, reset_subtract, reset_value
from tests.graph.networks import spikes

DT = 1e-3
RNG = np.random.default_rng(0)


def plain(dt_s: float = DT) -> Metadata:
    return Metadata(dt_s=dt_s, readout=ReadoutKind.SPIKE_COUNT, resets={}, steps=None)


def if_node(*shape: int) -> nir.IF:
    return nir.IF(r=np.full(shape, 1 / DT), v_threshold=np.ones(shape), v_reset=np.zeros(shape))


def chained(*middle: nir.NIRNode, shape: tuple[int, ...], out: tuple[int, ...]) -> HardwareGraph:
    """Input, the nodes, an IF layer whose weights are those of the linear maps."""
    names = ["input", *(f"n{k}" for k in range(len(middle))), "neurons", "output"]
    nodes = dict(
        zip(names, [nir.Input(np.array(shape)), *middle, if_node(*out), nir.Output(np.array(out))], strict=True)
    )
    return lower(nir.NIRGraph(nodes=nodes, edges=list(pairwise(names)), type_check=False), plain())


def conv2d(out: int, inputs: int, kernel: tuple[int, int], *, groups: int = 1, **geometry) -> nir.Conv2d:
    values = {"stride": 1, "padding": 0, "dilation": 1, **geometry}
    weight, bias = RNG.normal(size=(out, inputs // groups, *kernel)), RNG.normal(size=out)
    return nir.Conv2d(input_shape=None, weight=weight, bias=bias, groups=groups, **values)


def pool(kind: type, kernel: int, stride: int, padding: int = 0) -> nir.NIRNode:
    return kind(*(np.array([n, n]) for n in (kernel, stride, padding)))


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.tensor(np.asarray(array), dtype=torch.float64)


def torch_conv(node: nir.Conv2d) -> Callable[[torch.Tensor], torch.Tensor]:
    values = (node.stride, node.padding, node.dilation)
    geometry: list = [v if isinstance(v, str) else np.ravel(v).tolist() for v in values]

    def run(x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, tensor(node.weight), tensor(node.bias), *geometry, int(node.groups))

    return run


CONV = conv2d(4, 2, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))
SMALL = conv2d(3, 2, (3, 3), padding=1)
GROUPED = conv2d(6, 4, (3, 3), groups=2)
SAME = conv2d(3, 2, (2, 4), padding="same")
BY_CHANNEL = RNG.normal(size=(3, 1, 1)) * np.ones((3, 6, 6))
UNEVEN = RNG.normal(size=(3, 6, 6))
WEIGHT = RNG.normal(size=(5, 27))
CASES: dict[str, tuple[list[nir.NIRNode], tuple[int, ...], Callable[[torch.Tensor], torch.Tensor], type]] = {
    "convolution": ([CONV], (2, 7, 6), torch_conv(CONV), Convolution),
    "groups": ([GROUPED], (4, 5, 5), torch_conv(GROUPED), Convolution),
    "same padding": ([SAME], (2, 5, 5), torch_conv(SAME), Convolution),
    "sum pooling alone": (
        [pool(nir.SumPool2d, 2, 2)],
        (3, 6, 6),
        lambda x: F.avg_pool2d(x, 2, 2, divisor_override=1),
        Convolution,
    ),
    "average pooling, padded": (
        [pool(nir.AvgPool2d, 3, 2, 1)],
        (3, 7, 7),
        lambda x: F.avg_pool2d(x, 3, 2, 1),
        Convolution,
    ),
    "pooling then convolution": (
        [pool(nir.AvgPool2d, 2, 2), SMALL],
        (2, 12, 12),
        lambda x: torch_conv(SMALL)(F.avg_pool2d(x, 2)),
        Pooled,
    ),
    "convolution then pooling": (
        [SMALL, pool(nir.SumPool2d, 2, 2)],
        (2, 7, 7),
        lambda x: F.avg_pool2d(torch_conv(SMALL)(x), 2, divisor_override=1),
        Convolution,
    ),
    "convolution then padded pooling": (
        [SMALL, pool(nir.AvgPool2d, 2, 2, 1)],
        (2, 6, 6),
        lambda x: F.avg_pool2d(torch_conv(SMALL)(x), 2, 2, 1),
        Dense,
    ),
    "convolution, scale of channels": (
        [SMALL, nir.Scale(BY_CHANNEL)],
        (2, 6, 6),
        lambda x: torch_conv(SMALL)(x) * tensor(BY_CHANNEL),
        Convolution,
    ),
    "convolution, scale of pixels": (
        [SMALL, nir.Scale(UNEVEN)],
        (2, 6, 6),
        lambda x: torch_conv(SMALL)(x) * tensor(UNEVEN),
        Dense,
    ),
    "scale of channels, average pooling twice": (
        [nir.Scale(BY_CHANNEL), pool(nir.AvgPool2d, 2, 2), pool(nir.AvgPool2d, 3, 1)],
        (3, 6, 6),
        lambda x: F.avg_pool2d(F.avg_pool2d(x * tensor(BY_CHANNEL), 2), 3, 1),
        Pooled,
    ),
    "pooling, flatten, matrix": (
        [pool(nir.AvgPool2d, 2, 2), nir.Flatten(None, 0, -1), nir.Affine(WEIGHT, RNG.normal(size=5))],
        (3, 6, 6),
        lambda x: F.linear(F.avg_pool2d(x, 2).flatten(1), tensor(WEIGHT)),
        Pooled,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_linear_maps_equal_torch_and_keep_their_weights_shared(name: str) -> None:
    nodes, shape, reference, kind = CASES[name]
    rows = RNG.normal(size=(6, *shape))
    expected = reference(tensor(rows)).numpy()
    graph = chained(*nodes, shape=shape, out=expected.shape[1:])
    (projection,) = graph.projections
    assert type(projection.connection) is kind and input_size(projection.connection) == np.prod(shape)
    drive = prepare_real(projection.connection)(rows.reshape(6, -1)) + graph.populations[0].bias.real
    if name == "pooling, flatten, matrix":
        drive = drive - graph.populations[0].bias.real
    np.testing.assert_allclose(drive, expected.reshape(6, -1), atol=1e-9)
    assert graph.populations[0].shape == expected.shape[1:]


def test_one_axis_convolves_too() -> None:
    weight, bias = RNG.normal(size=(4, 3, 3)), RNG.normal(size=4)
    node = nir.Conv1d(input_shape=9, weight=weight, stride=2, padding=1, dilation=1, groups=1, bias=bias)
    rows = RNG.normal(size=(3, 3, 9))
    expected = F.conv1d(tensor(rows), tensor(weight), tensor(bias), 2, 1).numpy()
    graph = chained(node, shape=(3, 9), out=expected.shape[1:])
    drive = prepare_real(graph.projections[0].connection)(rows.reshape(3, -1)) + graph.populations[0].bias.real
    np.testing.assert_allclose(drive, expected.reshape(3, -1), atol=1e-9)


def test_r_that_differs_between_channels_keeps_the_kernel_and_between_pixels_does_not() -> None:
    for r, kind in ((BY_CHANNEL, Convolution), (UNEVEN, Dense)):
        neurons = nir.IF(r=r / DT, v_threshold=np.ones((3, 6, 6)), v_reset=np.zeros((3, 6, 6)))
        nodes = {"i": nir.Input(np.array([2, 6, 6])), "c": SMALL, "n": neurons, "o": nir.Output(np.array([3, 6, 6]))}
        edges = [("i", "c"), ("c", "n"), ("n", "o")]
        graph = lower(nir.NIRGraph(nodes=nodes, edges=edges, type_check=False), plain())
        rows = RNG.normal(size=(2, 2, 6, 6))
        drive = prepare_real(graph.projections[0].connection)(rows.reshape(2, -1)) + graph.populations[0].bias.real
        np.testing.assert_allclose(drive, (torch_conv(SMALL)(tensor(rows)).numpy() * r).reshape(2, -1), atol=1e-9)
        assert type(graph.projections[0].connection) is kind


# -- delays and thresholds ---------------------------------------------------------------------------------------


def test_a_delay_is_whole_steps_and_silences_the_bias_before_it() -> None:
    affine, delay = nir.Affine(np.eye(3), np.full(3, 0.25)), nir.Delay(np.full(3, 4e-3))
    before = chained(delay, affine, shape=(3,), out=(3,))
    after = chained(affine, delay, shape=(3,), out=(3,))
    assert before.projections[0].delay == after.projections[0].delay == 4
    assert before.populations[0].bias.real.tolist() == [0.25] * 3 and not before.populations[0].late_biases
    (late,) = after.populations[0].late_biases
    assert (late.onset, late.values.real.tolist()) == (4, [0.25] * 3) and not after.populations[0].bias.real.any()


def test_delays_that_differ_between_lines_become_several_projections() -> None:
    graph = chained(nir.Delay(np.array([0.0, 2e-3, 2e-3])), shape=(3,), out=(3,))
    raster = spikes(3, 12, 3, rate=0.5)
    assert sorted(p.delay for p in graph.projections) == [0, 2]
    population = graph.populations[0]
    quiet = dataclasses.replace(population.neuron, reset=Reset(kind=ResetKind.NONE, delay=0))
    graph = dataclasses.replace(graph, populations=(dataclasses.replace(population, neuron=quiet),))
    membrane = golden.run(graph, raster, arithmetic="real", record=True).membrane["neurons"]
    shifted = np.stack([golden.delayed(raster, d)[..., k] for k, d in enumerate((0, 2, 2))], axis=-1)
    np.testing.assert_allclose(membrane, np.cumsum(shifted, axis=1))


@pytest.mark.parametrize(("delay", "message"), [(1.5e-3, "1.5 steps"), (-1e-3, "delays of -1"), (1e9, "delays of 1e")])
def test_delays_that_are_no_whole_steps_are_refused(delay: float, message: str) -> None:
    with pytest.raises(NirError, match=message):
        chained(nir.Delay(np.full(3, delay)), shape=(3,), out=(3,))


def test_a_threshold_spikes_where_its_input_is_above_it() -> None:
    nodes = {
        "i": nir.Input(np.array([3])),
        "w": nir.Linear(np.eye(3) * 0.7),
        "t": nir.Threshold(np.array([0.5, 0.7, -1.0])),
        "o": nir.Output(np.array([3])),
    }
    graph = lower(nir.NIRGraph(nodes=nodes, edges=[("i", "w"), ("w", "t"), ("t", "o")], type_check=False), plain())
    raster = spikes(2, 9, 3)
    fired = golden.run(graph, raster, arithmetic="real").spikes["t"]
    assert (fired == (0.7 * raster > np.array([0.5, 0.7, -1.0]))).all()


def test_an_affine_that_sums_two_sources_adds_its_bias_once() -> None:
    nodes = {
        "i": nir.Input(np.array([2])),
        "a": if_node(2),
        "w": nir.Affine(np.eye(2), np.full(2, 0.5)),
        "b": if_node(2),
        "o": nir.Output(np.array([2])),
    }
    edges = [("i", "a"), ("i", "w"), ("a", "w"), ("w", "b"), ("b", "o")]
    graph = lower(nir.NIRGraph(nodes=nodes, edges=edges, type_check=False), plain())
    assert graph.population("b").bias.real.tolist() == [0.5, 0.5] and len(graph.into("b")) == 2


def test_integrators_inside_the_network_are_refused() -> None:
    nodes = {
        "i": nir.Input(np.array([2])),
        "li": nir.LI(tau=np.full(2, 0.01), r=np.ones(2), v_leak=np.zeros(2)),
        "n": if_node(2),
        "o": nir.Output(np.array([2])),
    }
    with pytest.raises(NirError, match="integrator 'li' feeds 'n'"):
        lower(nir.NIRGraph(nodes=nodes, edges=[("i", "li"), ("li", "n"), ("n", "o")], type_check=False), plain())


# -- nesting and loops -------------------------------------------------------------------------------------------


def recurrent_nodes(bias: float = 0.0) -> dict[str, nir.NIRNode]:
    return {"lif": if_node(3), "w_rec": nir.Affine(np.full((3, 3), -0.25), np.full(3, bias))}


LOOP = [("lif", "w_rec"), ("w_rec", "lif")]


def test_an_inner_graph_is_the_same_as_its_nodes_outside() -> None:
    inner = nir.NIRGraph(
        nodes={"input": nir.Input(np.array([3])), **recurrent_nodes(), "output": nir.Output(np.array([3]))},
        edges=[("input", "lif"), *LOOP, ("lif", "output")],
    )
    fc, out = nir.Linear(np.full((3, 2), 0.75)), nir.Output(np.array([3]))
    nested = nir.NIRGraph(
        nodes={"input": nir.Input(np.array([2])), "fc": fc, "layer": inner, "output": out},
        edges=[("input", "fc"), ("fc", "layer"), ("layer", "output")],
    )
    flat = nir.NIRGraph(
        nodes={"input": nir.Input(np.array([2])), "fc": fc, **recurrent_nodes(), "output": out},
        edges=[("input", "fc"), ("fc", "lif"), *LOOP, ("lif", "output")],
    )
    first, second = (lower(g, plain()) for g in (nested, flat))
    assert first.output == "layer.lif" and loops(first) == (("layer.lif",),)
    raster = spikes(4, 12, 2)
    runs = [golden.run(g, raster, arithmetic="real").scores for g in (first, second)]
    assert (runs[0] == runs[1]).all() and runs[0].any()


def test_an_inner_graph_survives_writing(tmp_path: Path) -> None:
    inner = nir.NIRGraph(
        nodes={"input": nir.Input(np.array([3])), **recurrent_nodes(), "output": nir.Output(np.array([3]))},
        edges=[("input", "lif"), *LOOP, ("lif", "output")],
    )
    nodes = {"i": nir.Input(np.array([3])), "layer": inner, "o": nir.Output(np.array([3]))}
    nir.write(tmp_path / "x.nir", nir.NIRGraph(nodes=nodes, edges=[("i", "layer"), ("layer", "o")]))
    graph, metadata = read_nir(tmp_path / "x.nir", dt_s=DT)
    assert "layer.lif" in metadata.resets and lower(graph, metadata).output == "layer.lif"
    assert any("layer.w_rec -> layer.lif" in line for line in metadata.assumptions)


def test_the_branch_that_closes_a_loop_is_silent_at_first_with_its_bias() -> None:
    nodes = {"i": nir.Input(np.array([3])), **recurrent_nodes(0.5), "o": nir.Output(np.array([3]))}
    graph = lower(nir.NIRGraph(nodes=nodes, edges=[("i", "lif"), *LOOP, ("lif", "o")]), plain())
    (population,) = graph.populations
    assert [late.onset for late in population.late_biases] == [1] and not population.bias.real.any()
    recording = golden.run(graph, np.zeros((1, 4, 3), np.uint8), arithmetic="real", record=True)
    assert recording.membrane["lif"][0, :, 0].tolist() == [0.0, 0.5, 1.0, 0.0]


def test_a_delay_in_a_loop_is_its_only_delay() -> None:
    nodes = {"i": nir.Input(np.array([3])), **recurrent_nodes(), "d": nir.Delay(np.full(3, 3e-3))}
    nodes["o"] = nir.Output(np.array([3]))
    edges = [("i", "lif"), ("lif", "w_rec"), ("w_rec", "d"), ("d", "lif"), ("lif", "o")]
    graph = lower(nir.NIRGraph(nodes=nodes, edges=edges), plain())
    assert sorted(p.delay for p in graph.projections) == [0, 3]


def test_feedback_between_layers_closes_at_the_way_back() -> None:
    names = ["i", "a", "ab", "b", "ba", "o"]
    edges = [("i", "a"), ("a", "ab"), ("ab", "b"), ("b", "ba"), ("ba", "a"), ("b", "o")]
    assert closing_edges(names, edges, start="i", delays=()) == {("ba", "a")}


def test_loops_without_a_neuron_are_refused() -> None:
    nodes = {
        "i": nir.Input(np.array([3])),
        "a": nir.Linear(np.eye(3)),
        "d": nir.Delay(np.full(3, DT)),
        "lif": if_node(3),
        "o": nir.Output(np.array([3])),
    }
    edges = [("i", "a"), ("a", "d"), ("d", "a"), ("a", "lif"), ("lif", "o")]
    with pytest.raises(NirError, match="has no neuron in it"):
        lower(nir.NIRGraph(nodes=nodes, edges=edges, type_check=False), plain())


def test_ways_that_multiply_are_counted_not_followed() -> None:
    nodes: dict[str, nir.NIRNode] = {"i": nir.Input(np.array([1]))}
    edges, last = [], "i"
    for k in range(40):
        for side in "ab":
            nodes[f"{side}{k}"] = nir.Linear(np.ones((1, 1)))
            edges += [(last, f"{side}{k}"), (f"{side}{k}", f"s{k}")]
        nodes[f"s{k}"], last = nir.Scale(np.ones(1)), f"s{k}"
    nodes |= {"lif": if_node(1), "o": nir.Output(np.array([1]))}
    with pytest.raises(NirError, match="parallel paths"):
        lower(nir.NIRGraph(nodes=nodes, edges=[*edges, (last, "lif"), ("lif", "o")], type_check=False), plain())


# -- the files of the NIR paper ----------------------------------------------------------------------------------

FILES = {
    "lif_norse": 1e-4,
    "two_lif_neurons": 1e-4,
    "cnn_sinabs": 1.0,  # integrate-and-fire with r = 1: time counts in steps
    "braille_noDelay_bias_zero": 1e-4,
    "braille_noDelay_noBias_subtract": 1e-4,
}


@pytest.mark.parametrize("name", FILES)
def test_every_published_file_imports_and_runs(shared_data: Path, name: str) -> None:
    graph = lower(*read_nir(shared_data / "nir" / f"{name}.nir", dt_s=FILES[name]))
    golden.run(graph, spikes(2, 6, graph.input.size), arithmetic="real")


def test_all_published_files_are_known(shared_data: Path) -> None:
    assert {p.stem for p in (shared_data / "nir").glob("*.nir")} == set(FILES)


@pytest.mark.parametrize(
    ("name", "method", "kind"),
    [
        ("braille_noDelay_bias_zero", reset_value, ResetKind.ZERO),
        ("braille_noDelay_noBias_subtract", reset_subtract, ResetKind.SUBTRACT),
    ],
)
def test_braille_networks_equal_norse_spike_for_spike(shared_data: Path, name: str, method, kind: ResetKind) -> None:
    """Norse 1.1.0 runs the file itself: its import of CubaLIF honours w_in and r, and the loop is silent at first."""
    path = shared_data / "nir" / f"{name}.nir"
    network = norse.from_nir(nir.read(path), reset_method=method, dt=1e-4)
    hidden: list[torch.Tensor] = []
    modules = dict(network.named_modules())
    key = next(k for k in modules if "lif1" in k and type(modules[k]).__name__ == "CubaLIF")
    modules[key].register_forward_hook(lambda module, args, result: hidden.append(result[0]))
    raster = np.random.default_rng(1).choice([-1.0, 0.0, 0.0, 1.0], (16, 96, 12))  # of both signs: busy hidden neurons
    state, outputs = None, []
    with torch.no_grad():
        for step in range(raster.shape[1]):
            output, state = network(torch.tensor(raster[:, step], dtype=torch.float32), state)
            outputs.append(output)
    graph, metadata = read_nir(path, dt_s=1e-4)
    resets = {node: Reset(kind=kind, delay=0) for node in metadata.resets}
    lowered = lower(graph, dataclasses.replace(metadata, resets=resets))
    run = golden.run(lowered, raster, arithmetic="real", record=True)
    for layer, theirs in (("lif1.lif", hidden), ("lif2", outputs)):
        expected = torch.stack(theirs, 1).numpy()
        assert expected.sum() > 1000 and (run.spikes[layer] == expected).all()


def test_the_convolutional_network_of_sinabs_equals_torch_layer_by_layer(shared_data: Path) -> None:
    """Every layer is fed with the golden model's own spikes, so that a difference shows where it arises."""
    path = shared_data / "nir" / "cnn_sinabs.nir"
    nodes = nir.read(path).nodes
    graph = lower(*read_nir(path, dt_s=1.0))
    raster = (np.random.default_rng(2).random((3, 24, 2 * 34 * 34)) < 0.15).astype(np.uint8)
    run = golden.run(graph, raster, arithmetic="real", record=True)

    def affine(key: str, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x.flatten(1), tensor(nodes[key].weight), tensor(nodes[key].bias))

    layers: list[tuple[str, str, Callable[[torch.Tensor], torch.Tensor]]] = [
        ("input", "1", torch_conv(nodes["0"])),
        ("1", "3", torch_conv(nodes["2"])),
        ("3", "6", lambda x: torch_conv(nodes["5"])(F.lp_pool2d(x, 1, 2, 2))),
        ("6", "10", lambda x: affine("9", F.lp_pool2d(x, 1, 2, 2))),
        ("10", "12", lambda x: affine("11", x)),
    ]
    rasters = {"input": raster, **run.spikes}
    for pre, post, drive in layers:
        shape = graph.input.shape if pre == "input" else graph.population(pre).shape
        v = torch.zeros(3, graph.population(post).size, dtype=torch.float64)
        for step in range(24):
            v = v + drive(tensor(rasters[pre][:, step]).reshape(3, *shape)).flatten(1)
            fired = v > 1.0
            assert (fired.numpy() == run.spikes[post][:, step]).all()
            v = torch.where(fired, 0.0, v)
        assert run.spikes[post].sum() > 30


def test_the_convolutional_network_of_sinabs_equals_norse(shared_data: Path) -> None:
    """Norse merges the batch in Flatten, so one sample at a time."""
    path = shared_data / "nir" / "cnn_sinabs.nir"
    network: nn.Module = norse.from_nir(nir.read(path), dt=1.0)
    raster = (np.random.default_rng(3).random((2, 24, 2 * 34 * 34)) < 0.15).astype(np.uint8)
    run = golden.run(lower(*read_nir(path, dt_s=1.0)), raster, arithmetic="real")
    total = 0
    for sample in range(2):
        state = None
        for step in range(24):
            frame = torch.tensor(raster[sample, step], dtype=torch.float32).reshape(1, 2, 34, 34)
            with torch.no_grad():
                output, state = network(frame, state)
            assert (output.numpy().ravel() == run.spikes["12"][sample, step]).all()
            total += int(output.sum())
    assert total > 10
