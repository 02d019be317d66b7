"""The place where an artefact first left the golden model, with what both did around it."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from lightning_neuro.report.charts import membranes, raster
from lightning_neuro.report.model import Check, Difference, Report
from lightning_neuro.report.observed import Events, Observed, Overlay, overlay
from lightning_neuro.report.panels import Evidence, Panel

STEPS_AROUND = 6
NEURONS_AROUND = 6


def difference_panels(report: Report, evidence: Evidence) -> tuple[Panel, ...]:
    """One picture for every failed check that names the place; without a trace the words alone."""
    return tuple(
        _panel(index, check, check.difference, evidence)
        for index, check in enumerate(report.checks)
        if check.difference is not None
    )


def _panel(index: int, check: Check, found: Difference, evidence: Evidence) -> Panel:
    parts = ("layer", "sample", "neuron") if found.step is None else ("layer", "sample", "step", "neuron")
    place = Markup(", ").join(_part(index, found, part) for part in parts)
    words = Markup(
        "<p>Check <code>{}</code>: <strong>{}</strong>: {} expected <strong>{}</strong>, got <strong>{}</strong>.</p>"
    ).format(check.name, place, found.kind, found.expected, found.got)
    observed = next((o for o in evidence.observed if found.sample in o.samples and found.layer in o.spikes), None)
    caption, drawn = "No trace of this sample was recorded.", Markup("")
    if observed is not None and found.step is not None and evidence.stepped:
        drawn, caption = _around(found, observed, found.step, evidence)
    return Panel(title="First difference", body=words + drawn, caption=caption, wide=True)


def _part(index: int, found: Difference, part: str) -> Markup:
    """One part of the place, which programs can read too."""
    value = getattr(found, part)
    return Markup('{0} <span data-key="checks.{1}.difference.{0}" data-value="{2}">{2}</span>').format(
        part, index, value
    )


def _around(found: Difference, observed: Observed, step: int, evidence: Evidence) -> tuple[Markup, str]:
    row = observed.samples.index(found.sample)
    steps = evidence.vectors.spikes.shape[1]
    first, end = max(0, step - STEPS_AROUND), min(steps, step + STEPS_AROUND + 1)
    parts = [_spikes(found, observed, row, (first, end), evidence)]
    if found.layer in observed.membrane:
        parts.append(_membrane(found, observed, row, (first, end), step, evidence))
        parts.append(_values(found, observed, row, (first, end), step, evidence))
    caption = f"Golden model and {observed.by} from step {first} to {end - 1}; the line marks step {step}."
    return Markup("").join(parts), caption


def _spikes(
    found: Difference, observed: Observed, row: int, window: tuple[int, int], evidence: Evidence
) -> Markup:
    """The neuron and its neighbours."""
    size = evidence.graph.population(found.layer).size
    low = max(0, min(found.neuron - NEURONS_AROUND, size - 2 * NEURONS_AROUND - 1))
    high = min(size, low + 2 * NEURONS_AROUND + 1)
    golden = evidence.golden_spikes(found.layer, found.sample, observed.clock)
    laid = overlay(golden, observed.spikes[found.layer][row], observed.clock.tolerance)
    shown = Overlay(**{k: _within(getattr(laid, k), window, (low, high)) for k in ("both", "golden", "artefact")})
    time = raster.Time(unit="step", low=window[0] - 0.5, high=window[1] - 0.5, stepped=True)
    title = f"{found.layer}, neurons {low} to {high - 1}"
    return raster.key(True) + raster.raster(title, size, shown, time, last=True, neurons=(low, high))


def _within(events: Events, window: tuple[int, int], neurons: tuple[int, int]) -> Events:
    inside = (events.time >= window[0]) & (events.time < window[1])
    inside &= (events.neuron >= neurons[0]) & (events.neuron < neurons[1])
    return Events(neuron=events.neuron[inside], time=events.time[inside])


def _membrane(
    found: Difference, observed: Observed, row: int, window: tuple[int, int], step: int, evidence: Evidence
) -> Markup:
    golden, artefact = _traces(found, observed, row, window, evidence)
    thresholds = evidence.thresholds(found.layer)
    fired = evidence.vectors.expected.spikes[found.layer][found.sample, slice(*window), found.neuron]
    threshold = None if thresholds is None else float(thresholds[found.neuron])
    every = np.concatenate([golden, artefact, np.zeros(1) if threshold is None else np.array([threshold])])
    low, high = membranes.ends(every)
    one = membranes.Membrane(
        neuron=found.neuron,
        golden=golden,
        artefact=artefact,
        fired=np.flatnonzero(fired) + window[0],
        threshold=threshold,
    )
    title = f"membrane of neuron {found.neuron} of {found.layer} ({evidence.unit})"
    drawn = membranes.panel(
        one, low, high, evidence.unit, first=window[0], height=200, title=title, marked=step
    )
    return membranes.key(True) + drawn


def _traces(
    found: Difference, observed: Observed, row: int, window: tuple[int, int], evidence: Evidence
) -> tuple[np.ndarray, np.ndarray]:
    golden = evidence.vectors.expected.membrane[found.layer][found.sample, slice(*window), found.neuron]
    return golden.astype(float), observed.membrane[found.layer][row][slice(*window), found.neuron]


def _values(
    found: Difference, observed: Observed, row: int, window: tuple[int, int], step: int, evidence: Evidence
) -> Markup:
    """The same as a table: spikes and membranes, step by step."""
    golden, artefact = _traces(found, observed, row, window, evidence)
    fired = evidence.vectors.expected.spikes[found.layer][found.sample, slice(*window), found.neuron]
    seen = observed.spikes[found.layer][row]
    times = set(seen.time[seen.neuron == found.neuron].tolist())
    rows = Markup("").join(
        Markup('<tr{}><td class="number">{}</td><td class="number">{}</td><td class="number">{}</td>'
               '<td class="number">{}</td><td class="number">{}</td></tr>').format(
            Markup(' class="marked"') if at == step else "", at, int(fired[k]), int(float(at) in times),
            _text(golden[k]), _text(artefact[k]),
        )
        for k, at in enumerate(range(*window))
    )
    head = Markup("").join(
        Markup('<th class="number">{}</th>').format(word)
        for word in ("step", "spike, golden", "spike, artefact", "membrane, golden", "membrane, artefact")
    )
    return Markup(
        '<details><summary>step by step</summary><div class="scroll"><table><thead><tr>{}</tr></thead>'
        "<tbody>{}</tbody></table></div></details>"
    ).format(head, rows)


def _text(value: float) -> str:
    return "undefined" if not np.isfinite(value) else f"{value:g}" if value != int(value) else f"{int(value)}"
