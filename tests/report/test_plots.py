import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from lightning_neuro.report import Plot
from lightning_neuro.report.plots import (
    activity,
    cycles_histogram,
    membrane_traces,
    spike_raster,
    weight_histograms,
)

RNG = np.random.default_rng(0)
RASTERS = {
    "input": RNG.random((16, 64)) < 0.25,
    "hidden": RNG.random((16, 128)) < 0.1,
    "output": RNG.random((16, 10)) < 0.2,
}
MEMBRANE = RNG.integers(-300, 300, (16, 10))
WEIGHTS = {"hidden": RNG.normal(0, 0.3, (128, 64))}


def rounded(step: float) -> dict[str, np.ndarray]:
    return {name: np.round(weights / step) * step for name, weights in WEIGHTS.items()}


PLOTS: dict[str, Callable[[], Plot]] = {
    "raster": lambda: spike_raster(RASTERS, np.arange(10), "spike count", 9),
    "raster without a label": lambda: spike_raster(RASTERS, np.arange(10), "spike count", None),
    "silent raster": lambda: spike_raster({"input": np.zeros((4, 3))}, np.zeros(2), "spike count", 0),
    "membranes": lambda: membrane_traces(MEMBRANE, RASTERS["output"], np.full(10, 250), "output", "LSB"),
    "read-out membranes": lambda: membrane_traces(MEMBRANE, np.zeros((16, 10)), None, "output", "LSB"),
    "one step, many neurons": lambda: membrane_traces(
        np.zeros((1, 300)), np.zeros((1, 300)), np.ones(300), "output", "LSB"
    ),
    "weights": lambda: weight_histograms(WEIGHTS, rounded(0.05)),
    "16-bit weights": lambda: weight_histograms(WEIGHTS, rounded(2**-15)),
    "weights all zero": lambda: weight_histograms({"a": np.zeros((2, 2))}, {"a": np.zeros((2, 2))}),
    "activity": lambda: activity({name: raster.mean(axis=0) for name, raster in RASTERS.items()}),
    "no activity": lambda: activity({"hidden": np.zeros(5)}),
    "cycles": lambda: cycles_histogram(RNG.integers(600, 1100, 20), 100e6),
    "one sample's cycles": lambda: cycles_histogram(np.array([612]), 100e6),
}


@pytest.mark.parametrize("draw", PLOTS.values(), ids=PLOTS.keys())
def test_plot_is_a_picture_with_something_on_it(draw: Callable[[], Plot]) -> None:
    plot = draw()
    with Image.open(io.BytesIO(plot.png)) as picture:
        assert picture.format == "PNG" and picture.width > 600
        assert len(set(picture.convert("L").resize((60, 40)).tobytes())) > 3
    assert plot.title and plot.caption.endswith(".")


def test_same_arrays_give_the_same_bytes() -> None:
    cycles = np.array([612, 700, 840])
    assert cycles_histogram(cycles, 100e6) == cycles_histogram(cycles, 100e6)


def test_raster_caption_tells_answer_and_label() -> None:
    caption = spike_raster(RASTERS, np.array([0, 5, 1]), "spike count", 2).caption
    assert "answers 1" in caption and "label says 2" in caption


def test_wrong_answer_has_another_colour_than_a_right_one() -> None:
    right, wrong = (spike_raster(RASTERS, np.array([0, 5, 1]), "spike count", label) for label in (1, 2))
    assert right.png != wrong.png


def test_cycles_caption_gives_the_latency_at_the_stated_clock() -> None:
    assert "8.4 µs at 100 MHz" in cycles_histogram(np.array([800, 840, 900]), 100e6).caption


def test_layers_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="are not the rounded layers"):
        weight_histograms(WEIGHTS, {"output": np.zeros(3)})
