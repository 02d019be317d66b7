"""Pictures of a converted network: accuracy against time steps, how rates follow activations, how much layers fire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.report.model import Plot
from lightning_neuro.report.plots import ACCENT, COLOURS, INK, QUIET, WARN, make_figure, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[Any]
_COLUMNS = 3
SILENT, SHADES = "#e3e6ea", ("#9ecae1", "#4292c6", "#084594")


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
    caption = f"Evaluation samples classified rightly, all T by one network, which was converted for T = {chosen}."
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
        low = min(float(np.percentile(activation, 0.1)), float(np.min(rate, initial=0.0)), -0.02 * top)  # of scores
        axes.plot([low, top], [low, top], color=QUIET, linewidth=0.8)
        axes.plot(activation, rate, ".", color=ACCENT, markersize=1.6, alpha=0.35, rasterized=True)
        axes.set(xlim=(low, top), ylim=(low, top))
        axes.set_title(f"{name}: r = {r[name]:.4f}", loc="left", fontsize=9)
    _outer_labels(panels, rows, columns, len(points), "activation", "rate (activation)")
    caption = f"Every dot is a neuron in an image, at T = {steps}: its ANN activation and its firing rate in that unit."
    return titled(figure, "Firing rates against activations", caption)


def layer_activity(steps: Sequence[int], means: Mapping[str, Array], deviations: Mapping[str, Array]) -> Plot:
    """Draw how much each layer fires at the largest T, and its spread over images.

    Args:
        steps: T of every point, rising.
        means: spikes per neuron and step, mean over images [T], by layer.
        deviations: its standard deviation over images.
    """
    figure = make_figure(5.8, 1.1 + 0.5 * len(means))
    axes = figure.add_subplot()
    for row, (name, mean) in enumerate(means.items()):
        value, spread = 100 * float(mean[-1]), 100 * float(deviations[name][-1])
        axes.barh(row, value, xerr=spread, color=COLOURS[row % len(COLOURS)], height=0.6,
                  error_kw={"ecolor": QUIET, "elinewidth": 1})  # fmt: skip
        axes.annotate(f"{value:.1f} %", (value + spread, row), xytext=(4, -3), textcoords="offset points",
                      fontsize=8, color=INK)  # fmt: skip
    axes.set_yticks(range(len(means)), list(means))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.3 * axes.get_xlim()[1])
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("spikes per neuron and step (%)")
    caption = f"Mean over all images at T = {steps[-1]}; the line is the standard deviation over images."
    return titled(figure, "Activity of the layers", caption)


def spike_counts(shares: Mapping[str, Array], groups: Sequence[str], steps: int) -> Plot:
    """Draw how often neurons spike how many times in a sample.

    Args:
        shares: share of (image, neuron) pairs in each group, [group], by layer.
        groups: in words, for example "1-10".
        steps: T at which the spikes were counted.
    """
    figure = make_figure(5.8, 1.3 + 0.5 * len(shares))
    axes = figure.add_subplot()
    left = np.zeros(len(shares))
    values = 100 * np.array(list(shares.values()))
    colours = (SILENT, *SHADES)
    for k, group in enumerate(groups):
        if values[:, k].any():
            axes.barh(range(len(shares)), values[:, k], left=left, color=colours[k % len(colours)], height=0.6,
                      label=f"{group} spikes")  # fmt: skip
            left += values[:, k]
    axes.set_yticks(range(len(shares)), list(shares))
    axes.invert_yaxis()
    axes.set(xlabel="neurons in images (%)", xlim=(0, 100))
    axes.grid(axis="y", visible=False)
    axes.legend(fontsize=8, frameon=False, ncols=len(groups), loc="lower left", bbox_to_anchor=(0, 1))
    caption = f"How many spikes neurons have within T = {steps} steps, over all images."
    return titled(figure, "Spikes per neuron", caption)


def parameter_statistics(rows: Mapping[str, Mapping[str, tuple[float, float]]]) -> Plot:
    """Draw mean and standard deviation of weights and biases of each layer, in the ANN and in the spiking network.

    Args:
        rows: (mean, standard deviation) by layer, then by "ANN weights", "ANN biases", "SNN weights", "SNN biases".
    """
    figure = make_figure(5.8, 1.2 + 0.5 * len(rows))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, what in zip(panels, ("weights", "biases"), strict=True):
        for k, (kind, colour) in enumerate((("ANN", QUIET), ("SNN", ACCENT))):
            means, spreads = zip(*(row[f"{kind} {what}"] for row in rows.values()), strict=True)
            place = np.arange(len(rows)) + (k - 0.5) * 0.3
            axes.errorbar(means, place, xerr=spreads, fmt="o", color=colour, markersize=4, elinewidth=1.4, label=kind)
        axes.axvline(0, color=QUIET, linewidth=0.6)
        axes.set_xlabel(what)
        axes.set_yticks(range(len(rows)), list(rows))
        axes.grid(axis="y", visible=False)
    panels[0].invert_yaxis()
    panels[1].legend(fontsize=8, frameon=False, loc="lower right")
    caption = "Mean and standard deviation, normalisation folded. SNN: in units of its membrane, spikes 0 or 1."
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
