"""Membranes of a few neurons during one sample, golden model and artefact over each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from lightning_neuro.report.charts.plane import axis, chart, level, line, upright
from lightning_neuro.report.observed import Array

MOST_NEURONS = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Membrane:
    """One neuron during one sample.

    Args:
        neuron: its number.
        golden: membrane after the reset of each step [step].
        artefact: the same of the artefact, NaN where it was not recorded; None when it does not record it.
        fired: steps in which the golden model spikes.
        threshold: None for a read-out that does not spike.
    """

    neuron: int
    golden: Array
    artefact: Array | None
    fired: Array
    threshold: float | None


def key(recorded: bool) -> Markup:
    """The legend of all membranes of a page."""
    artefact = '<span><i class="line artefact"></i>artefact</span>' if recorded else ""
    return Markup(
        f'<p class="key"><span><i class="line golden"></i>golden model</span>{artefact}'
        '<span><i class="line threshold"></i>threshold</span><span><i class="fired"></i>spike</span></p>'
    )


def busiest(membrane: Array) -> list[int]:
    """Neurons whose membranes go furthest, at most ``MOST_NEURONS``, in their order.

    Args:
        membrane: [step, neuron].
    """
    order = np.argsort(-np.abs(membrane).max(axis=0, initial=0), kind="stable")
    return sorted(order[:MOST_NEURONS].tolist())


def membranes(found: list[Membrane], unit: str) -> Markup:
    """Draw neurons side by side with the same axes.

    Args:
        found: neurons.
        unit: of the membranes.
    """
    values = [m.golden for m in found] + [m.artefact for m in found if m.artefact is not None]
    values += [np.array([m.threshold]) for m in found if m.threshold is not None]
    every = np.concatenate(values)
    low, high = ends(every)
    panels = (panel(m, low, high, unit, first=0, height=120, title=f"neuron {m.neuron}") for m in found)
    return Markup('<div class="many">{}</div>').format(Markup("").join(panels))


def ends(values: Array) -> tuple[float, float]:
    """Ends of an axis for some membranes, 0 among them, with some room."""
    values = values[np.isfinite(values)]
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    room = 0.06 * ((high - low) or 1.0)
    return low - room, high + room


def panel(
    m: Membrane, low: float, high: float, unit: str, *, first: int, height: int, title: str, marked: int | None = None
) -> Markup:
    """Draw one neuron.

    Args:
        m: neuron.
        low, high: ends of the membrane axis.
        unit: of the membrane.
        first: step of the first value.
        height: in pixels.
        title: above it.
        marked: a step to point out.
    """
    steps = np.arange(len(m.golden)) + first
    x = axis(first - 0.5, first + len(steps) - 0.5, "time step", whole=True)
    y = axis(low, high, "", ticks=3)
    plane = "" if marked is None else upright(marked, x, "marked")
    plane += "" if m.threshold is None else level(m.threshold, y, "threshold")
    plane += line(steps, m.golden, x, y, "trace golden")
    plane += "" if m.artefact is None else line(steps, m.artefact, x, y, "trace artefact")
    fired = "".join(f'<use href="#mark-fired" x="{100 * float(x.share(step)):.4g}%" y="0"/>' for step in m.fired)
    same = m.artefact is None or np.array_equal(m.golden, m.artefact)
    words = f"{title}: membrane in {unit}, golden model and artefact {'agree' if same else 'differ'}"
    return Markup('<div><h3>{}</h3>{}</div>').format(
        title, chart(x, y, height=height, words=words, plane=plane, over=fired)
    )
