"""Encoders depend on their arguments alone and put spikes where their definition says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_neuro.data.coding import KINDS, Coding, encode, mix, sample_keys
from lightning_neuro.errors import ConfigError

VALUES = np.linspace(0, 1, 5 * 13, dtype=np.float32).reshape(5, 13)
IDS = np.array([3, 1, 4, 15, 9])


def coding(kind: str, **changes) -> Coding:
    return Coding(
        **({"kind": kind, "steps": 10, "seed": 2, "gain": 1.0, "offset": 0.0, "scale": 1.0} | changes)
    )


def test_dictionary_round_trip_is_exact_and_plain():
    original = coding("rate", gain=0.3, offset=0.1)
    assert Coding.from_dict(original.to_dict()) == original
    assert {type(value) for value in original.to_dict().values()} == {str, int, float}


@pytest.mark.parametrize("kind", ["rate", "rate_deterministic", "latency", "direct"])
def test_encoding_is_independent_of_batch_size_and_order(kind):
    whole = encode(VALUES, coding(kind), IDS, None)
    order = np.array([2, 0, 4])
    assert np.array_equal(encode(VALUES[order], coding(kind), IDS[order], None), whole[order])
    assert whole.dtype == (np.float32 if kind == "direct" else np.uint8)
    assert whole.shape == (5, 10, 13)


def test_random_spikes_change_with_epoch_seed_and_sample():
    values = np.full((1, 400), 0.5, np.float32)
    base = encode(values, coding("rate"), np.array([0]), 0)
    for other in (
        encode(values, coding("rate"), np.array([0]), 1),
        encode(values, coding("rate"), np.array([0]), None),
        encode(values, coding("rate", seed=3), np.array([0]), 0),
        encode(values, coding("rate"), np.array([1]), 0),
    ):
        assert 0.4 < np.mean(other != base) < 0.6


def test_rate_follows_the_intensity_without_correlation():
    p = np.tile(np.array([0, 0.25, 0.7, 1], np.float32), 501)[
        None, :-1
    ]  # 2003 inputs: not a multiple of four
    raster = encode(p, coding("rate", steps=200), np.array([0]), 0)[0]
    for value in (0, 0.25, 0.7, 1):
        assert abs(raster[:, p[0] == value].mean() - value) < 0.005
    half = encode(np.full((1, 64), 0.5, np.float32), coding("rate", steps=20_000), np.array([0]), 0)[0]
    assert np.abs(np.corrcoef(half.T) - np.eye(64)).max() < 0.05


def test_rate_is_the_published_hash_below_the_limit():
    raster = encode(np.array([[0.5] * 5], np.float32), coding("rate", steps=3, seed=7), np.array([11]), 4)
    key = sample_keys(7, 4, np.array([11]))
    for t in range(3):
        for n in range(5):
            with np.errstate(over="ignore"):
                word = mix(key + np.uint64(t * 2 + n // 4) * np.uint64(0x9E3779B97F4A7C15))[0]
            assert raster[0, t, n] == ((int(word) >> (16 * (n % 4))) & 0xFFFF < 32768)


@given(p=st.floats(0, 1, width=32), steps=st.integers(1, 40))
def test_deterministic_rate_spaces_the_rounded_count_evenly(p, steps):
    raster = encode(
        np.array([[p]], np.float32), coding("rate_deterministic", steps=steps), np.array([0]), None
    )
    times = np.flatnonzero(raster[0, :, 0])
    assert len(times) == np.rint(np.float64(np.float32(p)) * steps)
    assert set(np.unique(raster)) <= {0, 1}
    if len(times) > 2:
        assert np.diff(times).max() - np.diff(times).min() <= 1


def test_latency_fires_once_strong_inputs_first_and_zero_never():
    raster = encode(
        np.array([[0, 0.01, 0.5, 1]], np.float32), coding("latency", steps=11), np.array([0]), None
    )[0]
    assert raster.sum(0).tolist() == [0, 1, 1, 1]
    assert raster.argmax(0).tolist()[1:] == [10, 5, 0]


def test_gain_and_offset_act_before_clipping():
    raster = encode(
        np.array([[0.2, 0.9]], np.float32), coding("direct", gain=2.0, offset=-0.1), np.array([0]), None
    )
    np.testing.assert_allclose(raster[0, 0], [0.3, 1.0], rtol=1e-6)


@pytest.mark.parametrize(
    "wrong", [{"kind": "morse"}, {"steps": 0}, {"seed": -1}, {"scale": 0.0}, {"gain": float("nan")}]
)
def test_impossible_codings_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        coding(**({"kind": "rate"} | wrong))


def test_events_encode_nothing():
    assert "events" in KINDS
    with pytest.raises(ConfigError, match="events"):
        encode(VALUES, coding("events"), IDS, None)
