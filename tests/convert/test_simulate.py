from __future__ import annotations

import pytest
import torch

from lightning_neuro.convert import DEFAULT, convert, simulate
from lightning_neuro.convert.kernels import Neurons, average, fire, fire_plain
from lightning_neuro.convert.simulate import input_spikes
from lightning_neuro.convert.spiking import equal_grids
from lightning_neuro.errors import DataError
from tests.convert.networks import cnn, images, mlp, residual, vectors

MARKS = (1, 2, 5, 8)


def run(network, x, steps=MARKS, **changes):
    arguments = {"first_id": 0, "dtype": torch.float64, "layers": None, "count": True}
    return simulate(network, x, steps, **(arguments | changes))


@pytest.mark.parametrize("schedule", ["synchronous", "pipelined", "layer_sequential"])
@pytest.mark.parametrize("coding", ["analog", "deterministic", "bernoulli"])
def test_one_run_holds_the_answer_for_every_number_of_steps(schedule: str, coding: str) -> None:
    network = convert(residual(), [images(30)], DEFAULT.replace(schedule=schedule, input=coding)).network
    x = images(10, seed=3)
    together = run(network, x)
    for k, mark in enumerate(MARKS):
        alone = run(network, x, (mark,))
        torch.testing.assert_close(alone.scores[:, 0], together.scores[:, k])
        for name, counts in alone.counts.items():
            assert torch.equal(counts[:, 0], together.counts[name][:, k])


@pytest.mark.parametrize("coding", ["analog", "bernoulli"])
def test_batches_of_any_size_give_the_same_spikes(coding: str) -> None:
    network = convert(cnn(), [images(30)], DEFAULT.replace(input=coding)).network
    x = images(11, seed=3)
    whole = run(network, x)
    parts = [run(network, part, first_id=start) for start, part in ((0, x[:4]), (4, x[4:10]), (10, x[10:]))]
    assert torch.equal(whole.counts["layer4"], torch.cat([part.counts["layer4"] for part in parts]))


def test_a_pipeline_passes_through_the_states_of_a_synchronous_network() -> None:
    runs = [run(convert(cnn(), [images(30)], DEFAULT.replace(schedule=s)).network, images(9, seed=2))
            for s in ("synchronous", "pipelined")]  # fmt: skip
    assert torch.equal(runs[0].scores, runs[1].scores)


@pytest.mark.parametrize("to_zero", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("given", [1, 7])
def test_the_compiled_neurons_spike_like_the_plain_ones(to_zero: bool, dtype: torch.dtype, given: int) -> None:
    torch.manual_seed(0)
    neurons = Neurons(
        bias=torch.randn(33, dtype=dtype),
        threshold=torch.rand(33, dtype=dtype) + 0.5,
        v_init=torch.rand(33, dtype=dtype),
        to_zero=to_zero,
    )
    drive = torch.randn(5, given, 33, dtype=dtype)
    fast, plain = (f(drive, neurons, 7, (1, 3, 7)) for f in (fire, fire_plain))
    assert torch.equal(fast.spikes, plain.spikes) and torch.equal(fast.counts, plain.counts)
    assert fast.spikes.any()


def test_a_membrane_at_the_threshold_does_not_spike() -> None:
    one = torch.ones(1)
    neurons = Neurons(bias=0 * one, threshold=one, v_init=0.5 * one, to_zero=False)
    assert fire(torch.full((1, 1, 1), 0.5), neurons, 3, ()).spikes.flatten().tolist() == [0, 1, 0]


@pytest.mark.parametrize(("kernel", "stride"), [((2, 2), (2, 2)), ((3, 2), (1, 2)), ((8, 8), (8, 8))])
def test_compiled_pooling_is_average_pooling(kernel: tuple[int, int], stride: tuple[int, int]) -> None:
    x = images(4).double()
    torch.testing.assert_close(average(x, kernel, stride, (0, 0)), torch.nn.functional.avg_pool2d(x, kernel, stride))


@pytest.mark.parametrize("coding", ["deterministic", "bernoulli"])
@pytest.mark.parametrize("x", [vectors(4) - 0.5, 2 * vectors(4)])
def test_values_outside_0_to_1_are_refused_as_spike_rates_in_words(coding: str, x: torch.Tensor) -> None:
    network = convert(mlp(), [vectors(20)], DEFAULT.replace(input=coding)).network
    with pytest.raises(DataError, match="cannot be spike rates"):
        run(network, x)


def test_negative_analog_inputs_are_currents_like_others() -> None:
    ann, x = mlp().eval(), 4 * vectors(30) - 2
    found = run(convert(ann, [x], DEFAULT.replace(steps=64)).network, x, (64,))
    with torch.no_grad():
        wanted = ann(x)
    assert (found.scores[:, 0] / 64 - wanted).abs().max() < 0.1 * wanted.abs().max()


def test_deterministic_spikes_add_up_to_the_value() -> None:
    network = convert(mlp(), [vectors(20)], DEFAULT.replace(input="deterministic")).network
    x = vectors(5)
    assert (input_spikes(network, x, 16, 0).mean(dim=1) - x).abs().max() <= 0.5 / 16 + 1e-6


def test_rates_approach_the_activations_with_more_steps() -> None:
    ann, x = cnn(), images(20, seed=4)
    converted = convert(ann, [images(60)], DEFAULT.replace(norm="max", bias_samples=0))
    marks = (4, 32, 256)
    found = run(converted.network, x, marks)
    with torch.no_grad():
        wanted = ann.double()[:-1](x.double())
    errors = [float((found.scores[:, k] / mark - wanted).abs().max()) for k, mark in enumerate(marks)]
    assert errors[0] > 4 * errors[1] > 16 * errors[2]


def test_bias_calibration_removes_the_mean_error_of_every_channel() -> None:
    x = images(64)
    errors = []
    for samples in (0, 64):
        options = DEFAULT.replace(steps=2, bias_samples=samples)
        converted = convert(cnn(), [x], options)
        found = run(converted.network, x, (2,))
        with torch.no_grad():
            wanted = cnn()[:-1](x)
        errors.append(float((found.scores[:, 0] / 2 - wanted).mean(dim=0).abs().max()))
    assert errors[1] < 1e-4 < errors[0]


def test_channels_are_scaled_so_that_one_lsb_suits_all() -> None:
    torch.manual_seed(0)
    weights = torch.randn(6, 40).double() * torch.tensor([1.0, 10.0, 0.1, 3.0, 0.0, 1.0]).double()[:, None]
    scaled = weights * equal_grids(weights, weights.abs().sum(dim=1) + 1e-3, 8)[:, None]
    peaks = scaled[[0, 1, 2, 3, 5]].abs().amax(dim=1)
    assert peaks.max() / peaks.min() < 1.5


def test_a_channel_of_tiny_weights_does_not_blow_up_its_threshold() -> None:
    torch.manual_seed(0)
    weights, thresholds = torch.randn(6, 40).double(), torch.ones(6).double()
    weights[2] *= 1e-9
    scaled = thresholds * equal_grids(weights, thresholds, 8)
    assert scaled.max() < 5 * scaled.median()


def test_scaling_channels_changes_no_spike() -> None:
    x = images(20)
    counts = [run(convert(cnn(), [x], DEFAULT.replace(weight_bits=b)).network, x).counts["layer9"] for b in (2, 8)]
    assert torch.equal(*counts)


def test_with_reset_to_zero_a_spike_is_worth_what_brings_rates_to_activations() -> None:
    """A constant drive of 0.6 thresholds fires in every second step, not in 6 of 10: rates are too low."""
    x = images(64)
    with torch.no_grad():
        wanted = cnn()[:-1](x)
    errors = []
    for samples in (0, 64):
        options = DEFAULT.replace(steps=16, reset="zero", bias_samples=samples)
        found = run(convert(cnn(), [x], options).network, x, (16,))
        errors.append(float((found.scores[:, 0] / 16 - wanted).square().mean().sqrt()))
    assert errors[1] < 0.5 * errors[0]
