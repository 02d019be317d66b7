"""Weights before and after rounding, and membranes against what their word holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from lightning_neuro.report.charts.plane import axis, chart, columns, tick_text, upright
from lightning_neuro.report.observed import Array

_MOST_BARS = 120
_BINS = 64


def weights(name: str, trained: Array, rounded: Array) -> Markup:
    """Draw how rounding changed the weights of one pair of layers.

    Args:
        name: of the pair.
        trained: weights before rounding, any shape.
        rounded: the same after it, in the same unit.
    """
    trained, rounded = np.ravel(trained), np.ravel(rounded)
    values = np.unique(rounded)
    edges, bars = _grid(trained, values)
    before, after = np.histogram(trained, edges)[0], np.histogram(rounded, edges)[0]
    x = axis(float(edges[0]), float(edges[-1]), "")
    y = axis(0, 1.08 * max(1, before.max(initial=0), after.max(initial=0)), "", ticks=3, whole=True)
    plane = columns(edges, before, x, y, "fill quiet")
    plane += "".join(
        columns(np.array(bars[k]), after[k : k + 1], x, y, "fill both") for k in np.flatnonzero(after).tolist()
    )
    told = f"{len(trained):,} weights, {len(values):,} different values"
    return Markup(
        f'<div class="row"><h3>{escape(name)}</h3><p class="soft">{told}</p>'
        f"{chart(x, y, height=110, words=f'{name}: {told}', plane=plane)}</div>"
    )


def _grid(trained: Array, values: Array) -> tuple[Array, list[tuple[float, float]]]:
    """Edges of bins around the values that the hardware has, and a bar within each."""
    low, high = min(trained.min(initial=0), values[0]), max(trained.max(initial=0), values[-1])
    finest = float(np.diff(values).min()) if len(values) > 1 else 1.0
    step = finest * max(1, int(np.ceil((high - low) / finest / _MOST_BARS)))  # wide words: many values in a bar
    first = values[0] - step * np.ceil((values[0] - low) / step)
    centres = first + step * np.arange(int(np.ceil((high - first) / step)) + 2)
    edges = np.append(centres - step / 2, centres[-1] + step / 2)
    return edges, [(c - 0.3 * step, c + 0.3 * step) for c in centres.tolist()]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Word:
    """Membranes of a population and the word that holds them.

    Args:
        name: of the population.
        values: membranes of all recorded samples, any shape.
        low, high: what the word holds; None where it is not a word.
        thresholds: of the neurons; None for a read-out that does not spike.
        unit: of all of them.
    """

    name: str
    values: Array
    low: float | None
    high: float | None
    thresholds: Array | None
    unit: str


def membrane_range(word: Word) -> Markup:
    """Draw how often membranes have which value, over the whole word, counts on a logarithmic scale."""
    values = np.ravel(word.values)
    values = values[np.isfinite(values)]
    least, most = float(values.min(initial=0)), float(values.max(initial=0))
    low, high = word.low, word.high
    if low is None or high is None:
        room = 0.05 * ((most - least) or 1.0)
        low, high = least - room, most + room
    edges = np.linspace(low, high, _BINS + 1)
    counts = np.histogram(np.clip(values, low, high), edges)[0]
    top = np.log10(max(10, counts.max(initial=0))) * 1.08
    x, y = axis(low, high, f"membrane ({word.unit})"), axis(0, 1, "", ticks=1)
    y = type(y)(low=0.0, high=float(top), label="", ticks=tuple((k, f"{10**k:,}") for k in range(int(top) + 1))[::2])
    plane = columns(edges, np.where(counts > 0, np.log10(np.maximum(counts, 1)) + 0.15, 0), x, y, "fill both")
    if word.thresholds is not None:
        plane += "".join(upright(value, x, "threshold") for value in np.unique(word.thresholds)[:20].tolist())
    told = range_words(word, least, most, values)
    return Markup(
        f'<div class="row"><h3>{escape(word.name)}</h3><p class="soft">{told}</p>'
        f"{chart(x, y, height=90, words=f'{word.name}: {told}', plane=plane)}</div>"
    )


def range_words(word: Word, least: float, most: float, values: Array) -> str:
    """How much of its word a population uses, in words."""
    told = f"{tick_text(least)} to {tick_text(most)} {word.unit}"
    if word.low is None or word.high is None:
        return told
    used = max(least / word.low if word.low < 0 else 0.0, most / word.high if word.high > 0 else 0.0)
    ends = int(np.sum((values <= word.low) | (values >= word.high)))
    full = f"at the end of the word {ends:,} times" if ends else "never at the end of the word"
    return f"{told}, {100 * used:.3g} % of the word ({tick_text(word.low)} to {tick_text(word.high)}), {full}"


def cycles(values: Array) -> Markup:
    """Draw how many clock cycles the samples took.

    Args:
        values: measured clock cycles [sample].
    """
    least, most = float(values.min()), float(values.max())
    room = 0.03 * ((most - least) or 1.0)
    edges = np.linspace(least - room, most + room, min(30, max(5, len(values) // 2)) + 1)
    counts = np.histogram(values, edges)[0]
    x = axis(float(edges[0]), float(edges[-1]), "clock cycles per sample")
    y = axis(0, 1.1 * max(1, counts.max()), "", ticks=3, whole=True)
    plane = columns(edges, counts, x, y, "fill both") + upright(float(np.median(values)), x, "threshold")
    return chart(x, y, height=130, words=f"{len(values)} samples took {least:,.0f} to {most:,.0f} cycles", plane=plane)
