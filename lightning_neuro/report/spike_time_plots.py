"""Pictures of a first-spike network, drawn from plain arrays of spike times (units of tau_syn, inf = silent)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.report.model import Plot
from lightning_neuro.report.plots import ACCENT, INK, PALE, QUIET, WARN, make_figure, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]
CLASS_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")
"""Of Okabe and Ito: told apart by people with any kind of colour vision."""
TIME = "spike time (τ_syn)"
SILENT_COLOUR = "#d9dde1"
_MOST_PANELS = 10
_BINS = 60


def class_map(predicted: Array, points: Array, labels: Array, answers: Array, names: Sequence[str]) -> Plot:
    """Draw which class answers where in the plane of two inputs, with the test samples on top.

    Args:
        predicted: [rows, columns] class over the unit square, row 0 at the bottom; -1 = no spike, -2 = outside.
        points: [sample, 2] coordinates, 0..1.
        labels: [sample] right classes.
        answers: [sample] the network's classes, -1 = no spike.
        names: of the classes.
    """
    from matplotlib.colors import to_rgb

    figure = make_figure(5.8, 5.4)
    axes = figure.add_subplot()
    image = np.ones((*predicted.shape, 3))
    for number in range(len(names)):
        image[predicted == number] = 0.45 * np.array(to_rgb(_colour(number))) + 0.55
    image[predicted == -1] = to_rgb(SILENT_COLOUR)
    axes.imshow(image, origin="lower", extent=(0, 1, 0, 1), interpolation="nearest")
    right = answers == labels
    for number, name in enumerate(names):
        mine = right & (labels == number)
        axes.scatter(*points[mine].T, s=5, color=_colour(number), linewidths=0, label=name)
    axes.scatter(*points[~right].T, s=26, marker="x", color=INK, linewidths=1.2, label=f"wrong ({(~right).sum()})")
    axes.set(xlabel="input x", ylabel="input y", xlim=(0, 1), ylim=(0, 1))
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.1), ncols=len(names) + 1, frameon=False)
    caption = f"Background: first class to spike. Dots: {right.sum()} of {len(labels)} test samples are right."
    return titled(figure, "Answers in the plane of the inputs", caption)


def time_maps(maps: Mapping[str, Array], title: str) -> Plot:
    """Draw spike times over the plane of two inputs, one panel per neuron.

    Args:
        maps: [rows, columns] spike times over the unit square by name of the neuron; inf = silent, NaN = outside.
        title: of the picture.
    """
    columns = min(len(maps), 4)
    rows = -(-len(maps) // columns)
    figure = make_figure(0.9 + 2.6 * columns, 0.5 + 2.6 * rows)
    panels = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    finite = np.concatenate([values[np.isfinite(values)] for values in maps.values()] or [np.zeros(1)])
    low, high = np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0)
    image = None
    for axes, (name, values) in zip(panels, maps.items(), strict=False):
        silent = np.where(np.isposinf(values), 0.0, np.nan)
        axes.imshow(silent, origin="lower", extent=(0, 1, 0, 1), cmap=_flat(SILENT_COLOUR), interpolation="nearest")
        shown = np.where(np.isfinite(values), values, np.nan)
        image = axes.imshow(
            shown, origin="lower", extent=(0, 1, 0, 1), cmap="viridis_r", vmin=low, vmax=high, interpolation="nearest"
        )
        axes.set_title(name, loc="left", fontsize=9)
        axes.grid(visible=False)
    for axes in panels[len(maps) :]:
        axes.set_visible(False)
    for axes in panels[::columns]:
        axes.set_ylabel("input y")
    for axes in panels[max(0, len(maps) - columns) : len(maps)]:
        axes.set_xlabel("input x")
    bar = figure.colorbar(image, ax=list(panels), shrink=0.8)  # type: ignore[arg-type]
    bar.set_label(TIME, color=INK, fontsize=9)
    bar.outline.set_visible(False)  # type: ignore[operator]
    return titled(figure, title, "Spike time over the plane of the inputs, dark = late, grey = no spike.")


def confusion_matrix(labels: Array, answers: Array, names: Sequence[str]) -> Plot:
    """Draw how often each class was taken for which.

    Args:
        labels: [sample] right classes.
        answers: [sample] the network's classes, -1 = no spike.
        names: of the classes.
    """
    count = len(names)
    silent = bool((answers < 0).any())
    matrix = np.zeros((count, count + silent), int)
    np.add.at(matrix, (labels, np.where(answers < 0, count, answers)), 1)
    side = 1.6 + 0.42 * count
    figure = make_figure(side + 0.5, side)
    axes = figure.add_subplot()
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1.25)
    for row, column in np.ndindex(*matrix.shape):
        if matrix[row, column]:
            colour = "white" if share[row, column] > 0.6 else INK
            text = f"{matrix[row, column]:,}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    axes.set_xticks(range(count + silent), [*names, "silent"][: count + silent])
    axes.set_yticks(range(count), list(names))
    axes.set(xlabel="answer", ylabel="right class")
    axes.grid(visible=False)
    right = int((labels == answers).sum())
    return titled(figure, "Confusion", f"{right:,} of {len(labels):,} right ({100 * right / len(labels):.2f} %).")


def time_histograms(layers: Mapping[str, Array], outputs: Array, labels: Array) -> Plot:
    """Draw when neurons spike: hidden layers, and output neurons of the right and of wrong classes.

    Args:
        layers: [sample, neuron] spike times by name of the hidden layer, input first.
        outputs: [sample, class] spike times of the last layer.
        labels: [sample] right classes.
    """
    figure = make_figure(5.8, 0.7 + 1.6 * (len(layers) + 1))
    panels = np.atleast_1d(figure.subplots(len(layers) + 1, 1, sharex=True))
    everything = np.concatenate([times[np.isfinite(times)] for times in (*layers.values(), outputs)])
    edges = np.linspace(0, float(np.percentile(everything, 99.9)) if everything.size else 1, _BINS)
    for axes, (name, times) in zip(panels, layers.items(), strict=False):
        _histogram(axes, times, edges, PALE, "all neurons")
        axes.set_title(f"{name}: {times.shape[1]} neurons", loc="left", fontsize=9)
    own = np.arange(outputs.shape[1])[None, :] == labels[:, None]
    _histogram(panels[-1], outputs[~own], edges, WARN, "wrong classes")
    _histogram(panels[-1], outputs[own], edges, ACCENT, "right class")
    panels[-1].set_title(f"output: {outputs.shape[1]} neurons", loc="left", fontsize=9)
    panels[-1].set_xlabel(TIME)
    return titled(figure, "Spike times", "Distribution over all test samples; the legend tells how many are silent.")


def _histogram(axes: Axes, times: Array, edges: Array, colour: str, label: str) -> None:
    finite = times[np.isfinite(times)]
    silent = 1 - finite.size / max(times.size, 1)
    filled = np.histogram(finite, edges)[0] / max(times.size, 1) * 100
    axes.stairs(filled, edges, fill=True, color=colour, alpha=0.75, label=f"{label}, {100 * silent:.1f} % silent")
    axes.set_ylabel("share (%)")
    axes.legend(fontsize=8, frameon=False)


def weight_histograms(weights: Mapping[str, Array]) -> Plot:
    """Draw the distribution of the weights, or delays, of each layer.

    Args:
        weights: any shape, by name with its unit, for example ``"layer 1: weights (threshold)"``.
    """
    figure = make_figure(5.8, 0.6 + 1.6 * len(weights))
    panels = np.atleast_1d(figure.subplots(len(weights), 1))
    for axes, (name, values) in zip(panels, weights.items(), strict=True):
        flat = np.ravel(values)
        axes.hist(flat, bins=min(_BINS, max(10, flat.size // 8)), color=ACCENT, edgecolor="white", linewidth=0.3)
        axes.axvline(0, color=QUIET, linewidth=0.8)
        low, middle, high = np.percentile(flat, [0, 50, 100])
        axes.set_title(f"{name}: {flat.size:,}, {low:.3g} to {high:.3g}, median {middle:.3g}", loc="left", fontsize=9)
        axes.set_ylabel("count")
    return titled(figure, "Weights and delays", "What was learned, layer by layer.")


def hidden_times(layers: Mapping[str, Array]) -> Plot:
    """Draw when each hidden neuron spikes: median and the middle 80 % over samples, earliest neuron first.

    Args:
        layers: [sample, neuron] spike times by name of the hidden layer.
    """
    figure = make_figure(5.8, 0.6 + 2.6 * len(layers))
    panels = np.atleast_1d(figure.subplots(len(layers), 1, sharex=False))
    for axes, (name, times) in zip(panels, layers.items(), strict=True):
        active = np.isfinite(times).mean(0)
        seen = np.where(np.isfinite(times), times, np.nan)[:, active > 0]
        low, middle, high = np.nanpercentile(seen, [10, 50, 90], axis=0) if seen.size else np.zeros((3, 0))
        order = np.argsort(middle, kind="stable")
        position = np.arange(len(order))
        axes.vlines(position, low[order], high[order], color=PALE, linewidth=1.6)
        shade = axes.scatter(position, middle[order], c=100 * active[active > 0][order], s=9, cmap="viridis_r", vmin=0,
                             vmax=100, zorder=3)  # fmt: skip
        axes.set(ylabel=TIME, xlabel="neuron, ordered by median")
        dead = int((active == 0).sum())
        axes.set_title(f"{name}: {times.shape[1]} neurons, {dead} never spike", loc="left", fontsize=9)
        bar = figure.colorbar(shade, ax=axes)
        bar.set_label("samples with a spike (%)", color=INK, fontsize=8)
    caption = "Dot: median over the samples in which the neuron spikes; line: 10 to 90 % of them."
    return titled(figure, "Hidden spike times", caption)


def sorted_outputs(outputs: Array, labels: Array, names: Sequence[str]) -> Plot:
    """Draw, class by class, the time of the right neuron and of its first rival, samples sorted by the former.

    Args:
        outputs: [sample, class] spike times of the last layer.
        labels: [sample] right classes.
        names: of the classes.
    """
    shown = list(range(min(len(names), _MOST_PANELS)))
    columns = min(len(shown), 5)
    rows = -(-len(shown) // columns)
    figure = make_figure(0.6 + 2.3 * columns, 0.9 + 2.0 * rows)
    panels = np.atleast_1d(figure.subplots(rows, columns, sharey=True)).ravel()
    finite = outputs[np.isfinite(outputs)]
    top = 1.08 * float(finite.max()) if finite.size else 1.0
    for axes, number in zip(panels, shown, strict=False):
        mine = outputs[labels == number]
        own, rival = mine[:, number], np.delete(mine, number, axis=1).min(1, initial=np.inf)
        order = np.argsort(own, kind="stable")
        position = np.linspace(0, 100, len(order))
        axes.plot(position, np.minimum(rival[order], top), ".", color=WARN, markersize=2, label="first of the others")
        axes.plot(position, np.minimum(own[order], top), ".", color=ACCENT, markersize=2.5, label="right class")
        right = int((own < rival).sum())
        axes.set_title(f"{names[number]}: {right} of {len(mine)}", loc="left", fontsize=9)
        axes.set_xlabel("samples (%)")
    for axes in panels[::columns]:
        axes.set_ylabel(TIME)
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    panels[0].legend(fontsize=7, markerscale=4, frameon=False)
    caption = (
        "Samples sorted by the time of the right neuron; right where blue is below red; upper edge: silent."
    )
    return titled(figure, "Output spike times, sorted", caption)


def trajectories(parameters: Mapping[str, Array]) -> Plot:
    """Draw how parameters moved during training.

    Args:
        parameters: [epoch, parameter] by name with its unit; row 0 is the start.
    """
    figure = make_figure(5.8, 0.6 + 1.9 * len(parameters))
    panels = np.atleast_1d(figure.subplots(len(parameters), 1, sharex=True))
    for axes, (name, values) in zip(panels, parameters.items(), strict=True):
        for number, line in enumerate(values.T):
            axes.plot(line, color=_colour(number % 6), linewidth=0.8, alpha=0.8)
        axes.set_title(name, loc="left", fontsize=9)
    panels[-1].set_xlabel("epoch")
    return titled(figure, "Parameters during training", "Some parameters of each layer, evenly chosen.")


def _colour(number: int) -> str:
    return CLASS_COLOURS[number % len(CLASS_COLOURS)]


def _flat(colour: str) -> Any:
    from matplotlib.colors import ListedColormap

    return ListedColormap([colour])
