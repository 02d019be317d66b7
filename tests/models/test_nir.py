"""Foreign networks in torch: the same spikes as the golden model, trainable, and back to a checkpoint that deploys."""

from __future__ import annotations

import dataclasses
import sys
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from lightning_neuro.errors import ConfigError, NirError
from lightning_neuro.graph import golden
from lightning_neuro.graph.compare import compare_run
from lightning_neuro.graph.hardware_graph import ReadoutKind, Reset, ResetKind
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.graph.nir_hdf5 import write_graph
from lightning_neuro.models.nir import NIRClassifier
from lightning_neuro.models.nir_network import NirNetwork
from lightning_neuro.neurons import make_surrogate
from lightning_neuro.source import load_source
from lightning_neuro.train import main
from tests.graph.malformed import BASES, DT
from tests.graph.networks import spikes
from tests.test_deploy import run

SURROGATE = make_surrogate("atan", 2.0)


def outcome(graph: nir.NIRGraph, metadata: Metadata, raster: np.ndarray) -> tuple[int, int, int]:
    """Differing slots, slots, spikes."""
    network = NirNetwork(graph, metadata, SURROGATE)
    with torch.no_grad():
        found = network(torch.tensor(raster, dtype=torch.float32).transpose(0, 1))
    fired = {name: s.transpose(0, 1).numpy() for name, (s, _) in found.items()}
    quiet = {p.name for p in network.lowered.populations if p.neuron.reset.kind is ResetKind.NONE}
    membranes = {name: v.transpose(0, 1).numpy() for name, (_, v) in found.items() if name in quiet}
    spiking = {name: s for name, s in fired.items() if name not in quiet}
    comparison = compare_run(network.lowered, raster, spiking, membranes)
    assert comparison.ties <= 1
    return comparison.mismatches, comparison.slots, int(sum(s.sum() for s in fired.values()))


def stated(**resets: Reset) -> Metadata:
    return Metadata(dt_s=DT, readout=ReadoutKind.SPIKE_COUNT, resets=resets, steps=None)


@pytest.mark.parametrize("base", BASES)
def test_torch_repeats_the_golden_model(base: str) -> None:
    graph = BASES[base]()
    size = int(np.prod(graph.nodes["input"].input_type["input"]))
    wrong, slots, fired = outcome(graph, stated(), spikes(8, 30, size, rate=0.4))
    assert wrong == 0 and slots > 700 and fired > 20


@pytest.mark.parametrize(("kind", "delay"), [("zero", 0), ("zero", 1), ("subtract", 0), ("subtract", 1), ("clamp", 1)])
@pytest.mark.parametrize("base", ["dense", "recurrent"])
def test_every_reset_is_repeated(base: str, kind: str, delay: int) -> None:
    reset = Reset(kind=ResetKind(kind), delay=delay)
    graph = BASES[base]()
    metadata = stated(**{"lif" if base == "dense" else "layer.lif": reset})
    wrong, _, fired = outcome(graph, metadata, spikes(8, 30, 4 if base == "dense" else 3, rate=0.6))
    assert wrong == 0 and fired > 20


def test_delays_that_differ_between_lines_are_repeated() -> None:
    graph = BASES["dense"]()
    graph.nodes["delay"] = nir.Delay(np.array([0.0, DT, 3 * DT]))
    wrong, _, fired = outcome(graph, stated(), spikes(8, 30, 4, rate=0.6))
    assert wrong == 0 and fired > 20


@pytest.mark.parametrize(
    ("name", "dt"), [("cnn_sinabs", 1.0), ("braille_noDelay_bias_zero", 1e-4), ("two_lif_neurons", 1e-4)]
)
def test_published_networks_are_repeated(shared_data: Path, name: str, dt: float) -> None:
    graph, metadata = read_nir(shared_data / "nir" / f"{name}.nir", dt_s=dt)
    size = lower(graph, metadata).input.size
    wrong, _, _ = outcome(graph, metadata, spikes(4, 20, size, rate=0.2))
    assert wrong == 0


def test_gradients_reach_every_weight_through_loops_and_convolutions() -> None:
    for base in BASES:
        graph = BASES[base]()
        network = NirNetwork(graph, stated(), SURROGATE)
        size = network.lowered.input.size
        found = network(torch.tensor(spikes(4, 12, size, rate=0.5), dtype=torch.float32).transpose(0, 1))
        s, v = found[network.lowered.output]
        (s.sum() + v.sum()).backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_trained_weights_go_back_into_the_graph() -> None:
    network = NirNetwork(BASES["convolutional"](), stated(), SURROGATE)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    again = network.as_graph()
    np.testing.assert_allclose(again.nodes["conv"].weight, 0.3, rtol=1e-6)
    raster = spikes(3, 10, 128)
    with torch.no_grad():
        found = network(torch.tensor(raster, dtype=torch.float32).transpose(0, 1))
    expected = golden.run(lower(again, stated()), raster, arithmetic="real", record=True)
    for name, (s, _) in found.items():
        assert (s.transpose(0, 1).numpy() == expected.spikes[name]).all()


# -- training ----------------------------------------------------------------------------------------------------


def foreign(path: Path, inputs: int = 64) -> Path:
    rng = np.random.default_rng(0)
    lif = {"r": np.full(10, 10.0), "v_leak": np.zeros(10), "v_threshold": np.ones(10), "v_reset": np.zeros(10)}
    nodes = {
        "in": nir.Input(np.array([inputs])),
        "fc": nir.Affine(rng.normal(0, 0.3, (10, inputs)).astype(np.float32), np.zeros(10, np.float32)),
        "lif": nir.LIF(tau=np.full(10, 1e-2), **lif),
        "out": nir.Output(np.array([10])),
    }
    write_graph(path, nir.NIRGraph(nodes=nodes, edges=list(pairwise(nodes))))
    return path


def train(monkeypatch: pytest.MonkeyPatch, folder: Path, *overrides: str) -> int:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["train.py", f"hydra.run.dir={folder / 'run'}", "model=nir", *overrides])
    try:
        main()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def test_a_foreign_network_is_fine_tuned_and_deploys(monkeypatch, tmp_path: Path) -> None:
    path = foreign(tmp_path / "x.nir")
    code = train(
        monkeypatch,
        tmp_path,
        f"model.path={path}",
        "model.dt=1e-3",
        "model.lr=5e-2",
        "trainer.max_epochs=4",
        "test=false",
    )
    assert code == 0
    record = load_source(tmp_path / "run" / "best.ckpt", dt_s=None).record
    before = read_nir(path, dt_s=1e-3)[0].nodes["fc"].weight
    assert np.abs(record.graph.nodes["fc"].weight - before).max() > 1e-3
    assert (tmp_path / "run" / "best.nir").is_file()  # written only when it repeats torch's spikes
    report, _ = run(tmp_path / "run" / "best.ckpt")
    assert report.ok and report.accuracy.float_ is not None and report.accuracy.float_ > 0.25  # chance: 0.1


@pytest.mark.parametrize(
    ("inputs", "more", "message"),
    [
        (60, ("model.dt=1e-3",), "the data have 64 inputs, the network 60"),
        (64, (), "does not say its time step"),
        (64, ("model.dt=1e-3", "model.readout=membrane_max"), "that spikes"),
        (64, ("model.dt=1e-3", "model.readout=smell"), "readout=smell is unknown"),
    ],
)
def test_a_network_that_does_not_fit_is_one_message(
    monkeypatch, tmp_path: Path, capsys, inputs: int, more: tuple[str, ...], message: str
) -> None:
    path = foreign(tmp_path / "x.nir", inputs)
    code = train(monkeypatch, tmp_path, f"model.path={path}", "trainer=debug", "test=false", *more)
    text = capsys.readouterr().err
    assert code == 2 and message in text and "Traceback" not in text


def test_an_integrator_is_read_by_its_membrane(tmp_path: Path) -> None:
    graph = BASES["dense"]()
    write_graph(tmp_path / "x.nir", graph)
    options = {
        "dt": DT, "readout": None, "surrogate": "atan", "surrogate_slope": 2.0, "loss": "cross_entropy",
        "loss_gain": 1.0,
        "label_smoothing": 0.0, "lr": 1e-3, "weight_decay": 0.0, "weight_clip": None,
        "schedule": "constant",
    }  # fmt: skip
    model = NIRClassifier(path=str(tmp_path / "x.nir"), **options)
    assert model.readout == "membrane_max" and model(torch.zeros(2, 5, 4)).shape == (2, 2)
    with pytest.raises(ConfigError, match="never spikes"):
        NIRClassifier(path=str(tmp_path / "x.nir"), **{**options, "readout": "spike_count"})
    with pytest.raises(NirError, match="no such NIR file"):
        NIRClassifier(path=str(tmp_path / "y.nir"), **options)
    assert dataclasses.is_dataclass(model.nir.metadata)
