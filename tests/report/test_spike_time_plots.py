"""Pictures of first-spike networks: every one is a PNG that says what it counts, whatever is silent."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_neuro.report import spike_time_plots as plots
from lightning_neuro.report.model import Plot
from lightning_neuro.report.spike_time_pictures import mirrored

pytestmark = pytest.mark.draws

GENERATOR = np.random.default_rng(0)
OUTPUTS = GENERATOR.uniform(0.5, 2.5, (60, 3))
LABELS = np.arange(60) % 3
NAMES = ("a", "b", "c")
SILENT = np.full((60, 3), np.inf)


def is_png(plot: Plot) -> bool:
    return plot.png.startswith(b"\x89PNG") and len(plot.png) > 3000


def test_confusion_counts_right_answers_and_silence():
    answers = np.where(np.arange(60) < 10, -1, LABELS)
    plot = plots.confusion_matrix(LABELS, answers, NAMES)
    assert is_png(plot) and "50 of 60 right (83.33 %)" in plot.caption


def test_class_map_marks_wrong_samples():
    predicted = GENERATOR.integers(-2, 3, (21, 21))
    answers = np.where(np.arange(60) < 6, (LABELS + 1) % 3, LABELS)
    plot = plots.class_map(predicted, GENERATOR.random((60, 2)), LABELS, answers, NAMES)
    assert is_png(plot) and "54 of 60 test samples are right" in plot.caption


@pytest.mark.parametrize("times", [OUTPUTS, SILENT], ids=["spiking", "silent"])
@pytest.mark.filterwarnings("error")
def test_pictures_of_times_survive_silence(times):
    assert is_png(plots.sorted_outputs(times, LABELS, NAMES))
    assert is_png(plots.time_histograms({"input": OUTPUTS, "layer 1": times}, times, LABELS))
    assert is_png(plots.hidden_times({"layer 1": times}))
    assert is_png(plots.time_maps({"a": times[:49, 0].reshape(7, 7), "b": np.full((7, 7), np.nan)}, "maps"))


def test_many_neurons_make_several_rows_of_maps():
    maps = {f"neuron {n}": GENERATOR.random((9, 9)) for n in range(7)}
    small, large = plots.time_maps(dict(list(maps.items())[:3]), "maps"), plots.time_maps(maps, "maps")
    height = [int.from_bytes(plot.png[20:24], "big") for plot in (small, large)]  # from the PNG's header
    assert height[1] > 1.5 * height[0]


def test_weights_and_trajectories_are_drawn_per_layer():
    assert is_png(plots.weight_histograms({"layer 1: weights": GENERATOR.normal(size=(5, 8)), "one": np.ones(3)}))
    assert is_png(plots.trajectories({"layer 1: weights": GENERATOR.normal(size=(12, 5))}))


def test_the_same_numbers_give_the_same_bytes():
    assert plots.sorted_outputs(OUTPUTS, LABELS, NAMES).png == plots.sorted_outputs(OUTPUTS, LABELS, NAMES).png


def test_only_mirrored_inputs_span_a_plane():
    half = GENERATOR.random((9, 2))
    assert mirrored(np.hstack([half, 2.15 - half]))
    assert not mirrored(GENERATOR.random((9, 4))) and not mirrored(half) and not mirrored(np.full((9, 4), np.inf))
