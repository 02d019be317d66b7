"""The pictures of a report, drawn from plain arrays."""

from __future__ import annotations

import io
from collections.abc import Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.report.model import Plot

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]
INK, QUIET, PALE, ACCENT, WARN = "#22262b", "#9aa5b1", "#c3cad2", "#1f6feb", "#d1495b"
COLOURS = ("#00798c", "#b3541e", "#6c4f9c", "#2e6f40", "#d1495b", "#2e4057")  # readable as thin lines
VARIABLES: Mapping[str, str] = {
    "#22262b": "--ink", "#000000": "--ink", "#9aa5b1": "--quiet", "#c3cad2": "--pale", "#1f6feb": "--both",
    "#ffffff": "--card", "#d1495b": "--warn", "#e6e8eb": "--line",
    "#00798c": "--one", "#b3541e": "--two", "#6c4f9c": "--three", "#2e6f40": "--four", "#2e4057": "--five",
}  # fmt: skip
"""Variables of the style sheet that stand for the palette, so that pictures are readable light and dark."""
_DPI = 140
_WIDTH = 5.8  # inches, two of them side by side on a wide page


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


def make_figure(width: float, height: float) -> Figure:
    """Make a figure without pyplot: no global state, no display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained")


def finish(figure: Figure, title: str, caption: str) -> Plot:
    """Give the axes of a figure the house's look and write it as PNG, and as SVG with the style sheet's colours."""
    _tidy(figure)
    arrange(figure)
    return Plot(title=title, png=_png(figure), caption=caption, svg=_svg(figure))


def arrange(figure: Figure) -> None:
    """Lay the panels of a figure out, once for all its files: each would lay them out twice again."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def _tidy(figure: Figure) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(QUIET)
        axes.tick_params(colors=INK, labelsize=8)
        axes.set_axisbelow(True)
        axes.xaxis.label.set(color=INK, fontsize=9)
        axes.yaxis.label.set(color=INK, fontsize=9)


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})  # the same picture is the same bytes
    return out.getvalue()


def _svg(figure: Figure) -> str:
    from matplotlib import rc_context

    out = io.StringIO()
    settings = {"svg.fonttype": "none", "svg.hashsalt": "lightning_neuro", "font.family": "sans-serif"}
    with rc_context(settings):  # type: ignore[arg-type]
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return text[text.index("<svg") :]


def titled(figure: Figure, title: str, caption: str) -> Plot:
    """Finish a picture that lies in a folder, not in a report: title and caption are written into it; no SVG."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK, weight="bold")
    lines = "\n".join(wrap(caption, int(15 * figure.get_figwidth())))
    figure.supxlabel(lines, x=0.01, ha="left", fontsize=7.5, color=INK)
    _tidy(figure)
    arrange(figure)
    return Plot(title=title, png=_png(figure), caption=caption)
