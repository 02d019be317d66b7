"""Virtual chips from recordings: a drawn chip is found again; a real one is foretold on samples the fit never saw."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.errors import DataError, GraphError, NeuroError
from lightning_neuro.neurons.chip_profiles import PROFILES
from lightning_neuro.targets.brainscales.chip_file import named_profile, read_chip, read_profile, write_chip
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork
from lightning_neuro.targets.brainscales.emulator import emulate
from lightning_neuro.targets.brainscales.fit import FitOptions, fit_chip, score_chip
from lightning_neuro.targets.brainscales.fit_command import OPTIONS, fit_and_score, main
from lightning_neuro.targets.brainscales.fit_model import chip_of, jacobian, modelled_spikes, start
from lightning_neuro.targets.brainscales.recording import events_of
from lightning_neuro.targets.brainscales.recordings import read_recording
from lightning_neuro.targets.brainscales.virtual_chip import FACTORS, draw_chips, ideal_chip
from tests.depth import thorough
from tests.targets.brainscales.chip_networks import chip_chain

SILICON = "bss2/yinyang_chip_w66f3_train.npz"


def once(sizes: list[int], threshold: float) -> ChipNetwork:
    """A random chain whose neurons spike once, and not all of them."""
    network = chip_chain(sizes, seed=2)
    layers = tuple(
        dataclasses.replace(layer, refractory_us=100.0, threshold=threshold, tau_mem_us=9.0) for layer in network.layers
    )
    return dataclasses.replace(network, layers=layers, sample_us=60.0)


def times_of(samples: int, lines: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(1.0, 12.0, (samples, lines))


def test_derivatives_are_the_differences_of_spike_times() -> None:
    network, times = once([6, 8, 4], 0.1), times_of(8, 6)
    random = np.random.default_rng(1)
    values = start(network) + 0.05 * random.standard_normal(len(start(network)))
    known = modelled_spikes(network, times, values)
    slopes = jacobian(network, known, values, "layer2")
    assert np.isfinite(known["layer2"]).sum() > 14 and (np.abs(slopes).max((0, 1)) > 0).sum() > 50
    small = 1e-6
    for unknown in range(0, len(values), 3):
        step = small * (np.arange(len(values)) == unknown)
        up, down = (modelled_spikes(network, times, values + sign * step)["layer2"] for sign in (1, -1))
        spiked = np.isfinite(up) & np.isfinite(down) & (np.abs(slopes).max(2) < 50)
        differences = (up[spiked] - down[spiked]) / (2 * small)
        np.testing.assert_allclose(slopes[:, :, unknown][spiked], differences, rtol=1e-3, atol=1e-4)


def test_a_fit_foretells_a_drawn_chip_on_new_inputs() -> None:
    network, times = once([8, 6], 0.15), times_of(300, 8)
    quiet = dataclasses.replace(PROFILES["measured-w66f3"], jitter_us=0.0)
    real = draw_chips(network, quiet, chips=1, seed=3)[0]
    (seen, recorded), (unseen, wanted) = (
        (events, emulate(network, events, [real], run=0)[0].spikes) for events in map(events_of, np.split(times, 2))
    )
    options = FitOptions(steps=12, prior=0.3, synapse_prior=0.01, noise_us=0.01)
    found = fit_chip(network, seen, recorded, options, grid_us=0.008)
    before = score_chip(network, unseen, wanted["layer1"], ideal_chip(network))
    after = score_chip(network, unseen, wanted["layer1"], found)
    assert after.std_us < 0.1 * before.std_us and after.same_class > max(0.98, before.same_class)
    assert found.jitter_us < 0.02


@thorough
def test_on_real_spikes_an_unfitted_chip_is_as_good_as_the_literature_says_and_a_fitted_one_much_better(
    shared_data: Path,
) -> None:
    path = shared_data / SILICON
    if not path.is_file():
        pytest.skip(f"no recording {path}")
    chip, fitted, ideal = fit_and_score(read_recording(path), OPTIONS, share=0.3, quiet=True)
    assert 0.74 <= ideal.same_class <= 0.78 and 0.75 <= ideal.std_us <= 0.87
    assert fitted.same_class >= 0.87 and fitted.std_us <= 0.45
    assert 0.15 < chip.jitter_us < 0.35


def test_a_chip_survives_its_file(tmp_path: Path) -> None:
    network, inputs = once([6, 5, 3], 0.15), events_of(times_of(20, 6))
    random = np.random.default_rng(1)
    values = start(network) + 0.05 * random.standard_normal(len(start(network)))
    chip = dataclasses.replace(chip_of(network, values, 0.008), jitter_us=0.1)
    write_chip(chip, "a test", tmp_path / "chip.json")
    again = read_chip(tmp_path / "chip.json")
    first, second = (emulate(network, inputs, [c], run=0)[0].spikes["layer2"].time_us for c in (chip, again))
    np.testing.assert_array_equal(first, second)
    profile = read_profile(tmp_path / "chip.json")
    every = np.concatenate([layer.tau_mem for layer in chip.layers.values()])
    assert profile.source == "a test" and profile.tau_mem.std == pytest.approx(every.std(), abs=1e-6)
    assert set(FACTORS) <= {field.name for field in dataclasses.fields(profile)}


@pytest.mark.parametrize("text", ["", "{}", '{"kind": "lightning-neuro virtual BrainScaleS-2 chip"}'])
def test_other_files_are_no_chips(text: str, tmp_path: Path) -> None:
    path = tmp_path / "chip.json"
    path.write_text(text)
    with pytest.raises(DataError, match="no file of a fitted chip"):
        read_chip(path)


def test_the_command_writes_a_chip_and_says_how_good_it_is(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    network, times = once([8, 6], 0.4), times_of(80, 8) / 6.0
    network = dataclasses.replace(network, layers=(dataclasses.replace(network.layers[0], tau_mem_us=6.0),))
    weights = network.projections[0].weights.T / 78.0
    real = draw_chips(network, PROFILES["delgrad"], chips=1, seed=1)[0]
    recorded = emulate(network, events_of(times * 6.0), [real], run=0)[0].spikes["layer1"]
    spikes = np.full((80, 6), np.inf)
    spikes[recorded.sample, recorded.neuron] = recorded.time_us / 6.0
    arrays = {"inputs": times, "chip_spike_times": spikes, "w0": weights, "threshold": 0.4}
    np.savez(tmp_path / "spikes.npz", **arrays, weight_lsb=1 / 78, tau_us=6.0)
    assert main([str(tmp_path / "spikes.npz"), "--out", str(tmp_path / "chip.json"), "--steps", "4"]) == 0
    assert "same class" in capsys.readouterr().out
    assert read_chip(tmp_path / "chip.json").layers["layer1"].tau_syn.shape == (6,)


def test_the_command_refuses_what_is_no_recording(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    np.savez(tmp_path / "spikes.npz", inputs=np.zeros((3, 2)))
    assert main([str(tmp_path / "spikes.npz"), "--out", str(tmp_path / "chip.json")]) == 2
    assert "no recording of a chip" in capsys.readouterr().err


def test_neurons_that_spike_often_are_refused() -> None:
    network, inputs = chip_chain([6, 4]), events_of(times_of(5, 6))
    network = dataclasses.replace(network, layers=(dataclasses.replace(network.layers[0], refractory_us=1.0),))
    with pytest.raises(GraphError, match="first spikes"):
        fit_chip(network, inputs, {"layer1": inputs}, OPTIONS, grid_us=0.0)


def test_a_profile_is_a_name_or_the_file_of_a_fitted_chip(tmp_path: Path) -> None:
    network = once([6, 5], 0.15)
    write_chip(draw_chips(network, PROFILES["measured-w66f3"], chips=1, seed=0)[0], "a test", tmp_path / "chip.json")
    assert named_profile("delgrad", "target.profile") is PROFILES["delgrad"]
    assert named_profile(str(tmp_path / "chip.json"), "target.profile").source == "a test"
    for wrong, words in (("other", "no profile of a chip"), ("missing.json", "no file of a fitted chip")):
        with pytest.raises(NeuroError, match=words):
            named_profile(wrong, "target.profile")
