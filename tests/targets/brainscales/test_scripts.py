"""The artefact's scripts, run end to end against the strict stand-ins; each spoiled once, which must be noticed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.targets.brainscales.chip_resources import CYCLE_US
from tests.targets.brainscales import artefacts
from tests.targets.brainscales.artefacts import change, copy, edit, run, scores


@pytest.fixture(scope="module")
def first_spikes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10-12-3 in continuous time; some weights need copies of their source."""
    return artefacts.write(artefacts.first_spike_graph([10, 12, 3]), tmp_path_factory.mktemp("bss") / "artefact")


@pytest.fixture(scope="module")
def stepped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return artefacts.write(artefacts.stepped_graph(), tmp_path_factory.mktemp("bss") / "artefact")


def first_times(found: dict, name: str, shape: tuple[int, int]) -> np.ndarray:
    times = np.full(shape, np.inf)
    np.minimum.at(times, (found[f"{name}.sample"], found[f"{name}.neuron"]), found[f"{name}.time_us"])
    return times


def test_pynn_gives_the_expected_spikes_though_samples_follow_each_other(first_spikes: Path) -> None:
    found, said = run(first_spikes, "run_pynn.py")
    with np.load(first_spikes / "expected.npz") as file:
        expected = dict(file)
    for name, size in (("layer0", 12), ("layer1", 3)):
        got, wanted = (first_times(x, name, (artefacts.SAMPLES, size)) for x in (found, expected))
        assert np.array_equal(np.isfinite(got), np.isfinite(wanted)) and np.isfinite(got).any()
        assert np.nanmax(np.abs(np.where(np.isfinite(got), got - wanted, np.nan))) <= CYCLE_US * 1.01
    assert np.array_equal(found["classes"], expected["classes"])
    assert scores(found)["same class as the ideal chip"] == 1.0 and "accuracy of the ideal chip" in said


def test_pynn_in_small_batches_gives_the_same_spikes(first_spikes: Path, stepped: Path) -> None:
    for artefact in (first_spikes, stepped):
        whole, _ = run(artefact, "run_pynn.py")
        batches, _ = run(artefact, "run_pynn.py", "--batch", "5")
        for key in whole:
            if key.endswith(".time_us"):
                assert len(whole[key]) == len(batches[key])
                assert np.abs(np.sort(whole[key]) - np.sort(batches[key])).max(initial=0) <= CYCLE_US * 1.01


def test_stepped_networks_run_and_score_themselves(stepped: Path) -> None:
    found, _ = run(stepped, "run_pynn.py", "--samples", "7")
    assert len(found["classes"]) == 7 and scores(found)["same class as the ideal chip"] == 1.0
    assert scores(found)["hidden: spikes per sample"] > 0.5


def test_hxtorch_agrees_on_the_chip_and_in_mock_mode(stepped: Path) -> None:
    found, _ = run(stepped, "run_hxtorch.py", "--dt", "0.02")
    assert scores(found)["same class as the ideal chip"] >= 0.9
    assert abs(scores(found)["hidden: first spikes late, mean, us"]) < 0.05
    mocked, _ = run(stepped, "run_hxtorch.py", "--mock", "--dt", "0.02")
    assert scores(mocked)["same class as the ideal chip"] >= 0.8 and scores(mocked)["simulated, no chip"] == 1.0


def test_a_read_out_by_membrane_runs_in_both_interfaces(tmp_path: Path) -> None:
    artefact = artefacts.write(artefacts.read_out_graph(), tmp_path / "artefact")
    for script in ("run_pynn.py", "run_hxtorch.py"):
        found, _ = run(artefact, script)
        assert scores(found)["same class as the ideal chip"] >= 0.9, script
    assert '"output": (0, 6)' not in (artefact / "run_pynn.py").read_text().split("RUNS")[1].split("]")[0]


def test_weights_beyond_63_between_layers_are_replayed_for_hxtorch(tmp_path: Path) -> None:
    artefact = artefacts.write(artefacts.first_spike_graph([10, 12, 3], scale=2.0), tmp_path / "artefact")
    with np.load(artefact / "weights.npz") as file:
        assert len(np.unique(file["layer0.source"])) < len(file["layer0.source"])
    found, _ = run(artefact, "run_hxtorch.py", "--dt", "0.02")
    assert scores(found)["same class as the ideal chip"] >= 0.8
    assert "PLACED: list[int] = [0, 0]" in (artefact / "run_hxtorch.py").read_text()


def test_a_network_larger_than_the_chip_runs_part_by_part(tmp_path: Path) -> None:
    graph = artefacts.first_spike_graph([20, 560, 3], scale=0.3)
    artefact = artefacts.write(graph, tmp_path / "artefact")
    assert "PLACED: list[int] = [0, 1" in (artefact / "run_pynn.py").read_text()
    with np.load(artefact / "expected.npz") as file:
        hidden = len(file["layer0.sample"])
    assert hidden > 100
    found, _ = run(artefact, "run_hxtorch.py", "--dt", "0.02")
    assert abs(len(found["layer0.sample"]) - hidden) <= 0.02 * hidden


def test_check_calibrates_and_routes_only(first_spikes: Path) -> None:
    found, said = run(first_spikes, "run_pynn.py", "--check")
    assert not found and "is calibrated and routed" in said and "circuits" in said


def test_a_calibration_file_replaces_what_the_script_says(first_spikes: Path, tmp_path: Path) -> None:
    artefact = copy(first_spikes, tmp_path / "artefact")
    (artefact / "chip.pbin").write_text(
        '{"v_rest": 80, "v_reset": 80, "v_thresh": 150, "tau_m": 6, "tau_syn_E": 6, "tau_syn_I": 6, '
        '"tau_refrac": 24, "i_synin_gm_E": 550, "i_synin_gm_I": 550, "synapse_dac_bias": 1000}'
    )
    found, said = run(artefact, "run_pynn.py", "--calib", str(artefact / "chip.pbin"))
    assert "is not used" in said and scores(found)["same class as the ideal chip"] == 1.0


def test_the_scale_search_finds_what_a_weaker_chip_needs(first_spikes: Path) -> None:
    _, said = run(first_spikes, "run_pynn.py", "--scale-search", weight_scale=78 * 1.25)
    best = float(said.split("best: --scale ")[1].split()[0])
    assert best > 1.0  # 1.25 gives the spikes of expected.npz; few samples decide differently before
    assert "samples without a say in the scale" in said
    plain, _ = run(first_spikes, "run_pynn.py", weight_scale=78 * 1.25)
    scaled, _ = run(first_spikes, "run_pynn.py", "--scale", "1.25", weight_scale=78 * 1.25)
    late = "layer0: first spikes late, mean, us"
    assert abs(scores(scaled)[late]) < 0.2 * abs(scores(plain)[late])


def test_another_chip_gives_other_spikes(first_spikes: Path) -> None:
    found, _ = run(first_spikes, "run_pynn.py", profile="delgrad", seed=3)
    assert scores(found)["layer0: first spikes late, mean, us"] > 0.05


# -- spoiled artefacts -------------------------------------------------------------------------------------------


def test_a_weight_of_64_is_refused(first_spikes: Path, tmp_path: Path) -> None:
    artefact = copy(first_spikes, tmp_path / "artefact")
    with np.load(artefact / "weights.npz") as file:
        weights = file["input-layer0.weights"].copy()
    weights[0, 0] = 64
    change(artefact, "weights.npz", **{"input-layer0.weights": weights})
    for script in ("run_pynn.py", "run_hxtorch.py"):
        with pytest.raises(SystemExit, match="a synapse has 6 bits"):
            run(artefact, script, "--dry-run")


def test_a_delay_is_refused(first_spikes: Path, tmp_path: Path) -> None:
    artefact = copy(first_spikes, tmp_path / "artefact")
    edit(artefact, "run_pynn.py", "float(weights[j, i]), 0.0)", "float(weights[j, i]), 1.0)")
    with pytest.raises(ValueError, match="delay unequal 0"):
        run(artefact, "run_pynn.py")


def test_the_wrong_sign_is_refused(first_spikes: Path, tmp_path: Path) -> None:
    artefact = copy(first_spikes, tmp_path / "artefact")
    edit(artefact, "run_pynn.py", "float(weights[j, i])", "abs(float(weights[j, i]))")
    with pytest.raises(ValueError, match="negative for inhibitory"):
        run(artefact, "run_pynn.py")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("tau_m=layer", "tau_mem=layer", "no parameter .'tau_mem'."),
        ("tau_syn_E=layer[\"tau_syn_us\"]", "tau_syn_E=31.0", "tau_syn_E = 31.0 is out of its range"),
        ("tau_refrac=layer[\"refractory_us\"]", "tau_refrac=33.0", "tau_refrac = 33.0 is out of its range"),
        ("[merged[0] for merged in circuits]", "[0 for merged in circuits]", "distinct circuits"),
    ],
)  # fmt: skip
def test_what_the_interface_does_not_take_is_refused(
    first_spikes: Path, tmp_path: Path, old: str, new: str, words: str
) -> None:
    artefact = copy(first_spikes, tmp_path / "artefact")
    edit(artefact, "run_pynn.py", old, new)
    with pytest.raises(ValueError, match=words):
        run(artefact, "run_pynn.py")


def test_weights_of_another_network_are_noticed(first_spikes: Path, stepped: Path, tmp_path: Path) -> None:
    artefact = copy(first_spikes, tmp_path / "artefact")
    other = artefacts.write(artefacts.first_spike_graph([10, 12, 3], seed=5), tmp_path / "other")
    (artefact / "weights.npz").write_bytes((other / "weights.npz").read_bytes())
    found, _ = run(artefact, "run_pynn.py")
    assert scores(found)["layer0: first spikes late, largest, us"] > 0.1
    (artefact / "weights.npz").write_bytes((stepped / "weights.npz").read_bytes())
    with pytest.raises(KeyError):
        run(artefact, "run_pynn.py")


def test_a_missing_file_is_named(first_spikes: Path, tmp_path: Path) -> None:
    artefact = copy(first_spikes, tmp_path / "artefact")
    (artefact / "weights.npz").unlink()
    with pytest.raises(SystemExit, match=r"weights\.npz is missing"):
        run(artefact, "run_pynn.py", "--dry-run")


def test_without_the_chip_s_software_the_script_says_where_to_run(
    first_spikes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artefacts, "FOLDER", first_spikes)
    with pytest.raises(SystemExit, match="EBRAINS"):
        run(first_spikes, "run_pynn.py")


def test_calibration_targets_are_per_circuit(first_spikes: Path) -> None:
    _, said = run(first_spikes, "calibrate.py", "--dry-run")
    assert "tau_mem_s" in said and "6e-06" in said and "i_synin_gm" in said
    assert dataclasses.asdict(artefacts.target().analog)["i_synin_gm"] == 550
