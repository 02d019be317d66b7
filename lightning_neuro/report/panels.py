"""The pictures of a page, from the network, its golden recording, and what the artefact itself did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import (
    HardwareGraph,
    ReadoutKind,
    ResetKind,
    SteppedNeuron,
    TimeBase,
)
from lightning_neuro.report.charts import bars, histograms, membranes, raster
from lightning_neuro.report.model import Plot
from lightning_neuro.report.observed import STEPS, Clock, Events, Observed, Overlay, overlay, telling_samples
from lightning_neuro.report.wording import engineering
from lightning_neuro.targets.base import TestVectors

READOUT_WORDS: Mapping[ReadoutKind, str] = {
    ReadoutKind.SPIKE_COUNT: "spike count",
    ReadoutKind.FIRST_SPIKE: "steps left at first spike",
    ReadoutKind.MEMBRANE_MAX: "largest membrane",
    ReadoutKind.MEMBRANE_LAST: "last membrane",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A picture of the page.

    Args:
        title: a few words.
        body: HTML.
        caption: what is to be seen.
        wide: over the whole width.
        folded: closed until somebody opens it.
    """

    title: str
    body: Markup
    caption: str
    wide: bool = False
    folded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What the pictures of a page are drawn from.

    Args:
        real_graph: the network before rounding.
        graph: the network of the artefact.
        vectors: inputs and golden recording.
        observed: what the artefact itself did in some samples, one entry for each that ran it.
        words: smallest and largest membrane that the hardware holds, by population.
        plots: the target's own pictures.
    """

    real_graph: HardwareGraph
    graph: HardwareGraph
    vectors: TestVectors
    observed: Sequence[Observed] = ()
    words: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    plots: Sequence[Plot] = ()

    @property
    def stepped(self) -> bool:
        """Whether the network advances in steps."""
        return self.graph.time is TimeBase.STEPPED

    def golden_spikes(self, name: str, sample: int, clock: Clock) -> Events:
        """Spikes of the golden model, or of the input, on an artefact's clock."""
        is_input = name == self.graph.input.name
        if self.stepped:
            raster_ = (self.vectors.spikes if is_input else self.vectors.expected.spikes[name])[sample]
            time, neuron = np.nonzero(raster_)
        else:
            times = (self.vectors.spikes if is_input else self.vectors.expected.times[name])[sample]
            neuron = np.flatnonzero(np.isfinite(times))
            time = times[neuron]
        return Events(neuron=neuron, time=clock.factor * time + clock.offset)

    def thresholds(self, name: str) -> NDArray[Any] | None:
        """Thresholds in the unit of the membranes; None for a read-out that does not spike."""
        neuron = self.graph.population(name).neuron
        if isinstance(neuron, SteppedNeuron) and neuron.reset.kind is ResetKind.NONE:
            return None
        return neuron.threshold.integers() if self.integers else neuron.threshold.real

    @property
    def integers(self) -> bool:
        """Whether membranes are raw integers."""
        return all(np.issubdtype(m.dtype, np.integer) for m in self.vectors.expected.membrane.values())

    @property
    def unit(self) -> str:
        """Unit of the membranes."""
        return "LSB" if self.integers else "unit of the weights"


def panels(evidence: Evidence) -> tuple[Panel, ...]:
    """All pictures of the network and of the samples that were run."""
    drawn = [*sample_panels(evidence), _weights(evidence)]
    if evidence.stepped:
        drawn += [_ranges(evidence), _activity(evidence)]
    return tuple(drawn)


# -- samples -----------------------------------------------------------------------------------------------------


def sample_panels(evidence: Evidence) -> list[Panel]:
    """Rasters and membranes of the chosen samples, once for each that ran the artefact; the first one is open."""
    if not evidence.observed:
        v = evidence.vectors
        chosen = telling_samples(v.expected.classes, v.labels, range(len(v.labels)))
        return [panel for sample in chosen[:1] for panel in _of_sample(evidence, None, 0, sample, folded=False)]
    drawn: list[Panel] = []
    for found in evidence.observed:
        for row, sample in enumerate(found.samples):
            drawn += _of_sample(evidence, found, row, sample, folded=bool(drawn))
    return drawn


def _of_sample(evidence: Evidence, found: Observed | None, row: int, sample: int, *, folded: bool) -> list[Panel]:
    by = "golden model alone" if found is None else f"golden model and {found.by}"
    drawn = [
        Panel(
            title=f"Spikes of sample {sample}: {by}",
            body=_rasters(evidence, found, row, sample),
            caption=_answer(evidence, sample) + ("" if found is None else _agreement(evidence, found, row, sample)),
            wide=True,
            folded=folded,
        )
    ]
    if evidence.stepped:
        drawn.append(_membranes(evidence, found, row, sample, by, folded))
    return drawn


def overlays(evidence: Evidence, found: Observed | None, row: int, sample: int) -> dict[str, tuple[int, Overlay]]:
    """Size and overlaid spikes of the input and of every population."""
    clock = _clock(evidence, found)
    entry = evidence.golden_spikes(evidence.graph.input.name, sample, clock)
    layers = {evidence.graph.input.name: (evidence.graph.input.size, _same(entry))}
    for population in evidence.graph.populations:
        golden = evidence.golden_spikes(population.name, sample, clock)
        spikes = None if found is None else found.spikes.get(population.name)
        laid = _same(golden) if spikes is None else overlay(golden, spikes[row], clock.tolerance)
        layers[population.name] = (population.size, laid)
    return layers


def _clock(evidence: Evidence, found: Observed | None) -> Clock:
    if found is not None:
        return found.clock
    return STEPS if evidence.stepped else Clock(unit="ms", factor=1e3, offset=0.0, tolerance=0.0)


def _same(events: Events) -> Overlay:
    none = Events(neuron=events.neuron[:0], time=events.time[:0])
    return Overlay(both=events, golden=none, artefact=none)


def _rasters(evidence: Evidence, found: Observed | None, row: int, sample: int) -> Markup:
    layers = overlays(evidence, found, row, sample)
    clock = _clock(evidence, found)
    if clock == STEPS:
        low, high = -0.5, evidence.vectors.spikes.shape[1] - 0.5
    else:
        every = [e.time for _, o in layers.values() for e in (o.both, o.golden, o.artefact)]
        low, high = 0.0, 1.03 * max([float(t.max(initial=0)) for t in every] + [1e-9])
    time = raster.Time(unit=clock.unit, low=low, high=high, stepped=clock == STEPS)
    label = int(evidence.vectors.labels[sample])
    scores = evidence.vectors.expected.scores[sample]
    words = READOUT_WORDS[evidence.graph.readout] if evidence.stepped else "minus the time of the first spike (s)"
    readout = Markup('<div class="aside"><h3>read-out: {}</h3>{}</div>').format(
        words, bars.scores(np.nan_to_num(scores, neginf=np.nan, nan=np.nan), label if label >= 0 else None)
    ) if np.isfinite(scores).all() else Markup("")
    return Markup('{}<div class="with-aside"><div>{}</div>{}</div>').format(
        raster.key(found is not None), raster.rasters(layers, time), readout
    )


def _answer(evidence: Evidence, sample: int) -> str:
    answer, label = int(evidence.vectors.expected.classes[sample]), int(evidence.vectors.labels[sample])
    told = f", the label says {label}" if label >= 0 else ""
    return f"Every mark is a spike of one neuron. The golden model answers {answer}{told}."


def _agreement(evidence: Evidence, found: Observed, row: int, sample: int) -> str:
    layers = overlays(evidence, found, row, sample)
    wrong = sum(len(o.golden) + len(o.artefact) for _, o in layers.values())
    return f" {found.by}: every spike is the same." if not wrong else f" {found.by}: {wrong:,} spikes differ."


def _membranes(
    evidence: Evidence, found: Observed | None, row: int, sample: int, by: str, folded: bool
) -> Panel:
    name = evidence.graph.output
    golden = evidence.vectors.expected.membrane[name][sample].astype(float)
    recorded = None if found is None or name not in found.membrane else found.membrane[name][row]
    chosen = membranes.busiest(golden)
    thresholds, spikes = evidence.thresholds(name), evidence.vectors.expected.spikes[name][sample]
    drawn = [
        membranes.Membrane(
            neuron=neuron,
            golden=golden[:, neuron],
            artefact=None if recorded is None else recorded[:, neuron],
            fired=np.flatnonzero(spikes[:, neuron]) if thresholds is not None else np.zeros(0, int),
            threshold=None if thresholds is None else float(thresholds[neuron]),
        )
        for neuron in chosen
    ]
    left_out = golden.shape[1] - len(chosen)
    others = f" The {left_out} quieter neurons are left out." if left_out else ""
    silent = "" if recorded is not None or found is None else f" {found.by} does not record membranes here."
    return Panel(
        title=f"Membranes of {name} in sample {sample}: {by if recorded is not None else 'golden model alone'}",
        body=membranes.key(recorded is not None) + membranes.membranes(drawn, evidence.unit),
        caption=f"After the reset of each step, in {evidence.unit}.{others}{silent}",
        wide=True,
        folded=folded,
    )


# -- the network -------------------------------------------------------------------------------------------------


def _weights(evidence: Evidence) -> Panel:
    trained, rounded = weights_of(evidence.real_graph), weights_of(evidence.graph)
    rows = (histograms.weights(name, trained[name], rounded[name]) for name in trained)
    return Panel(
        title="Weights before and after rounding",
        body=Markup("").join(rows),
        caption="Grey: trained weights. Blue: the values the hardware holds and how often each is used.",
    )


def weights_of(graph: HardwareGraph) -> dict[str, NDArray[np.float64]]:
    """Weights by connected pair of layers; of pairs whose synapses differ in delay, those that exist."""
    pairs: dict[str, list[NDArray[np.float64]]] = {}
    for projection in graph.projections:
        weight = projection.connection.weight.real.ravel()
        pairs.setdefault(f"{projection.pre} -> {projection.post}", []).append(weight)
    return {
        name: parts[0] if len(parts) == 1 else np.concatenate([part[part != 0] for part in parts])
        for name, parts in pairs.items()
    }


def _ranges(evidence: Evidence) -> Panel:
    rows = []
    for name, values in evidence.vectors.expected.membrane.items():
        low, high = evidence.words.get(name, (None, None))
        word = histograms.Word(
            name=name,
            values=values,
            low=low,
            high=high,
            thresholds=evidence.thresholds(name),
            unit=evidence.unit,
        )
        rows.append(histograms.membrane_range(word))
    return Panel(
        title="Membranes and the word that holds them",
        body=Markup("").join(rows),
        caption="Membranes of all recorded samples, counts on a logarithmic scale; dashed: thresholds.",
    )


def _activity(evidence: Evidence) -> Panel:
    rates = {name: raster_.mean(axis=(0, 1)) for name, raster_ in evidence.vectors.expected.spikes.items()}
    return Panel(
        title="Activity",
        body=bars.activity(rates),
        caption="Mean share of neurons that fire in a step. Only spikes cost cycles in event-driven hardware.",
    )


def cycles_panel(resources: Mapping[str, object]) -> tuple[Panel, ...]:
    """How many clock cycles the samples took, where they were counted."""
    cycles, clock_mhz = resources.get("cycles_of_samples"), resources.get("clock_mhz")
    if not isinstance(cycles, list | tuple) or not isinstance(clock_mhz, int | float):
        return ()
    median, clock_hz = float(np.median(cycles)), 1e6 * float(clock_mhz)
    latency = f"{engineering(median / clock_hz, 's')} at {engineering(clock_hz, 'Hz')}"
    caption = f"Measured in simulation, {len(cycles)} samples; dashed: the median of {median:,.0f}, {latency}."
    return (Panel(title="Cycles per sample", body=histograms.cycles(np.asarray(cycles)), caption=caption),)
