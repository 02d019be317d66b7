"""Spikes of one sample: those of the golden model and the artefact, laid over each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from lightning_neuro.report.charts.plane import SIDE, Axis, axis, chart, marks
from lightning_neuro.report.observed import Array, Events, Overlay

GOLDEN, ARTEFACT = "mark-golden", "mark-artefact"
MOST_MARKS = 1500  # of one kind in one chart; more are thinned out, which is said
MOST_SPIKES = 10_000  # of both; more are drawn as cells of a grid
_GRID = (256, 128)  # columns, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """The time axis of a sample.

    Args:
        unit: ``"step"`` or a unit of time.
        low, high: ends.
        stepped: spikes fill their step.
    """

    unit: str
    low: float
    high: float
    stepped: bool

    def axis(self, label: bool) -> Axis:
        """The axis, labelled or not."""
        words = "time step" if self.stepped else f"time ({self.unit})"
        return axis(self.low, self.high, words if label else "", whole=self.stepped)


def key(compared: bool) -> Markup:
    """The legend of all rasters of a page."""
    if not compared:
        return Markup('<p class="key"><span><i class="both"></i>golden model</span></p>')
    return Markup(
        '<p class="key"><span><i class="both"></i>both</span>'
        f"<span>{_sample(GOLDEN)}golden model only</span><span>{_sample(ARTEFACT)}artefact only</span></p>"
    )


def _sample(symbol: str) -> str:
    return f'<svg width="14" height="14" aria-hidden="true"><use href="#{symbol}" x="7" y="7"/></svg>'


def rasters(layers: Mapping[str, tuple[int, Overlay]], time: Time) -> Markup:
    """Draw the populations of a sample one below the other, input first.

    Args:
        layers: size and spikes by population.
        time: of the sample.
    """
    names = list(layers)
    return Markup("").join(raster(name, *layers[name], time, last=name == names[-1]) for name in names)


def raster(
    name: str, size: int, found: Overlay, time: Time, *, last: bool, neurons: tuple[int, int] | None = None
) -> Markup:
    """Draw one population.

    Args:
        name: of the population.
        size: its neurons.
        found: its spikes.
        time: of the sample.
        last: this is the one that carries the label of the time axis.
        neurons: first and end of those to draw; None for all.
    """
    low, high = (0, size) if neurons is None else neurons
    height = int(np.clip(4 * (high - low) if neurons is None else 12 * (high - low), 56, 190))
    x, y = time.axis(last), axis(low - 0.5, high - 0.5, "", ticks=3, whole=True)
    told = head(size, found)
    more = thinned(found)
    plane, over = _both(found.both, x, y, height / (high - low), time), _alone(found, x, y)
    return Markup(
        f'<div class="row"><h3>{escape(name)}</h3><p class="soft">{told}{more}</p>'
        f"{chart(x, y, height=height, words=f'{name}: {told}', plane=plane, over=over)}</div>"
    )


def head(size: int, found: Overlay) -> str:
    """The spikes of a population in words."""
    both, golden, artefact = len(found.both), len(found.golden), len(found.artefact)
    words = f"{size:,} wide, {both + golden:,} spikes"
    if golden or artefact:
        words += f"; {both:,} common, {golden:,} golden only, {artefact:,} artefact only"
    return words


def thinned(found: Overlay) -> str:
    """What is left out of a chart, in words."""
    most = max(len(found.golden), len(found.artefact))
    return f" (every {-(-most // MOST_MARKS)}th difference is drawn)" if most > MOST_MARKS else ""


def _alone(found: Overlay, x: Axis, y: Axis) -> str:
    every = max(1, -(-max(len(found.golden), len(found.artefact)) // MOST_MARKS))
    drawn = ((found.golden, GOLDEN), (found.artefact, ARTEFACT))
    return "".join(marks(e.time[::every], e.neuron[::every], x, y, symbol) for e, symbol in drawn)


def _both(events: Events, x: Axis, y: Axis, pixels: float, time: Time) -> str:
    if len(events) > MOST_SPIKES:
        return _cells(events, x, y)
    across, down = SIDE * x.share(events.time), SIDE * (1 - y.share(events.neuron))
    thickness = float(np.clip(0.7 * pixels, 1.2, 7))
    if time.stepped:
        half = SIDE * max(0.4 / (time.high - time.low), 0.002)
        path = _joined(across - half, down, f"h{2 * half:.4g}")
    else:
        path, thickness = _joined(across, down, "h0"), max(thickness, 2.4)
    return f'<path class="both" style="stroke-width:{thickness:.3g}px" d="{path}"/>'


def _joined(across: Array, down: Array, stroke: str) -> str:
    return "".join(f"M{a:.4g} {d:.4g}{stroke}" for a, d in zip(across.tolist(), down.tolist(), strict=True))


def _cells(events: Events, x: Axis, y: Axis) -> str:
    """Cells of a grid with a spike in them, neighbours in a row joined: as many bytes however many spikes."""
    columns, rows = _GRID
    column = np.clip((x.share(events.time) * columns).astype(int), 0, columns - 1)
    row = np.clip(((1 - y.share(events.neuron)) * rows).astype(int), 0, rows - 1)
    filled = np.zeros((rows, columns + 2), np.int8)
    filled[row, column + 1] = 1
    change = np.diff(filled, axis=1)
    at, start = np.nonzero(change == 1)
    end = np.nonzero(change == -1)[1]
    wide, high = SIDE / columns, SIDE / rows
    runs = zip((start * wide).tolist(), ((at + 0.5) * high).tolist(), ((end - start) * wide).tolist(), strict=True)
    path = "".join(f"M{a:.4g} {d:.4g}h{w:.4g}" for a, d, w in runs)
    return f'<path class="both" style="stroke-width:1.6px;stroke-linecap:butt" d="{path}"/>'
