"""Pictures of a converted network: accuracy against time steps, how rates follow activations, how much layers fire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.report.model import Plot
from lightning_neuro.report.plots import ACCENT, COLOURS, INK, PALE, QUIET, WARN, make_figure, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]
_COLUMNS = 3
_BINS = 60


def accuracy_over_steps(steps: Sequence[int], lines: Mapping[str, Array], ann: float, chosen: int) -> Plot:
    """Draw accuracy against the number of time steps T, with the ANN's as a line.

    Args:
        steps: T of every point, rising.
        lines: accuracy 0..1 at each T, by name; the first is the converted network's.
        ann: accuracy of the ANN, 0..1.
        chosen: T that the network was converted for.
    """
    figure = make_figure(5.8, 3.4)
    axes = figure.add_subplot()
    axes.axhline(100 * ann, color=INK, linewidth=1, linestyle="--", label=f"ANN, {100 * ann:.2f} %")
    colours = (ACCENT, WARN, COLOURS[0])
    for (name, values), colour in zip(lines.items(), colours, strict=False):
        axes.plot(steps, 100 * np.asarray(values), "o-", color=colour, markersize=4, linewidth=1.6, label=name)
    main = np.asarray(next(iter(lines.values())))
    at = 100 * float(main[list(steps).index(chosen)])
    axes.annotate(f"T = {chosen}: {at:.2f} %", (chosen, at), xytext=(4, -14), textcoords="offset points",
                  fontsize=8, color=INK)  # fmt: skip
    _log_steps(axes, steps)
    low = min(float(np.min(values)) for values in lines.values())
    axes.set(ylabel="accuracy (%)", ylim=(max(0.0, 100 * low - 2), 100.8))
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    caption = f"Test samples classified rightly. The network was converted for T = {chosen}; every T is from one network."
    return titled(figure, "Accuracy against time steps", caption)


def correlation_over_steps(steps: Sequence[int], means: Mapping[str, Array], deviations: Mapping[str, Array]) -> Plot:
    """Draw, per layer, the correlation of firing rates with activations against the number of time steps.

    Args:
        steps: T of every point, rising.
        means: Pearson r at each T, mean over images, by layer.
        deviations: its standard deviation over images.
    """
    figure = make_figure(5.8, 3.4)
    axes = figure.add_subplot()
    for row, (name, mean) in enumerate(means.items()):
        colour, mean, spread = COLOURS[row % len(COLOURS)], np.asarray(mean), np.asarray(deviations[name])
        axes.plot(steps, mean, "o-", color=colour, markersize=3.5, linewidth=1.4, label=f"{name}, {mean[-1]:.4f}")
        axes.fill_between(steps, mean - spread, np.minimum(mean + spread, 1), color=colour, alpha=0.12, linewidth=0)
    _log_steps(axes, steps)
    axes.set(ylabel="Pearson r", ylim=(max(-0.1, min(float(np.min(m)) for m in means.values()) - 0.1), 1.02))
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    caption = (
        "Correlation of firing rates with the ANN's activations, per layer and image: mean and standard deviation over "
        f"all images. The legend gives it at T = {steps[-1]}."
    )
    return titled(figure, "Firing rates and activations", caption)


def correlation_scatter(points: Mapping[str, tuple[Array, Array]], r: Mapping[str, float], steps: int) -> Plot:
    """Draw firing rates against activations, one panel per layer.

    Args:
        points: (activation, rate in units of the activation) of some (image, neuron) pairs, [pair] each, by layer.
        r: Pearson r over all of them.
        steps: T at which the rates were counted.
    """
    rows, columns, panels, figure = _panels(len(points), 2.3, 2.2)
    for axes, (name, (activation, rate)) in zip(panels, points.items(), strict=False):
        top = max(float(np.percentile(activation, 99.9)), float(np.max(rate, initial=0.0)), 1e-6) * 1.05
        axes.plot([0, top], [0, top], color=QUIET, linewidth=0.8)
        axes.plot(activation, rate, ".", color=ACCENT, markersize=1.6, alpha=0.35, rasterized=True)
        axes.set(xlim=(-0.02 * top, top), ylim=(-0.02 * top, top))
        axes.set_title(f"{name}: r = {r[name]:.4f}", loc="left", fontsize=9)
    _outer_labels(panels, rows, columns, len(points), "activation", "rate (activation)")
    caption = f"Every dot is a neuron in an image, at T = {steps}: its ANN activation and its firing rate in that unit."
    return titled(figure, "Firing rates against activations", caption)


def layer_activity(steps: Sequence[int], rates: Mapping[str, Array]) -> Plot:
    """Draw the spikes per neuron and step of each layer, mean and standard deviation over neurons.

    Args:
        steps: T of every point, rising.
        rates: mean rate of every neuron [T, neuron], 0..1, by layer.
    """
    figure = make_figure(5.8, 0.9 + 0.6 * len(rates))
    axes = figure.add_subplot()
    for row, (name, values) in enumerate(rates.items()):
        last = 100 * np.asarray(values)[-1]
        axes.barh(row, last.mean(), xerr=last.std(), color=COLOURS[row % len(COLOURS)], height=0.6,
                  error_kw={"ecolor": QUIET, "elinewidth": 1})  # fmt: skip
        silent = int((last == 0).sum())
        note = f"{last.mean():.1f} %" + (f", {silent} of {last.size} silent" if silent else "")
        axes.annotate(note, (last.mean() + last.std(), row), xytext=(4, -3), textcoords="offset points",
                      fontsize=8, color=INK)  # fmt: skip
    axes.set_yticks(range(len(rates)), list(rates))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.45 * axes.get_xlim()[1])
    axes.set_xlabel("spikes per neuron and step (%)")
    caption = f"Mean over all images and {steps[-1]} steps; the line is the standard deviation over neurons."
    return titled(figure, "Activity of the layers", caption)


def spike_counts(counts: Mapping[str, Array], steps: int) -> Plot:
    """Draw how often neurons spike how many times in a sample.

    Args:
        counts: number of (image, neuron) pairs with 0 .. T spikes, [T + 1], by layer.
        steps: T.
    """
    rows, columns, panels, figure = _panels(len(counts), 2.3, 1.9)
    for axes, (name, histogram) in zip(panels, counts.items(), strict=False):
        share = 100 * np.asarray(histogram) / max(int(np.sum(histogram)), 1)
        axes.bar(np.arange(steps + 1), share, color=[PALE, *[ACCENT] * steps], width=0.85)
        axes.set_title(f"{name}: {share[0]:.0f} % silent", loc="left", fontsize=9)
        axes.set_ylim(0, 1.15 * max(float(share[1:].max(initial=0.0)), 1.0))
    _outer_labels(panels, rows, columns, len(counts), "spikes in a sample", "share (%)")
    caption = f"How many spikes neurons have within T = {steps} steps, over all images. The bar at 0 may be cut off."
    return titled(figure, "Spikes per neuron", caption)


def parameter_statistics(weights: Mapping[str, Array], biases: Mapping[str, Array]) -> Plot:
    """Draw the distribution of weights and biases of each layer of the converted network.

    Args:
        weights: in units of the threshold of the neurons they lead to, any shape, by layer.
        biases: likewise.
    """
    figure = make_figure(5.8, 0.7 + 1.5 * len(weights))
    panels = figure.subplots(len(weights), 2, squeeze=False)
    for (left, right), (name, values) in zip(panels, weights.items(), strict=True):
        for axes, numbers, what, colour in ((left, values, "weights", ACCENT), (right, biases[name], "biases", PALE)):
            flat = np.ravel(numbers)
            axes.hist(flat, bins=min(_BINS, max(8, flat.size // 6)), color=colour)
            text = f"{name}: {flat.size:,} {what}, {flat.mean():.2g} ± {flat.std():.2g}"
            axes.set_title(text, loc="left", fontsize=8)
    for axes in panels[-1]:
        axes.set_xlabel("threshold")
    caption = "After folding and scaling, in units of the threshold of the neurons behind; mean and standard deviation."
    return titled(figure, "Weights and biases", caption)


def _panels(count: int, width: float, height: float) -> tuple[int, int, Array, Any]:
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    figure = make_figure(0.7 + width * columns, 0.8 + height * rows)
    panels = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axes in panels[count:]:
        axes.set_visible(False)
    return rows, columns, panels, figure


def _outer_labels(panels: Array, rows: int, columns: int, count: int, bottom: str, left: str) -> None:
    for axes in panels[::columns]:
        axes.set_ylabel(left)
    for axes in panels[max(0, count - columns) : count]:
        axes.set_xlabel(bottom)


def _log_steps(axes: Axes, steps: Sequence[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(steps), [str(step) for step in steps])
    axes.minorticks_off()
    axes.set_xlabel("time steps T")
