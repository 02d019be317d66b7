"""Draws the history of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lightning_neuro.report.plots import arrange

INK, GRID = "#22262b", "#e6e8eb"
TRAIN, VAL, TEST = "#9aa5b1", "#1f6feb", "#d1495b"
LAYERS = ("#00798c", "#edae49", "#d1495b", "#66a182", "#6c4f9c", "#2e4057")


def draw_curves(epochs: Sequence[Mapping[str, float]], test: Mapping[str, float], path: Path) -> None:
    """Write a picture of loss, accuracy and spike rates over epochs.

    Args:
        epochs: one mapping of logged numbers per epoch ("train/loss", "val/spike_rate/layer1", ...).
        test: numbers of the test; may be empty.
        path: file to write, its suffix chooses the format.
    """
    from matplotlib.figure import Figure  # no pyplot: no global state, no display

    prefix, title, factor = _activity(epochs[-1])
    series = sorted(name for name in epochs[-1] if name.startswith(prefix))
    panels = 3 if series else 2  # an ANN that is converted later does not spike yet
    figure = Figure(figsize=(4 * panels, 3.8), dpi=150, layout="constrained")
    loss, accuracy, *activity = figure.subplots(1, panels)
    _lines(loss, epochs, {"train/loss": ("training", TRAIN), "val/loss": ("validation", VAL)}, "loss")
    _lines(
        accuracy,
        epochs,
        {"train/accuracy": ("training", TRAIN), "val/accuracy": ("validation", VAL)},
        "accuracy (%)",
        100,
    )
    accuracy.set_ylim(bottom=_floor(epochs), top=100.5)
    if "test/accuracy" in test:
        value = 100 * test["test/accuracy"]
        accuracy.axhline(value, color=TEST, lw=1.2, ls=(0, (4, 3)), label=f"test of the best epoch, {value:.2f} %")
        accuracy.legend(frameon=False, fontsize=8, loc="lower right")
    labels = {
        name: (name.rsplit("/", 1)[-1].replace("layer", "layer "), LAYERS[i % len(LAYERS)])
        for i, name in enumerate(series)
    }
    for axes in activity:
        _lines(axes, epochs, labels, title, factor)
        axes.set_ylim(bottom=0)
    arrange(figure)
    figure.savefig(path)


def _activity(epoch: Mapping[str, float]) -> tuple[str, str, float]:
    """Return which numbers tell how much layers fire, the title for them, and the factor to its unit."""
    if any(name.startswith("val/silent/") for name in epoch):
        return "val/silent/", "silent neurons (% of all samples)", 100
    return "val/spike_rate/", "spikes per neuron and step", 1


def _floor(epochs: Sequence[Mapping[str, float]]) -> float:
    """Return where the accuracy axis starts: a little below all but the first tenth of the epochs, in percent.

    The climb from chance would otherwise squeeze the differences that matter into a few pixels.
    """
    values = sorted(
        100 * epoch[name] for epoch in epochs for name in ("train/accuracy", "val/accuracy") if name in epoch
    )
    return max(0.0, values[len(values) // 10] - 2) if values else 0.0


def _lines(axes, epochs, series: Mapping[str, tuple[str, str]], title: str, factor: float = 1.0) -> None:
    """Draw one panel: a line per series, only the grid that helps reading values."""
    for name, (label, color) in series.items():
        points = [(epoch["epoch"] + 1, factor * epoch[name]) for epoch in epochs if name in epoch]
        if points:
            axes.plot(
                *zip(*points, strict=True),
                color=color,
                lw=1.8,
                label=label,
                marker="o" if len(points) == 1 else None,
            )
    axes.set_title(title, loc="left", fontsize=11, color=INK, weight="bold")
    if len(epochs) > 1:
        axes.set_xlim(1, epochs[-1]["epoch"] + 1)
    axes.set_xlabel("epoch", fontsize=9, color=INK)
    axes.grid(axis="y", color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8, labelcolor=INK)
