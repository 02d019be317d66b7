"""What a new neuron costs: ``adaptive_lif.py`` (dataclass, golden step, NIR node), two entries, and this test.

Lowering, quantising, hashing, the checkpoint's constants, the NIR file and the report follow from the fields; targets,
training and other tools' readers, which do not know the kind, refuse it by name.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import nir
import numpy as np
import pytest

from lightning_neuro import cli
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.errors import GraphError, NirError
from lightning_neuro.graph import advance, discretise, golden
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.digest import graph_sha256
from lightning_neuro.graph.hardware_graph import HardwareGraph, ReadoutKind, Values
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.graph.nir_hdf5 import write_graph
from lightning_neuro.graph.profile_refusals import refusals
from lightning_neuro.graph.profiles import PROFILES
from lightning_neuro.graph.stored import neuron_constants
from lightning_neuro.graph.widths import DEFAULT_SPEC
from lightning_neuro.models.nir_network import NirNetwork
from lightning_neuro.neurons.surrogate import make_surrogate
from lightning_neuro.summary import summarise
from tests.extend.adaptive_lif import ENTRY, STEPS, AdaptiveLIF, AdaptiveLif
from tests.graph.networks import spikes
from tests.test_deploy import run

HIDDEN, STEP_COUNT = 6, 30


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two entries of a kind."""
    monkeypatch.setitem(advance.STEPS, AdaptiveLif, STEPS)
    monkeypatch.setitem(discretise.NEURONS, AdaptiveLIF, ENTRY)


def network() -> tuple[nir.NIRGraph, Metadata]:
    rng = np.random.default_rng(0)
    adaptive = AdaptiveLIF(
        tau=np.full(HIDDEN, 8e-3),
        tau_adapt=np.full(HIDDEN, 12.5e-3),
        jump=np.linspace(0.2, 0.6, HIDDEN),
        v_threshold=np.ones(HIDDEN),
    )
    tau = np.full(3, 8e-3)
    last = nir.LIF(tau=tau, r=tau / 1e-3, v_leak=np.zeros(3), v_threshold=np.ones(3), v_reset=np.zeros(3))
    nodes = {
        "input": nir.Input(np.array([9])),
        "fc1": nir.Linear(rng.normal(0.1, 0.4, (HIDDEN, 9))),
        "hidden": adaptive,
        "fc2": nir.Linear(rng.normal(0.1, 0.6, (3, HIDDEN))),
        "last": last,
        "output": nir.Output(np.array([3])),
    }
    edges = [("input", "fc1"), ("fc1", "hidden"), ("hidden", "fc2"), ("fc2", "last"), ("last", "output")]
    metadata = Metadata(dt_s=1e-3, readout=ReadoutKind.SPIKE_COUNT, resets={}, steps=STEP_COUNT, tool="test")
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata=metadata.to_dict(), type_check=False), metadata


def integers(graph: HardwareGraph, inputs: SpikeSet) -> HardwareGraph:
    return quantize_network(graph, DEFAULT_SPEC, inputs)[0]


@pytest.fixture
def inputs() -> SpikeSet:
    return SpikeSet(spikes=spikes(20, STEP_COUNT, 9), labels=np.full(20, -1, np.int64))


@pytest.fixture
def file(known: None, tmp_path: Path) -> Path:
    path = tmp_path / "adaptive.nir"
    write_graph(path, network()[0])
    return path


def test_it_runs_in_both_arithmetics_and_adapts(known: None, inputs: SpikeSet) -> None:
    graph = lower(*network())
    found = golden.run(graph, inputs.spikes, arithmetic="real", record=True)
    weight = graph.projections[0].connection.weight.real
    v, a, rasters = np.zeros((20, HIDDEN)), np.zeros((20, HIDDEN)), []
    for t in range(STEP_COUNT):
        v = v * (1 - 1 / 8) + inputs.spikes[:, t] @ weight.T
        fired = v > 1 + a
        v, a = np.where(fired, 0, v), a * (1 - 1 / 12.5) + np.linspace(0.2, 0.6, HIDDEN) * fired
        rasters.append(fired)
    assert np.array_equal(found.spikes["hidden"], np.stack(rasters, axis=1))
    rounded = golden.run(integers(graph, inputs), inputs.spikes, arithmetic="fixed", record=True)
    agree = (rounded.spikes["hidden"] == found.spikes["hidden"]).mean()
    assert rounded.membrane["hidden"].dtype == np.int64 and 0.9 < agree
    neuron = graph.population("hidden").neuron
    assert isinstance(neuron, AdaptiveLif)
    plain = _with_neuron(graph, dataclasses.replace(neuron, jump=Values(real=np.zeros(HIDDEN))))
    unadapted = golden.run(plain, inputs.spikes, arithmetic="real", record=True)
    assert unadapted.spikes["hidden"].sum() > 1.2 * found.spikes["hidden"].sum()


def _with_neuron(graph: HardwareGraph, neuron: AdaptiveLif) -> HardwareGraph:
    first, *others = graph.populations
    return dataclasses.replace(graph, populations=(dataclasses.replace(first, neuron=neuron), *others))


def test_its_fields_are_rounded_hashed_and_stored(known: None, inputs: SpikeSet) -> None:
    real = lower(*network())
    graph = integers(real, inputs)
    population = graph.population("hidden")
    neuron, state = population.neuron, population.state_format
    assert isinstance(neuron, AdaptiveLif) and state is not None
    assert np.array_equal(neuron.jump.integers(), np.rint(np.linspace(0.2, 0.6, HIDDEN) / state.lsb))
    multiplier, shift = neuron.leak_adapt.integers()
    assert np.allclose(multiplier / 2**shift, 1 / 12.5, atol=2.0**-shift)
    other = dataclasses.replace(neuron, jump=dataclasses.replace(neuron.jump, raw=neuron.jump.integers() + 1))
    assert graph_sha256(_with_neuron(graph, other)) != graph_sha256(graph)
    assert {"decay_mem", "decay_adapt", "jump", "threshold"} <= neuron_constants(population).keys()
    recording = golden.run(graph, inputs.spikes, arithmetic="fixed", record=True)
    assert summarise(graph, recording).populations[0].neuron == "AdaptiveLif"


def test_a_nir_file_keeps_it_and_is_deployed(file: Path) -> None:
    again = lower(*read_nir(file, dt_s=None))
    assert graph_sha256(again) == graph_sha256(lower(*network()))
    report, _ = run(file)
    assert report.ok and report.graph.populations[0].neuron == "AdaptiveLif"
    assert report.checks[0].name == "nir_round_trip"


@pytest.mark.parametrize("target", ["fpga", "spinnaker", "brainscales"])
def test_targets_that_do_not_know_it_say_so(file: Path, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.deploy_main([str(file), f"target={target}"])
    said = capsys.readouterr().err
    row = next(line for line in said.splitlines() if "AdaptiveLif" in line)
    assert left.value.code == 2 and "Traceback" not in said
    assert row.split()[:3] == ["hidden", "neuron", "AdaptiveLif"] and "CubaLif" in row


def test_training_and_other_readers_refuse_it_by_name(known: None) -> None:
    graph, metadata = network()
    lowered = lower(graph, metadata)
    assert all(any("AdaptiveLif" in reason for reason in refusals(lowered, p, None)) for p in PROFILES.values())
    with pytest.raises(NirError, match="AdaptiveLif in hidden"):
        NirNetwork(graph, metadata, make_surrogate("fast_sigmoid", 25.0))


def test_without_its_entries_it_is_refused(tmp_path: Path, inputs: SpikeSet, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, metadata = network()
    write_graph(tmp_path / "adaptive.nir", graph)
    with pytest.raises(NirError, match="AdaptiveLIF"):
        lower(graph, metadata)
    with pytest.raises(NirError, match="not a readable NIR graph"):
        read_nir(tmp_path / "adaptive.nir", dt_s=None)
    monkeypatch.setitem(discretise.NEURONS, AdaptiveLIF, ENTRY)
    with pytest.raises(GraphError, match="no golden step"):
        golden.run(lower(graph, metadata), inputs.spikes, arithmetic="real")
