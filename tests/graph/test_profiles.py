"""Each profile's file through the reader it is written for: 0 differing spikes, or a refusal with every reason."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from lightning_neuro.errors import ConfigError, NirError
from lightning_neuro.graph import golden
from lightning_neuro.graph.connections import with_weight
from lightning_neuro.graph.hardware_graph import (
    Dense,
    HardwareGraph,
    Input,
    LateBias,
    Lif,
    Pooled,
    Projection,
    ReadoutKind,
    ResetKind,
    Values,
)
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.graph.profile_files import write_profile
from lightning_neuro.graph.profiles import PROFILES
from lightning_neuro.peers import norse, snntorch
from tests.graph.networks import chain, real_population, spikes
from tests.graph.test_connections import convolution, window

RNG = np.random.default_rng(0)


def varied(graph: HardwareGraph, *, bias: float = 0.0, v_reset: float = 0.0, spread: bool = True) -> HardwareGraph:
    """Another threshold, decay and bias for every neuron."""
    populations = []
    for p in graph.populations:
        neuron = p.neuron
        if spread:
            leak = dataclasses.replace(neuron.leak_mem, beta=np.linspace(0.7, 0.95, p.size))
            threshold = Values(real=np.linspace(0.6, 1.3, p.size))
            neuron = dataclasses.replace(neuron, leak_mem=leak, threshold=threshold)
        neuron = dataclasses.replace(neuron, v_reset=Values(real=np.full(p.size, v_reset)))
        values = Values(real=bias * RNG.normal(size=p.size))
        populations.append(dataclasses.replace(p, neuron=neuron, bias=values))
    return dataclasses.replace(graph, populations=tuple(populations))


def recurrent() -> HardwareGraph:
    graph = varied(chain([12, 9, 5]), bias=0.1)
    loop = Dense(weight=Values(real=RNG.normal(-0.1, 0.3, (9, 9))))
    first, *others = graph.populations
    late = (LateBias(values=Values(real=np.full(9, 0.1)), onset=1, until=None),)
    return dataclasses.replace(
        graph,
        populations=(dataclasses.replace(first, late_biases=late), *others),
        projections=(*graph.projections, Projection(pre="layer1", post="layer1", connection=loop, delay=1)),
    )


def convolutional(kind: ResetKind = ResetKind.ZERO, beta: float = 0.875) -> HardwareGraph:
    first = convolution(window((2, 8, 8), 3, 2, 1), 3)
    first = dataclasses.replace(first, weight=Values(real=RNG.normal(0.1, 0.4, (3, 2, 3, 3))))
    second = Pooled(pool=window((3, 4, 4), 2, 2), then=Dense(weight=Values(real=RNG.normal(0.1, 0.4, (6, 12)))))
    common = {"beta": beta, "alpha": None, "kind": kind, "delay": 0}
    conv = dataclasses.replace(real_population("conv", 48, **common), shape=(3, 4, 4))
    conv = dataclasses.replace(conv, bias=Values(real=np.repeat([0.05, -0.05, 0.1], 16)))
    return dataclasses.replace(
        chain([128, 6]),
        input=Input(name="input", shape=(2, 8, 8), format=None),
        populations=(conv, real_population("out", 6, **common)),
        projections=(
            Projection(pre="input", post="conv", connection=first, delay=0),
            Projection(pre="conv", post="out", connection=second, delay=0),
        ),
        output="out",
    )


def run_snntorch(path: Path, graph: HardwareGraph, raster: np.ndarray) -> np.ndarray:
    from snntorch.import_nir import import_from_nir

    with contextlib.redirect_stdout(io.StringIO()):
        outputs = []
        for sample in raster:
            network = import_from_nir(nir.read(path))
            state = None
            steps = []
            for row in sample:
                frame = torch.tensor(row, dtype=torch.float32).reshape(graph.input.shape)
                result = network(frame) if state is None else network(frame, state)
                output, state = result
                steps.append(output.detach().flatten())
            outputs.append(torch.stack(steps))
    return torch.stack(outputs).numpy()


def run_norse(path: Path, graph: HardwareGraph, raster: np.ndarray) -> np.ndarray:
    network = norse.from_nir(nir.read(path), dt=graph.dt_s, ignore_warnings=True)
    outputs = []
    for sample in raster:
        state, steps = None, []
        for row in sample:
            with torch.no_grad():
                output, state = network(torch.tensor(row, dtype=torch.float32).reshape(graph.input.shape), state)
            steps.append(output.flatten())
        outputs.append(torch.stack(steps))
    return torch.stack(outputs).numpy()


def run_sinabs(path: Path, graph: HardwareGraph, raster: np.ndarray) -> np.ndarray:
    reader = pytest.importorskip("sinabs.nir", reason="sinabs is not installed: pip install sinabs")
    network = reader.from_nir(nir.read(path), batch_size=len(raster))
    frames = torch.tensor(raster, dtype=torch.float32).reshape(-1, *graph.input.shape)
    with torch.no_grad():
        result = network(frames)
    output = result[0] if isinstance(result, tuple) else result
    return output.reshape(*raster.shape[:2], -1).numpy()


READERS = {"snntorch": run_snntorch, "norse": run_norse, "sinabs": run_sinabs}

SUPPORTED = {
    ("snntorch", "dense"): varied(chain([12, 9, 5]), bias=0.1),
    ("snntorch", "dense, zero delayed"): varied(chain([12, 9, 5], delay=1)),
    ("snntorch", "current-based"): varied(chain([12, 9, 5], alpha=0.75), spread=False, bias=0.1),
    ("snntorch", "convolution"): convolutional(),
    ("norse", "dense"): varied(chain([12, 9, 5]), bias=0.1),
    ("norse", "reset potential"): varied(chain([12, 9, 5]), v_reset=-0.3),
    ("norse", "current-based"): varied(chain([12, 9, 5], alpha=0.75), bias=0.1),
    ("norse", "integrate and fire"): varied(chain([12, 9, 5], beta=1.0), spread=False),
    ("norse", "convolution"): convolutional(),
    ("norse", "recurrent"): recurrent(),
    ("sinabs", "dense"): varied(chain([12, 9, 5], kind=ResetKind.SUBTRACT), bias=0.05),
    ("sinabs", "integrate and fire"): varied(chain([12, 9, 5], kind=ResetKind.SUBTRACT, beta=1.0), spread=False),
    ("sinabs", "convolution"): convolutional(ResetKind.SUBTRACT, beta=1.0),
}


def evidence(graph: HardwareGraph, name: str) -> np.ndarray:
    return spikes(14, 40, graph.input.size, rate=0.7 if name == "sinabs" else 0.4)


def tamed(graph: HardwareGraph) -> HardwareGraph:
    """Positive weights that add up to less than half a threshold: no neuron could spike twice in a step."""

    def small(p: Projection) -> Projection:
        inner, area = (p.connection.then, 4) if isinstance(p.connection, Pooled) else (p.connection, 1)
        weight = np.abs(inner.weight.real)
        sums = area * weight.sum(axis=tuple(range(1, weight.ndim)), keepdims=True)
        return dataclasses.replace(p, connection=with_weight(p.connection, Values(real=0.47 * weight / sums)))

    return dataclasses.replace(graph, projections=tuple(small(p) for p in graph.projections))


@pytest.mark.parametrize(("name", "network"), SUPPORTED)
def test_the_reader_computes_the_same_spikes(tmp_path: Path, name: str, network: str) -> None:
    graph = SUPPORTED[name, network]
    graph = tamed(graph) if name == "sinabs" else graph
    raster = evidence(graph, name)
    found = write_profile(graph, name, tmp_path / "x.nir", raster)
    assert found.mismatches == 0 and found.ties == 0
    expected = golden.run(graph, raster, arithmetic="real").spikes[graph.output]
    theirs = READERS[name](tmp_path / "x.nir", graph, raster)
    assert expected.sum() > 50 and (theirs == expected).all()


@pytest.mark.parametrize("name", ["hxtorch", "spinnaker2"])
def test_readers_that_are_no_packages_get_a_file_that_means_the_same(tmp_path: Path, name: str) -> None:
    alpha = 0.75 if name == "hxtorch" else None
    graph = varied(chain([12, 9, 5], alpha=alpha), spread=name != "hxtorch")
    assert write_profile(graph, name, tmp_path / "x.nir", evidence(graph, name)).mismatches == 0


def test_hxtorch_gets_milliseconds_and_no_affine(tmp_path: Path) -> None:
    graph = chain([12, 9, 5], alpha=0.75)
    write_profile(graph, "hxtorch", tmp_path / "x.nir", evidence(graph, "hxtorch"))
    nodes = nir.read(tmp_path / "x.nir").nodes
    assert {type(n) for n in nodes.values()} == {nir.Input, nir.Output, nir.Linear, nir.CubaLIF}
    np.testing.assert_allclose(nodes["layer1"].tau_mem, 8.0)  # 1 ms / (1 - 0.875)


def test_metadata_say_for_whom_the_file_is_and_are_not_taken_for_ours(tmp_path: Path) -> None:
    graph = chain([12, 9, 5])
    write_profile(graph, "norse", tmp_path / "x.nir", evidence(graph, "norse"))
    assert "from_nir" in nir.read(tmp_path / "x.nir").metadata["notes"]
    with pytest.raises(NirError, match="does not say its time step"):
        read_nir(tmp_path / "x.nir", dt_s=None)


@pytest.mark.parametrize(
    ("name", "graph", "reason"),
    [
        ("snntorch", chain([9, 5], kind=ResetKind.SUBTRACT), "resets by subtract with delay 0"),
        ("snntorch", chain([9, 5], kind=ResetKind.NONE, readout=ReadoutKind.MEMBRANE_MAX), "kind li"),
        ("snntorch", chain([9, 5], beta=1.0), "kind if"),
        ("snntorch", recurrent(), "layer1 feeds itself"),
        ("snntorch", varied(chain([9, 5]), v_reset=0.2), "reset potential"),
        ("norse", chain([9, 5], kind=ResetKind.SUBTRACT, delay=1), "resets by subtract with delay 1"),
        ("norse", chain([9, 5], kind=ResetKind.NONE, readout=ReadoutKind.MEMBRANE_MAX), "kind li"),
        ("norse", varied(chain([9, 5], alpha=0.5), v_reset=0.2), "reset potential"),
        ("hxtorch", chain([9, 5]), "kind lif"),
        ("hxtorch", varied(chain([9, 5], alpha=0.5), bias=0.1, spread=False), "has a bias"),
        ("hxtorch", varied(chain([9, 5], alpha=0.5)), "differ between neurons"),
        ("spinnaker2", convolutional(), "pools"),
        ("sinabs", chain([9, 5]), "resets by zero"),
        ("sinabs", chain([9, 5], kind=ResetKind.SUBTRACT), "twice its threshold"),
        ("sinabs", convolutional(ResetKind.SUBTRACT), "is an image"),
    ],
)
def test_what_the_reader_would_change_is_refused(tmp_path: Path, name: str, graph: HardwareGraph, reason: str) -> None:
    strong = spikes(8, 30, graph.input.size, rate=0.9)
    with pytest.raises(NirError, match=reason):
        write_profile(graph, name, tmp_path / "x.nir", strong)
    assert not list(tmp_path.iterdir())


def test_all_reasons_are_listed(tmp_path: Path) -> None:
    graph = varied(chain([9, 6, 5], kind=ResetKind.SUBTRACT), v_reset=0.5)
    with pytest.raises(NirError) as caught:
        write_profile(graph, "norse", tmp_path / "x.nir", evidence(graph, "norse"))
    assert caught.value.what.count("resets by subtract") == 2


def test_grouped_convolutions_are_refused_because_no_reader_takes_them(tmp_path: Path) -> None:
    graph = convolutional()
    first = graph.projections[0]
    grouped = convolution(window((2, 8, 8), 3, 2, 1), 4, groups=2)
    common = {"beta": 0.9, "alpha": None, "kind": ResetKind.ZERO, "delay": 0}
    conv = dataclasses.replace(real_population("conv", 64, **common), shape=(4, 4, 4))
    graph = dataclasses.replace(
        graph,
        populations=(conv,),
        projections=(dataclasses.replace(first, connection=grouped),),
        output="conv",
    )
    with pytest.raises(NirError, match="2 groups"):
        write_profile(graph, "norse", tmp_path / "x.nir", evidence(graph, "norse"))


def test_unknown_profiles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="profile=nest is unknown"):
        write_profile(chain([3, 2]), "nest", tmp_path / "x.nir", spikes(1, 2, 3))


def test_every_profile_with_a_package_is_run() -> None:
    assert {name for name, _ in SUPPORTED} == PROFILES.keys() - {"hxtorch", "spinnaker2"}
    assert all(isinstance(p.neuron, Lif) for p in SUPPORTED["norse", "dense"].populations)
    assert snntorch.__version__ == "1.0.0"
