"""Our reading of a convolution's connector against the program that sPyNNaker ships (``record_convolutions.py``)."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_neuro.targets.spinnaker.kernels import reached, unpack
from tests.targets.spinnaker.record_convolutions import DELAY_SLOTS, connector_words

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("convolutions.json").read_text())


def found(case: dict[str, Any]) -> Counter[tuple[int, ...]]:
    """Sums of weights by spike, slot of the ring buffer, receptor and neuron."""
    words = np.array(connector_words(case), np.uint32)
    kernel = unpack(words, np.array(case["weights"]), DELAY_SLOTS)
    rows, columns = np.divmod(np.arange(np.prod(case["source"])), case["source"][1])
    sums: Counter[tuple[int, ...]] = Counter()
    for spike, row, column, weight in zip(*(part.tolist() for part in reached(kernel, rows, columns)), strict=True):
        if 0 <= row < case["target"][0] and 0 <= column < case["target"][1]:
            place = row * case["target"][1] + column
            sums[spike, kernel.delay, int(weight < 0), place] += abs(weight)
    return sums


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case['kernel']} stride {case['stride']} pool {case['pool']}"
)
def test_every_spike_reaches_what_it_reaches_in_the_program(case: dict[str, Any]) -> None:
    assert found(case) == Counter({tuple(entry[:4]): entry[4] for entry in case["reached"]})


def test_the_recorded_cases_cover_odd_and_even_kernels_strides_and_pooling() -> None:
    assert {k % 2 for case in CASES for k in case["kernel"]} == {0, 1}
    assert {step for case in CASES for step in case["stride"]} == {1, 2, 3}
    assert {size for case in CASES for size in case["pool"]} == {1, 2, 3}
    assert sum(len(case["reached"]) for case in CASES) > 1000


def torch_convolution(case: dict[str, Any]) -> Counter[tuple[int, ...]]:
    """The same by the definition: a kernel that meets the map from its near end, given reversed to the connector."""
    height, width = case["kernel"]
    kernel = np.flip(np.array(case["weights"][: height * width]).reshape(height, width))
    sums: Counter[tuple[int, ...]] = Counter()
    for spike in range(int(np.prod(case["source"]))):
        y, x = (n // pool for n, pool in zip(divmod(spike, case["source"][1]), case["pool"], strict=True))
        for row, column in np.ndindex(*case["target"]):
            i = y + case["padding"][0] - row * case["stride"][0]
            j = x + case["padding"][1] - column * case["stride"][1]
            if 0 <= i < height and 0 <= j < width and kernel[i, j]:
                key = (spike, case["delay"], int(kernel[i, j] < 0), row * case["target"][1] + column)
                sums[key] += abs(int(kernel[i, j]))
    return sums


def test_odd_kernels_without_stride_are_torchs_convolution_and_no_others() -> None:
    plain = [case for case in CASES if all(k % 2 for k in case["kernel"]) and case["stride"] == [1, 1]]
    assert plain
    assert all(torch_convolution(case) == found(case) for case in plain)
    strided = [case for case in CASES if max(case["stride"]) > 1 and max(case["kernel"]) > 1]
    even = [case for case in CASES if not all(k % 2 for k in case["kernel"])]
    assert not any(torch_convolution(case) == found(case) for case in strided)
    assert not any(torch_convolution(case) == found(case) for case in even)
