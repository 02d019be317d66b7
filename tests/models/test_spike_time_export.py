"""First-spike networks of torch as NIR: every option of the network, proved by its times."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.graph import golden
from lightning_neuro.graph.export import lowered, proved
from lightning_neuro.models.spike_time import SpikeTimeClassifier
from tests.models.test_spike_time import classifier

CODING = {"kind": "first_spike", "t_late": 2.0}
NOISE = {"threshold_mean": 0.1, "threshold_fixed": 0.1, "threshold_batch": 0.1, "threshold_sample": 0.1, "jitter": 0.1}
CASES = {
    "plain": {},
    "no bias": {"bias_times": [[], []]},
    "bias of later layers": {"bias_times": [[0.9], [0.9, 1.1]]},
    "three layers": {
        "layers": [4, 9, 7, 3], "bias_times": [[0.9], [0.5], [0.9, 0.5]], "weight_mean": 1.0, "weight_std": 0.8,
        "delays": ["synaptic", "none", "dendritic"],
    },
    "repeated inputs": {"input_repetition": 3, "bias_times": [[0.9], [0.9]], "weight_mean": [0.5, 0.5]},
    "axonal": {"delays": "axonal"},
    "synaptic": {"delays": "synaptic", "bias_times": [[0.9], [0.4]]},
    "dendritic": {"delays": "dendritic"},
    "double time constant": {"tau_ratio": 2.0},
    "any time constant": {"tau_ratio": 1.7, "tau_syn": 3e-3},
    "grid": {"weight_step": 1 / 16, "weight_max": 2.0},
    "hardware": {"noise": NOISE},
}  # fmt: skip


def sample(count: int = 30) -> torch.Tensor:
    times = 0.15 + 1.85 * torch.rand(count, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    times[0, 1] = torch.inf
    return times


@pytest.mark.parametrize("case", CASES)
def test_the_file_repeats_the_times_of_torch(case: str, tmp_path: Path) -> None:
    model = classifier(**CASES[case])
    description = model.describe_itself(sample(), CODING)
    comparison = proved(description, tmp_path / "x.nir")
    assert comparison.mismatches == 0 and comparison.slots == 30 * sum(model.hparams["layers"][1:])
    assert all(np.isfinite(times).any() for times in description.spikes.values())


def own_times(model: SpikeTimeClassifier) -> list[np.ndarray]:
    with torch.no_grad():
        return [times.numpy() * model.hparams["tau_syn"] for times in model.layer_times(sample())]


@pytest.mark.parametrize("case", [name for name in CASES if name != "hardware"])
def test_the_golden_model_on_all_input_lines_repeats_the_whole_forward_pass(case: str) -> None:
    model = classifier(**CASES[case])
    graph = lowered(model.describe_itself(sample(), CODING))
    found = golden.run(graph, model.input_lines(sample().numpy()), arithmetic="event")
    for wanted, got in zip(own_times(model), found.times.values(), strict=True):
        assert np.array_equal(np.isinf(got), np.isinf(wanted))
        finite = np.isfinite(got)
        assert np.allclose(got[finite], wanted[finite], rtol=0, atol=1e-9 * model.hparams["tau_syn"])


def test_hardware_noise_that_changes_stays_out_and_its_fixed_pattern_goes_in() -> None:
    model = classifier(noise=NOISE)
    first, second = (model.describe_itself(sample(), CODING) for _ in range(2))
    assert np.array_equal(first.spikes["layer0"], second.spikes["layer0"])
    thresholds = lowered(first).populations[0].neuron.threshold.real
    assert len(set(thresholds.tolist())) == 20


def test_a_bias_time_that_a_line_has_already_is_not_given_twice() -> None:
    lines = classifier(bias_times=[[0.9], [1.1, 0.9]]).input_lines(sample().numpy())
    assert lines.shape == (30, 6) and np.allclose(lines[:, 4:], [0.009, 0.011])
    repeated = classifier(bias_times=[[0.9], [0.9]], input_repetition=2, weight_mean=0.5).input_lines(sample().numpy())
    assert repeated.shape == (30, 10)


def test_a_sample_ends_when_all_potentials_of_late_inputs_have_peaked() -> None:
    for changes, taus in (({}, 4.0), ({"tau_ratio": 2.0}, 5.0)):
        graph = lowered(classifier(**changes).describe_itself(sample(), CODING))
        assert graph.horizon_s == pytest.approx(taus * 1e-2)
    late = lowered(classifier(delays="dendritic").describe_itself(sample(), CODING))
    assert 0.045 < (late.horizon_s or 0) < 0.06


def test_times_survive_in_a_checkpoint() -> None:
    lines = SpikeTimeSet(times=classifier().input_lines(sample().numpy()), labels=np.zeros(30, np.int64))
    again = SpikeTimeSet.unpack(lines.pack())
    assert np.array_equal(again.times, lines.times) and np.isinf(again.times).sum() == 1
