import math

import numpy as np
import pytest

from lightning_neuro.report.wording import duration, engineering, flat, number, total_seconds


@pytest.mark.parametrize("value", [None, math.nan, np.float32("nan"), math.inf])
def test_unknown_number_is_a_dash(value: object) -> None:
    assert number(value) == "\N{EN DASH}"


def test_numbers_of_numpy_read_like_numbers_of_python() -> None:
    assert number(np.int64(92565)) == number(92565) == "92,565"
    assert number(np.array([1, 2])) == "1, 2"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 ms"), (0.9996, "1.0 s"), (59.96, "1 min 0 s"), (3599.6, "60 min 0 s")]
)
def test_duration_never_shows_sixty_seconds(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1e-12, "0.001 ns"), (999.0, "999 s"), (-2e-3, "-2 ms"), (math.nan, "\N{EN DASH}")]
)
def test_engineering_covers_the_edges(value: float, text: str) -> None:
    assert engineering(value, "s") == text


def test_units_are_taken_from_keys_at_any_depth() -> None:
    resources = {"fpga": {"clock_hz": 1e8, "latency_s": 2.5e-5, "bus_mhz": 2400, "delay_us": 25}}
    assert dict(flat(resources)) == {
        "fpga clock": "100 MHz",
        "fpga latency": "25 µs",
        "fpga bus": "2.4 GHz",
        "fpga delay": "25 µs",
    }


def test_long_list_is_told_by_its_range() -> None:
    assert number(list(range(100, 120))) == "20 values, 100 to 119"
    assert number(["a"] * 20) == ", ".join(["a"] * 20)


def test_total_is_not_added_to_its_parts() -> None:
    assert total_seconds({"write": 1.0, "total": 3.0}) == 3.0
