"""The pictures of a report, drawn from plain arrays."""

from __future__ import annotations

import io
from collections.abc import Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.report.model import Plot
from lightning_neuro.report.wording import engineering

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[Any]
INK, QUIET, PALE, ACCENT, WARN = "#22262b", "#9aa5b1", "#c3cad2", "#1f6feb", "#d1495b"
COLOURS = ("#00798c", "#b3541e", "#6c4f9c", "#2e6f40", "#d1495b", "#2e4057")  # readable as thin lines
_DPI = 140
_WIDTH = 5.8  # inches, two of them side by side on a wide page
_MOST_BARS = 140
_MOST_TRACES = 10  # more lines than this cannot be told apart


def spike_raster(
    rasters: Mapping[str, Array], scores: Array, readout: str, label: int | None
) -> Plot:
    """Draw one sample's spikes on their way through the network, and what the read-out makes of them.

    Args:
        rasters: spike raster [step, neuron] by population, input first, output last.
        scores: read-out value of every class [class].
        readout: what a score is, e.g. ``"spike count"``.
        label: the right class; None when unknown.
    """
    sizes = [raster.shape[1] for raster in rasters.values()]
    heights = [max(0.6, min(1.9, 0.015 * size)) for size in sizes]
    figure = make_figure(2 * _WIDTH, 1.0 + sum(heights))
    grid = figure.add_gridspec(len(rasters), 2, height_ratios=heights, width_ratios=(3, 1))
    for row, (name, raster) in enumerate(rasters.items()):
        axes = figure.add_subplot(grid[row, 0])
        _draw_raster(axes, name, raster, COLOURS[row % len(COLOURS)])
        last = row == len(sizes) - 1
        axes.tick_params(labelbottom=last)
        axes.set_xlabel("time step" if last else "")
    _draw_scores(figure.add_subplot(grid[:, 1]), scores, readout, label)
    winner = int(np.argmax(scores))
    told = "" if label is None else f", the label says {label}"
    caption = f"Every mark is a spike of one neuron at one step. The read-out answers {winner}{told}."
    return finish(figure, "One sample, from input spikes to answer", caption)


def first_spikes(times: Mapping[str, Array], winner: int, label: int | None) -> Plot:
    """Draw the spike times of one sample on its way through a network in continuous time.

    Args:
        times: spike times [neuron] in seconds by population, inf = silent; input first, output last.
        winner: class that the network answers; -1 for none.
        label: the right class; None when unknown.
    """
    heights = [max(0.6, min(1.9, 0.015 * len(values))) for values in times.values()]
    figure = make_figure(2 * _WIDTH, 1.0 + sum(heights))
    panels = np.atleast_1d(figure.subplots(len(times), 1, sharex=True, gridspec_kw={"height_ratios": heights}))
    for row, (axes, (name, values)) in enumerate(zip(panels, times.items(), strict=True)):
        neurons = np.flatnonzero(np.isfinite(values))
        axes.plot(1e3 * values[neurons], neurons, "|", color=COLOURS[row % len(COLOURS)], markersize=5)
        axes.set_title(f"{name}: {len(values)} neurons, {len(neurons)} spikes", loc="left", fontsize=9)
        axes.set(ylabel="neuron", ylim=(-0.5, len(values) - 0.5))
    panels[-1].set_xlabel("time (ms)")
    told = "" if label is None else f", the label says {label}"
    answer = f"The first class to spike is {winner}{told}." if winner >= 0 else f"No class spikes{told}."
    return finish(
        figure, "One sample, from input spikes to answer", f"Every mark is the one spike of a neuron. {answer}"
    )


def membrane_traces(
    membrane: Array,
    spikes: Array,
    threshold: Array | None,
    population: str,
    unit: str,
) -> Plot:
    """Draw the membranes of one population during one sample.

    Args:
        membrane: membrane after the reset [step, neuron].
        spikes: spikes [step, neuron], 0/1.
        threshold: threshold of every neuron [neuron]; None for a read-out that does not spike.
        population: name of the population.
        unit: unit of the membrane, e.g. ``"LSB"`` for raw integers.
    """
    figure = make_figure(_WIDTH, 3.4)
    axes = figure.add_subplot()
    busiest = np.argsort(-np.abs(membrane).max(axis=0), kind="stable")[:_MOST_TRACES]
    steps = np.arange(len(membrane))
    colours = _colours(_MOST_TRACES)
    for colour, neuron in zip(colours, sorted(int(n) for n in busiest), strict=False):
        axes.plot(steps, membrane[:, neuron], color=colour, linewidth=1.4, label=str(neuron))
        fired = np.flatnonzero(spikes[:, neuron])
        axes.plot(fired, membrane[fired, neuron], "v", color=colour, markersize=5, clip_on=False)
    if threshold is not None:
        for value in np.unique(threshold[busiest]):
            axes.axhline(float(value), color=INK, linewidth=1, linestyle="--")
        _note(axes, "threshold", (0, float(threshold[busiest].max())), (2, 3))
    axes.set(xlabel="time step", ylabel=f"membrane ({unit})")
    axes.legend(title="neuron", fontsize=8, title_fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    left_out = membrane.shape[1] - len(busiest)
    others = f" The {left_out} quieter neurons are left out." if left_out > 0 else ""
    caption = f"Membranes of {population} after the reset of each step; triangles mark spikes.{others}"
    return finish(figure, "Output membranes", caption)


def weight_histograms(
    trained: Mapping[str, Array], rounded: Mapping[str, Array]
) -> Plot:
    """Draw how rounding changed the weights of each layer.

    Args:
        trained: floating-point weights by layer, any shape.
        rounded: the same weights after rounding, in the same unit, by layer.

    Raises:
        ValueError: the two do not hold the same layers.
    """
    if trained.keys() != rounded.keys():
        raise ValueError(f"trained layers {sorted(trained)} are not the rounded layers {sorted(rounded)}")
    figure = make_figure(_WIDTH, 0.6 + 1.7 * len(trained))
    panels = np.atleast_1d(figure.subplots(len(trained), 1))
    for axes, (name, weights) in zip(panels, trained.items(), strict=True):
        _draw_weights(axes, name, np.ravel(weights), np.ravel(rounded[name]))
    panels[-1].set_xlabel("weight")
    return finish(
        figure, "Weights before and after rounding",
        "Grey: trained weights. Blue: the values the hardware holds and how often each is used.",
    )  # fmt: skip


def activity(rates: Mapping[str, Array]) -> Plot:
    """Draw how much each layer fires; cost in event-driven hardware is proportional to it.

    Args:
        rates: mean spikes per step of every neuron [neuron], between 0 and 1, by population.
    """
    figure = make_figure(_WIDTH, 1.0 + 0.55 * len(rates))
    axes = figure.add_subplot()
    means = [100 * float(np.mean(rate)) for rate in rates.values()]
    colours = [COLOURS[row % len(COLOURS)] for row in range(len(rates))]
    axes.barh(range(len(rates)), means, color=colours, height=0.6)
    for row, (mean, rate) in enumerate(zip(means, rates.values(), strict=True)):
        note = f"{mean:.1f} %"
        silent, always = int(np.sum(rate <= 0)), int(np.sum(rate >= 1))
        note += f", {silent} of {len(rate)} silent" if silent else ""
        note += f", {always} always firing" if always else ""
        _note(axes, note, (mean, row), (4, -3))
    axes.set_yticks(range(len(rates)), list(rates))
    axes.invert_yaxis()
    axes.set(xlabel="spikes per neuron and step (%)", xlim=(0, max([*means, 1e-3]) * 1.45))
    axes.grid(axis="y", visible=False)
    return finish(
        figure, "Activity",
        "Mean share of neurons that fire in a step. Only spikes cost cycles in event-driven hardware.",
    )  # fmt: skip


def cycles_histogram(cycles: Array, clock_hz: float) -> Plot:
    """Draw how many clock cycles the samples took.

    Args:
        cycles: measured clock cycles [sample].
        clock_hz: clock the latency is stated at, in hertz.
    """
    from matplotlib.ticker import MaxNLocator

    figure = make_figure(_WIDTH, 2.9)
    axes = figure.add_subplot()
    axes.hist(cycles, bins=min(30, max(5, len(cycles) // 2)), color=ACCENT, edgecolor="white", linewidth=0.6)
    median = float(np.median(cycles))
    axes.axvline(median, color=INK, linewidth=1, linestyle="--")
    _note(axes, f"median {median:,.0f}", (median, axes.get_ylim()[1]), (4, -8))
    axes.set(xlabel="clock cycles per sample", ylabel="samples")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    latency = f"{engineering(median / clock_hz, 's')} at {engineering(clock_hz, 'Hz')}"
    caption = f"Measured in simulation, {len(cycles)} samples; median {latency}."
    return finish(figure, "Cycles per sample", caption)


def spike_time_errors(errors: Mapping[str, Array]) -> Plot:
    """Draw how far first spikes lie from their analytic times in a network that advances in steps.

    Args:
        errors: differences in steps, by population, late positive.
    """
    figure = make_figure(_WIDTH, 1.0 + 1.5 * len(errors))
    panels = np.atleast_1d(figure.subplots(len(errors), 1, sharex=True))
    reach = max([4.0, *(float(np.quantile(np.abs(e), 0.99)) for e in errors.values() if e.size)])
    edges = np.linspace(-reach, reach, 65)
    for row, (axes, (name, values)) in enumerate(zip(panels, errors.items(), strict=True)):
        axes.hist(values, bins=edges, color=COLOURS[row % len(COLOURS)])
        axes.set_title(f"{name}: {len(values):,} spikes", loc="left", fontsize=9)
        axes.set_ylabel("spikes")
    panels[-1].set_xlabel("first spike in steps minus analytic time (steps)")
    return finish(
        figure, "Spike times in steps",
        "How far first spikes of the unrounded network move when time advances in steps; a common shift is harmless.",
    )  # fmt: skip


def _draw_raster(axes: Axes, name: str, raster: Array, colour: str) -> None:
    steps, neurons = np.nonzero(raster)
    thickness = max(1.0, min(5.0, 100 / raster.shape[1]))  # points
    half = max(0.4, len(raster) / 400)  # a single spike among hundreds of steps must still be seen
    axes.hlines(neurons, steps - half, steps + half, color=colour, linewidth=thickness)
    axes.set(xlim=(-0.5, len(raster) - 0.5), ylim=(-0.5, raster.shape[1] - 0.5))
    axes.set_title(f"{name}: {raster.shape[1]} neurons, {len(steps)} spikes", loc="left", fontsize=9)
    axes.set_ylabel("neuron")
    axes.grid(visible=False)


def _draw_scores(axes: Axes, scores: Array, readout: str, label: int | None) -> None:
    winner = int(np.argmax(scores))
    colours = [QUIET] * len(scores)
    colours[winner] = ACCENT if label is None or winner == label else WARN
    axes.barh(range(len(scores)), scores, color=colours)
    axes.set_yticks(range(len(scores)))
    axes.set(xlabel=readout, ylabel="class")
    axes.set_title("read-out", loc="left", fontsize=9)
    axes.grid(axis="y", visible=False)


def _draw_weights(
    axes: Axes, name: str, trained: Array, rounded: Array
) -> None:
    values = np.unique(rounded)
    low, high = min(trained.min(), values[0]), max(trained.max(), values[-1])
    grid = float(np.diff(values).min()) if len(values) > 1 else 1.0
    step = grid * max(1, int(np.ceil((high - low) / grid / _MOST_BARS)))  # wide words: many values in a bar
    first = values[0] - step * np.ceil((values[0] - low) / step)
    centres = first + step * np.arange(int(np.ceil((high - first) / step)) + 2)
    edges = np.append(centres - step / 2, centres[-1] + step / 2)
    before, after = np.histogram(trained, edges)[0], np.histogram(rounded, edges)[0]
    axes.stairs(before, edges, fill=True, color=PALE, label="trained")
    axes.bar(centres, after, width=0.6 * step, color=ACCENT, label=f"rounded: {len(values)} values used")
    axes.set_title(f"{name}: {len(trained):,} weights", loc="left", fontsize=9)
    axes.set_ylabel("weights")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(fontsize=8)


def _note(axes: Axes, text: str, at: tuple[float, float], shift_points: tuple[float, float]) -> None:
    axes.annotate(text, at, xytext=shift_points, textcoords="offset points", color=INK, fontsize=8)


def _colours(count: int) -> list[str]:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps["tab10"](index % 10)) for index in range(count)]


def make_figure(width: float, height: float) -> Figure:
    """Make a figure without pyplot: no global state, no display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained")


def finish(figure: Figure, title: str, caption: str) -> Plot:
    """Give the axes of a figure the house's look and write it as PNG."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(QUIET)
        axes.tick_params(colors=INK, labelsize=8)
        axes.set_axisbelow(True)
        axes.xaxis.label.set(color=INK, fontsize=9)
        axes.yaxis.label.set(color=INK, fontsize=9)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})  # the same picture is the same bytes
    return Plot(title=title, png=out.getvalue(), caption=caption)


def titled(figure: Figure, title: str, caption: str) -> Plot:
    """Finish a picture that lies in a folder, not in a report: title and caption are written into it too."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK, weight="bold")
    lines = "\n".join(wrap(caption, int(15 * figure.get_figwidth())))
    figure.supxlabel(lines, x=0.01, ha="left", fontsize=7.5, color=INK)
    return finish(figure, title, caption)
