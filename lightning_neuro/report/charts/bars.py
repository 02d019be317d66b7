"""Numbers as bars: a device's capacity, a read-out, activity."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from markupsafe import Markup

from lightning_neuro.report.model import Capacity
from lightning_neuro.report.observed import Array
from lightning_neuro.report.wording import number

MOST_CLASSES = 20


def bar(name: str, share: float, text: str, kind: str, keys: str = "") -> Markup:
    """One bar.

    Args:
        name: on its left.
        share: of the whole width, 0..1.
        text: on its right.
        kind: class of the style sheet.
        keys: further attributes, for programs.
    """
    wide = 100 * float(np.clip(share, 0, 1))
    return Markup(
        '<div class="bar"{}><span class="name">{}</span><span class="rail"><i class="{}" style="width:{}%"></i></span>'
        '<span class="value">{}</span></div>'
    ).format(Markup(keys), name, kind, f"{wide:.4g}", text)


def capacity(found: Capacity) -> Markup:
    """Draw what an artefact takes of its device; a bar of what does not fit is red."""
    bars = []
    for index, use in enumerate(found.uses):
        share = use.used / use.available
        text = f"{number(use.used)} of {number(use.available)}, {100 * share:.3g} %"
        keys = f' data-key="capacity.uses.{index}.used" data-value="{use.used}"'
        bars.append(bar(use.what, share, text, "failed" if share > 1 else "both", keys))
    return Markup('<div class="bars">{}</div>').format(Markup("").join(bars))


def scores(values: Array, label: int | None) -> Markup:
    """Draw the read-out of a sample; the answer is filled, red where the label says something else.

    Args:
        values: [class].
        label: the right class; None when unknown.
    """
    winner = int(np.argmax(values))
    shown = sorted(np.argsort(-values, kind="stable")[:MOST_CLASSES].tolist())
    low, high = min(0.0, float(values[shown].min())), float(values[shown].max())
    bars = []
    for k in shown:
        kind = "quiet" if k != winner else "both" if label is None or label == winner else "failed"
        name = f"class {k}" + (" ←" if k == label else "")
        bars.append(bar(name, (float(values[k]) - low) / ((high - low) or 1.0), number(_plain(values[k])), kind))
    return Markup('<div class="bars">{}</div>').format(Markup("").join(bars))


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value


def activity(rates: Mapping[str, Array]) -> Markup:
    """Draw how much each layer fires; cost in event-driven hardware is proportional to it.

    Args:
        rates: mean spikes per step of every neuron [neuron], between 0 and 1, by population.
    """
    means = {name: float(np.mean(rate)) for name, rate in rates.items()}
    top = max([*means.values(), 1e-6])
    bars = []
    for name, rate in rates.items():
        silent, always = int(np.sum(rate <= 0)), int(np.sum(rate >= 1))
        words = [f"{100 * means[name]:.1f} %", f"{silent} of {len(rate)} silent" if silent else ""]
        words.append(f"{always} always firing" if always else "")
        bars.append(bar(name, means[name] / top, ", ".join(filter(None, words)), "both"))
    return Markup('<div class="bars wide">{}</div>').format(Markup("").join(bars))


