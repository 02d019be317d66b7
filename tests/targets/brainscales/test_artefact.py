"""What the files hold: the chip's own weights, times on its grid, one parameter set per layer, and nothing else."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nir
import numpy as np
import pytest

from lightning_neuro.graph.hardware_graph import FirstSpike, HardwareGraph
from lightning_neuro.targets.brainscales.chip_resources import CYCLE_US
from lightning_neuro.targets.brainscales.mapping import chip_network
from lightning_neuro.targets.brainscales.nir_profile import chain_of, nir_graph
from lightning_neuro.targets.brainscales.prepared import as_calibrated, prepare
from tests.graph import first_spike_networks
from tests.targets.brainscales import artefacts


@pytest.fixture(scope="module")
def artefact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return artefacts.write(artefacts.first_spike_graph([10, 12, 3]), tmp_path_factory.mktemp("bss") / "artefact")


def test_the_folder_is_complete(artefact: Path) -> None:
    names = {path.name for path in artefact.iterdir()}
    assert names == {
        "README.md", "calibrate.py", "calibration_target.json", "expected.npz", "inputs.npz", "network.json",
        "network.nir", "placement.csv", "run_hxtorch.py", "run_pynn.py", "weights.npz",
    }  # fmt: skip
    for name in names:
        if name.endswith((".py", ".md", ".json", ".csv")):
            assert "{{" not in (artefact / name).read_text() and "/tmp" not in (artefact / name).read_text()


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_weights_are_six_bits_and_add_up_to_the_network(tmp_path: Path, scale: float) -> None:
    graph, made = artefacts.first_spike_graph([10, 12, 3], scale=scale), artefacts.target()
    prepared = prepare(artefacts.job_of(graph, made), made.options(graph))
    for (pre, post), columns in prepared.columns.items():
        wanted = next(p.weights for p in prepared.network.projections if (p.pre, p.post) == (pre, post))
        assert columns.weights.dtype == np.int8 and np.abs(columns.weights).max() <= 63
        total = np.zeros_like(wanted)
        np.add.at(total.T, columns.source, columns.weights.T)
        assert np.array_equal(total, wanted)
        assert np.array_equal(np.rint(columns.unrounded), wanted)
        assert len(columns.source) == np.maximum(1, np.ceil(np.abs(wanted).max(axis=0) / 63)).sum()


@pytest.mark.parametrize("graph", [artefacts.first_spike_graph([10, 12, 3]), artefacts.stepped_graph()])
def test_the_rounded_graph_is_the_chip_s_network(graph: HardwareGraph) -> None:
    made = artefacts.target()
    own = made.own_rounding(graph, None)
    assert own is not None
    before, after = (chip_network(g, made.options(g)) for g in (graph, own[0]))
    for a, b in zip(before.projections, after.projections, strict=True):
        assert np.array_equal(a.weights, b.weights)
    for a, b in zip(graph.projections, own[0].projections, strict=True):
        assert 0 < np.abs(a.connection.weight.real - b.connection.weight.real).max() < 0.02


def test_expected_spikes_are_the_golden_model_s_to_a_few_cycles(artefact: Path) -> None:
    graph, made = artefacts.first_spike_graph([10, 12, 3]), artefacts.target()
    job = artefacts.job_of(graph, made)
    with np.load(artefact / "expected.npz") as file:
        expected = dict(file)
    times = np.full((artefacts.SAMPLES, 12), np.inf)
    np.minimum.at(times, (expected["layer0.sample"], expected["layer0.neuron"]), expected["layer0.time_us"])
    neuron = graph.populations[0].neuron
    assert isinstance(neuron, FirstSpike)
    factor = 6.0 / float(neuron.tau_syn_s[0])
    wanted = job.vectors.expected.times["layer0"] * factor
    assert np.array_equal(np.isfinite(times), wanted < 24)
    assert np.nanmax(np.abs(np.where(np.isfinite(times), times - wanted, np.nan))) < 0.05
    cycles = expected["layer0.time_us"] / CYCLE_US
    assert np.abs(cycles - np.rint(cycles)).max() < 1e-6
    assert np.array_equal(expected["classes"], job.vectors.expected.classes)


def test_thresholds_are_whole_lsb_and_periods_whole_cycles() -> None:
    graph, made = artefacts.stepped_graph(), artefacts.target()
    network = as_calibrated(chip_network(graph, made.options(graph)), made.analog)
    for layer in network.layers:
        lsb = layer.threshold * layer.weight_scale * 70 / 78
        assert abs(lsb - round(lsb)) < 1e-9
    cycles = (network.sample_us + network.gap_us) / CYCLE_US
    assert abs(cycles - round(cycles)) < 1e-6


def test_network_json_says_what_a_script_of_one_s_own_needs(artefact: Path) -> None:
    said = json.loads((artefact / "network.json").read_text())
    assert [layer["neurons"] for layer in said["layers"]] == [12, 3]
    assert said["layers"][0]["tau_syn_us"] == pytest.approx(6.0) and said["readout"] == "first_spike"
    assert said["layers"][0]["cadc_lsb"] == {"threshold": 150, "leak": 80, "reset": 80}
    assert said["runs"] == [[{"layer": "layer0", "first": 0, "last": 12}, {"layer": "layer1", "first": 0, "last": 3}]]


def test_calibration_targets_name_the_circuits_of_placement_csv(artefact: Path) -> None:
    said = json.loads((artefact / "calibration_target.json").read_text())
    with (artefact / "placement.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "neuron"]
    for layer in said["layers"]:
        own = [row for row in rows if row["population"] == layer["name"]]
        at = [256 * int(row["hemisphere"]) + int(row["first_column"]) for row in own]
        assert layer["circuits"] == sorted(at)
        assert layer["refractory_time_s"] == pytest.approx(24e-6)


def test_nir_has_the_form_that_hxtorch_and_jaxsnn_read(artefact: Path) -> None:
    read = nir.read(str(artefact / "network.nir"))
    kinds = [type(node).__name__ for node in read.nodes.values()]
    assert sorted(kinds) == ["CubaLIF", "CubaLIF", "Input", "Linear", "Linear", "Output"]
    neurons = read.nodes["neurons0"]
    assert neurons.tau_syn.tolist() == pytest.approx([6e-3] * 12) and np.array_equal(neurons.w_in, neurons.tau_syn)
    assert neurons.r.tolist() == [1.0] * 12 and neurons.v_threshold.tolist() == [neurons.v_threshold[0]] * 12


def test_nir_weights_are_the_jump_of_the_current() -> None:
    """One spike over the file's weight, by NIR's own equation, is the golden model's potential."""
    graph, made = artefacts.first_spike_graph([4, 3, 2]), artefacts.target()
    network = chip_network(graph, made.options(graph))
    node, linear = nir_graph(network).nodes["neurons0"], nir_graph(network).nodes["synapses0"]
    t = np.linspace(0, 24e-3, 2401)
    tau_mem, tau_syn = float(node.tau_mem[0]), float(node.tau_syn[0])
    current = float(linear.weight[0, 0]) * node.w_in[0] / tau_syn * np.exp(-t / tau_syn)
    membrane = np.zeros_like(t)
    for k in range(1, len(t)):
        membrane[k] = membrane[k - 1] + (t[1] - t[0]) / tau_mem * (current[k - 1] - membrane[k - 1])
    neuron = graph.populations[0].neuron
    assert isinstance(neuron, FirstSpike)
    weight = float(graph.projections[0].connection.weight.real[0, 0]) / float(neuron.threshold.real[0])
    peak = weight * np.exp(-1.0)  # of w t / tau exp(-t / tau), in thresholds, which are the same within a layer there
    assert np.abs(membrane).max() / float(node.v_threshold[0]) == pytest.approx(abs(peak), rel=0.01)


def test_networks_that_are_no_chain_get_no_nir(tmp_path: Path) -> None:
    graph = first_spike_networks.network([6, 8, 3], bias=True)
    made = artefacts.target()
    assert not chain_of(chip_network(graph, made.options(graph)))
    made.write(artefacts.job_of(graph, made), tmp_path)
    assert not (tmp_path / "network.nir").exists() and "network.nir" not in (tmp_path / "README.md").read_text()
    found, _ = artefacts.run(tmp_path, "run_pynn.py")
    assert artefacts.scores(found)["same class as the ideal chip"] == 1.0
    found, _ = artefacts.run(tmp_path, "run_hxtorch.py", "--dt", "0.02")
    assert artefacts.scores(found)["same class as the ideal chip"] >= 0.8


def test_speed_follows_tau_syn_in_continuous_time_and_is_1000_in_steps() -> None:
    made = artefacts.target()
    continuous, stepped = artefacts.first_spike_graph([4, 3]), artefacts.stepped_graph()
    assert made.options(continuous).speedup == pytest.approx(first_spike_networks.TAU_S * 1e6 / 6)
    assert made.options(stepped).speedup == 1000
    assert artefacts.target("target.speedup=500").options(continuous).speedup == 500
