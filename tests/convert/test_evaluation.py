from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_neuro.convert import DEFAULT, convert, evaluate, pearson, spike_histogram, stop_early, weight_statistics
from lightning_neuro.convert.operation_counts import fan_outs, input_fan_out
from lightning_neuro.errors import ConfigError, DataError, GraphError
from tests.convert.networks import cnn, images, mlp, residual, vectors

STEPS = (1, 4, 16)


@pytest.fixture(scope="module")
def converted():
    return convert(cnn(), images(60).split(17), DEFAULT)


def batches(count: int, size: int):
    x, labels = images(count, seed=8), torch.arange(count) % 3
    return list(zip(x.split(size), labels.split(size), strict=True))


def test_accuracy_counts_against_labels_and_the_gap_against_the_ann(converted) -> None:
    found = evaluate(converted, batches(30, 30), STEPS, split_layer=None, analyse=False)
    with torch.no_grad():
        ann = cnn()(images(30, seed=8)).argmax(1).numpy()
    assert (found.ann_classes == ann).all()
    assert found.ann_accuracy == pytest.approx((ann == found.labels).mean())
    np.testing.assert_allclose(found.accuracy + found.gap, found.ann_accuracy)
    assert found.differing.shape == (3,) and found.differing[2] <= found.differing[0]


def test_correlation_rises_towards_one_with_the_number_of_steps(converted) -> None:
    layers = evaluate(converted, batches(30, 30), (2, 64), split_layer=None, analyse=True).layers
    for record in layers.values():
        early, late = np.nanmean(record.correlation, axis=0)
        assert early < late + 1e-3 and late > 0.98


def test_synaptic_operations_count_every_weight_that_a_spike_meets(converted) -> None:
    """Two pooling windows of 2 x 2 lie between; a spike at a corner meets fewer taps of a padded 3 x 3 kernel."""
    reach = fan_outs(converted.network)
    assert reach["layer0"].reshape(4, 8, 8)[0, 0, 0] == 6 * 4 and reach["layer0"].reshape(4, 8, 8)[1, 3, 3] == 6 * 9
    assert (reach["layer4"] == 8).all() and (reach["layer9"] == 3).all()
    assert input_fan_out(converted.network).max() == 4 * 9
    found = evaluate(converted, batches(6, 6), (4,), split_layer=None, analyse=True)
    assert found.synaptic_operations_per_sample[0] > 3 * found.spikes_per_sample[0] > 0
    assert found.analog_operations_per_sample == input_fan_out(converted.network).sum()


def test_a_hybrid_gives_the_ann_its_scores_when_rates_are_activations() -> None:
    converted = convert(residual(), [images(40)], DEFAULT.replace(norm="max", bias_samples=0))
    found = evaluate(converted, batches(20, 7), (512,), split_layer=2, analyse=False)
    with torch.no_grad():
        wanted = residual()(images(20, seed=8)).numpy()
    got = torch.tensor(found.scores[:, 0]).log_softmax(1).numpy()
    np.testing.assert_allclose(got, wanted, atol=0.02)


def test_a_hybrid_must_leave_something_to_spike_and_name_a_layer_that_exists(converted) -> None:
    for split in (0, 4):
        with pytest.raises(ConfigError, match="3 spiking layers"):
            evaluate(converted, batches(3, 3), (4,), split_layer=split, analyse=False)


@pytest.mark.parametrize("steps", [(), (0, 1), (4, 2), (2, 2)])
def test_steps_rise_from_one(converted, steps: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="numbers of steps"):
        evaluate(converted, batches(3, 3), steps, split_layer=None, analyse=False)


def test_nothing_to_calibrate_or_evaluate_on_is_said_in_words(converted) -> None:
    with pytest.raises(DataError, match="no samples"):
        convert(mlp(), [], DEFAULT)
    with pytest.raises(DataError, match="no samples"):
        evaluate(converted, [], (4,), split_layer=None, analyse=False)


def test_what_cannot_be_converted_is_refused_before_calibration() -> None:
    with pytest.raises(GraphError, match="Tanh"):
        convert(torch.nn.Sequential(torch.nn.Linear(12, 3), torch.nn.Tanh()), [vectors(4)], DEFAULT)


def test_pearson_is_that_of_numpy() -> None:
    a, b = torch.rand(3, 50), torch.rand(3, 50)
    np.testing.assert_allclose(pearson(a, b), [np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)], rtol=1e-5)


def test_the_histogram_has_groups_0_1_to_10_11_to_50_and_more() -> None:
    np.testing.assert_allclose(spike_histogram(torch.tensor([0.0, 1, 10, 11, 50, 51, 99, 0])), [2 / 8] * 4)


def test_a_sample_stops_when_its_lead_is_large_enough() -> None:
    scores = np.array([[[5, 0, 1], [0, 9, 0]], [[2, 1, 0], [1, 2, 0]]], np.float32)  # per step, at T = 1 and 4
    assert stop_early(scores, (1, 4), 3.0).classes.tolist() == [0, 1]
    assert stop_early(scores, (1, 4), 3.0).steps.tolist() == [1, 4]
    assert stop_early(scores, (1, 4), 99.0).mean_steps == 4


def test_weight_statistics_are_those_of_the_folded_weights(converted) -> None:
    statistics = weight_statistics(converted)
    assert list(statistics) == ["layer0", "layer4", "layer9", "layer12"]
    weight = cnn()[12].weight.detach()
    assert statistics["layer12"].ann_weight_mean == pytest.approx(float(weight.mean()), abs=1e-6)
    assert statistics["layer12"].ann_weight_variance == pytest.approx(float(weight.var(correction=0)), rel=1e-4)
