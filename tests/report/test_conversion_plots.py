"""Pictures of a conversion: valid, not empty, and different when the numbers differ."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_neuro.report import conversion_plots as plots
from lightning_neuro.report.conversion_pictures import groups

pytestmark = pytest.mark.draws

STEPS = (1, 2, 4, 8)


def accuracy(shift: float):
    lines = {"spiking network": np.array([0.2, 0.6, 0.9, 0.97]) - shift}
    return plots.accuracy_over_steps(STEPS, lines, 0.98, 8)


def correlation(shift: float):
    means = {"conv": np.array([0.5, 0.8, 0.9, 0.99]) - shift}
    return plots.correlation_over_steps(STEPS, means, {"conv": np.full(4, 0.05)})


def scatter(shift: float):
    points = {"conv": (np.linspace(0, 1, 50), np.linspace(0, 1, 50) + shift)}
    return plots.correlation_scatter(points, {"conv": 1.0}, 8)


def activity(shift: float):
    return plots.layer_activity(STEPS, {"conv": np.full(4, 0.1 + shift)}, {"conv": np.full(4, 0.02)})


def counts(shift: float):
    shares = {"conv": np.array([0.6 - shift, 0.3 + shift, 0.1, 0.0])}
    return plots.spike_counts(shares, groups(), 8)


def parameters(shift: float):
    row = dict.fromkeys(("ANN weights", "ANN biases", "SNN weights", "SNN biases"), (shift, 1.0))
    return plots.parameter_statistics({"conv": row, "dense": row})


@pytest.mark.parametrize("draw", [accuracy, correlation, scatter, activity, counts, parameters])
def test_a_picture_shows_its_numbers(draw):
    first, same, other = draw(0.0), draw(0.0), draw(0.1)
    assert first.png.startswith(b"\x89PNG") and len(first.png) > 3000
    assert first.png == same.png != other.png
    assert first.title and first.caption.endswith(".")


def test_groups_of_spike_counts_are_named():
    assert groups() == ("0", "1-10", "11-50", "above 50")
