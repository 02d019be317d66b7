"""A plane with two axes that takes the width it is given: places in percent, text and lines in pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

Array = NDArray[Any]
SIDE = 1000
"""Width and height of the plane in its own units, stretched over the chart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A range of numbers along one side.

    Args:
        low, high: ends.
        label: what is measured, with its unit; empty for none.
        ticks: values with the text beside them.
    """

    low: float
    high: float
    label: str
    ticks: tuple[tuple[float, str], ...]

    def share(self, value: Any) -> Any:
        """Where a value, or an array of them, lies from low (0) to high (1)."""
        return (np.asarray(value, float) - self.low) / ((self.high - self.low) or 1.0)


def axis(low: float, high: float, label: str, *, ticks: int = 4, whole: bool = False) -> Axis:
    """An axis with round numbers.

    Args:
        low, high: ends.
        label: what is measured, with its unit.
        ticks: about how many.
        whole: only whole numbers.

    >>> [text for _, text in axis(0, 1500, "").ticks]
    ['0', '500', '1,000', '1,500']
    """
    values = _round(low, high, ticks, whole)
    return Axis(low=low, high=high, label=label, ticks=tuple((value, tick_text(value)) for value in values))


def _round(low: float, high: float, count: int, whole: bool) -> list[float]:
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        return [low]
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(f * power for f in (1, 2, 5, 10) if f * power >= span / count * (1 - 1e-9))
    step = max(1.0, round(step)) if whole else step
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def tick_text(value: float) -> str:
    """A number beside an axis.

    >>> tick_text(0.1 + 0.2), tick_text(-2048), tick_text(2.0 ** 21)
    ('0.3', '-2,048', '2.097e+06')
    """
    if value == 0:
        return "0"
    if abs(value) >= 1e6 or abs(value) < 1e-3:
        return f"{value:.4g}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def chart(x: Axis, y: Axis, *, height: int, words: str, plane: str = "", over: str = "") -> Markup:
    """A chart.

    Args:
        x, y: axes.
        height: of the plane, in pixels.
        words: what is to be seen, for those who cannot see it.
        plane: SVG elements in units of the plane, y downwards.
        over: SVG elements placed in percent, such as marks and text, which are not stretched.
    """
    across = "".join(
        f'<line class="grid" x1="{p}%" x2="{p}%" y1="0" y2="100%"/>'
        f'<text class="x" x="{p}%" y="100%" dy="16">{text}</text>'
        for p, text in _places(x.ticks, x)
    )
    up = "".join(
        f'<line class="grid" x1="0" x2="100%" y1="{p}%" y2="{p}%"/><text class="y" x="-6" y="{p}%" dy="4">{text}</text>'
        for p, text in ((round(100 - p, 2), text) for p, text in _places(y.ticks, y))
    )
    below = f'<text class="label" x="50%" y="100%" dy="32">{escape(x.label)}</text>' if x.label else ""
    beside = f'<div class="side">{escape(y.label)}</div>' if y.label else ""
    size = "chart labelled" if x.label else "chart"
    return Markup(
        f'{beside}<div class="{size}" style="height:{height}px" role="img" aria-label="{escape(words)}"><svg>'
        f'{across}{up}<svg viewBox="0 0 {SIDE} {SIDE}" preserveAspectRatio="none" width="100%" height="100%">'
        f"{plane}</svg>"
        f"{over}{below}</svg></div>"
    )


def _places(ticks: Sequence[tuple[float, str]], along: Axis) -> list[tuple[float, str]]:
    return [(round(100 * float(along.share(value)), 2), str(escape(text))) for value, text in ticks]


def line(xs: Array, ys: Array, x: Axis, y: Axis, kind: str) -> str:
    """A line through points, broken where a value is not finite.

    Args:
        xs, ys: [point].
        x, y: axes.
        kind: classes of the style sheet.
    """
    across, down = SIDE * x.share(xs), SIDE * (1 - y.share(ys))
    parts, pen = [], "M"
    for a, b in zip(across.tolist(), down.tolist(), strict=True):
        if not (math.isfinite(a) and math.isfinite(b)):
            pen = "M"
            continue
        parts.append(f"{pen}{a:.4g} {b:.4g}")
        pen = "L"
    return f'<path class="{kind}" d="{"".join(parts)}"/>'


def level(value: float, y: Axis, kind: str) -> str:
    """A line across the chart at one height."""
    down = SIDE * (1 - float(y.share(value)))
    return f'<path class="{kind}" d="M0 {down:.4g}H{SIDE}"/>'


def upright(value: float, x: Axis, kind: str) -> str:
    """A line from bottom to top at one place."""
    across = SIDE * float(x.share(value))
    return f'<path class="{kind}" d="M{across:.4g} 0V{SIDE}"/>'


def columns(edges: Array, heights: Array, x: Axis, y: Axis, kind: str) -> str:
    """The filled outline of a histogram.

    Args:
        edges: [bin + 1].
        heights: [bin].
        x, y: axes.
        kind: classes of the style sheet.
    """
    across = SIDE * x.share(edges)
    down = SIDE * (1 - np.clip(y.share(heights), 0, 1))
    steps = "".join(f"V{d:.4g}H{a:.4g}" for d, a in zip(down.tolist(), across[1:].tolist(), strict=True))
    return f'<path class="{kind}" d="M{across[0]:.4g} {SIDE}{steps}V{SIDE}Z"/>'


def marks(xs: Array, ys: Array, x: Axis, y: Axis, symbol: str) -> str:
    """One symbol at every point, in pixels.

    Args:
        xs, ys: [point].
        x, y: axes.
        symbol: id of a symbol of the page.
    """
    places = zip((100 * x.share(xs)).tolist(), (100 * (1 - y.share(ys))).tolist(), strict=True)
    return "".join(f'<use href="#{symbol}" x="{a:.4g}%" y="{b:.4g}%"/>' for a, b in places)
