from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.errors import ConfigError
from lightning_neuro.graph import golden
from lightning_neuro.graph.calibrate import membrane_ranges, quantize_network
from lightning_neuro.graph.hardware_graph import ReadoutKind, ResetKind, Values
from lightning_neuro.graph.quantize import best_lsb
from lightning_neuro.graph.stored import StoredQuantization
from lightning_neuro.graph.widths import QuantizeSpec
from tests.graph.networks import chain, quantized_chain, spikes


def spec(weight_bits: int = 6, state_bits: int = 12, leak_bits: int = 8) -> QuantizeSpec:
    return QuantizeSpec(weight_bits=weight_bits, state_bits=state_bits, leak_bits=leak_bits)


def labelled(raster: np.ndarray) -> SpikeSet:
    return SpikeSet(spikes=raster, labels=np.zeros(len(raster), np.int64))


def test_wide_integers_repeat_the_float_network() -> None:
    graph = chain([30, 20, 10])
    quantized, _ = quantize_network(graph, spec(16, 30, 16), None)
    raster = spikes(50, 16, 30)
    real = golden.run(graph, raster, arithmetic="real", record=True)
    fixed = golden.run(quantized, raster, arithmetic="fixed", record=True)
    differing = np.mean(real.spikes["layer2"] != fixed.spikes["layer2"])
    assert real.spikes["layer2"].any() and differing < 0.002


def test_every_raw_value_fits_its_format() -> None:
    for state_bits in (4, 6, 8, 12):
        graph = quantized_chain([10, 8, 4], weight_bits=3, state_bits=state_bits)
        for population in graph.populations:
            assert population.state_format is not None
            high = population.state_format.high
            assert 0 < population.neuron.threshold.integers().max() < high  # a spike must remain possible
        for projection in graph.projections:
            raw = projection.connection.weight.integers()
            assert raw.min() >= -4 and raw.max() <= 3


def test_the_weight_lsb_beats_plain_scaling_by_the_largest_weight() -> None:
    weights = np.random.default_rng(0).standard_t(3, 4000)
    best, plain = best_lsb(weights, 4), float(np.abs(weights).max()) / 7
    error = lambda lsb: np.square(np.clip(np.rint(weights / lsb), -8, 7) * lsb - weights).sum()  # noqa: E731
    assert error(best) < 0.7 * error(plain)


def test_silent_weights_get_some_scale() -> None:
    assert best_lsb(np.zeros(5), 6) == 1.0


def test_a_bias_has_the_membranes_resolution() -> None:
    graph = chain([10, 8])
    population = dataclasses.replace(graph.populations[0], bias=Values(real=np.linspace(-0.4, 0.4, 8)))
    quantized, stored = quantize_network(dataclasses.replace(graph, populations=(population,)), spec(), None)
    state = stored.formats["layer1"].state
    bias = quantized.populations[0].bias
    assert state is not None and state.lsb < stored.formats["layer1"].weight.lsb
    np.testing.assert_allclose(bias.real, population.bias.real, atol=state.lsb / 2 + 1e-12)
    assert (bias.integers() * state.lsb == bias.real).all()


def test_calibration_narrows_a_readout_that_worst_cases_would_coarsen() -> None:
    graph = chain([40, 10], kind=ResetKind.NONE, readout=ReadoutKind.MEMBRANE_MAX)
    calibration = labelled(spikes(30, 16, 40, rate=0.05))
    lsb = lambda c: quantize_network(graph, spec(), c)[1].formats["layer1"].state.lsb  # noqa: E731
    assert membrane_ranges(graph, calibration)["layer1"] > 0
    assert lsb(calibration) <= lsb(None) / 2


def test_uncalibrated_readouts_never_saturate() -> None:
    graph = quantized_chain([40, 10], kind=ResetKind.NONE, readout=ReadoutKind.MEMBRANE_MAX, state_bits=14)
    population = graph.populations[0]
    recording = golden.run(graph, np.ones((1, 16, 40), np.uint8), arithmetic="fixed", record=True)
    assert np.abs(recording.membrane["layer1"]).max() < population.state_format.high  # type: ignore[union-attr]


def test_stored_formats_repeat_the_same_integers() -> None:
    graph = chain([12, 9, 4])
    quantized, stored = quantize_network(graph, spec(), labelled(spikes(9, 16, 12)))
    again = StoredQuantization.from_plain(stored.to_plain()).apply(graph)
    for a, b in zip(quantized.projections, again.projections, strict=True):
        assert (a.connection.weight.integers() == b.connection.weight.integers()).all()


def test_stored_integers_of_other_weights_are_noticed() -> None:
    _, stored = quantize_network(chain([12, 9, 4]), spec(), None)
    with pytest.raises(ValueError, match="do not belong"):
        stored.apply(chain([12, 9, 4], seed=1))


def test_a_current_without_decay_is_refused() -> None:
    with pytest.raises(ConfigError, match="without decay"):
        quantize_network(chain([5, 3], alpha=0.9999), spec(leak_bits=4), None)


@pytest.mark.parametrize("widths", [(1, 12, 8), (17, 12, 8), (6, 3, 8), (6, 33, 8), (6, 12, 0), (6.5, 12, 8)])
def test_impossible_widths_are_refused(widths: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match="must be an integer"):
        spec(*widths)


def test_formats_without_integers_round_the_same_weights_to_the_same_integers() -> None:
    graph = chain([12, 9, 4])
    quantized, stored = quantize_network(graph, spec(), labelled(spikes(9, 16, 12)))
    again = StoredQuantization.from_json(stored.to_json()).apply(graph)
    for a, b in zip(quantized.projections, again.projections, strict=True):
        assert (a.connection.weight.integers() == b.connection.weight.integers()).all()


def test_weights_trained_on_a_grid_keep_it() -> None:
    step, rng = 1 / 30, np.random.default_rng(0)
    raw = rng.integers(-40, 64, 500)
    assert best_lsb(raw * step, 8) == pytest.approx(step)
    assert best_lsb(raw * step, 7) == pytest.approx(step)
    assert best_lsb(raw * step, 6) != pytest.approx(step)  # 63 steps do not fit
    assert best_lsb(raw * step + 0.01 * rng.normal(size=500), 8) != pytest.approx(step)
