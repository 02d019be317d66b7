"""Put a report beside its artefact: report.json for programs, report.html with pictures for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import HardwareGraph, ReadoutKind, ResetKind, TimeBase
from lightning_neuro.report import plots
from lightning_neuro.report.html import to_html
from lightning_neuro.report.json_form import to_json
from lightning_neuro.report.model import Plot, Report
from lightning_neuro.targets.base import TestVectors

READOUT_WORDS: Mapping[ReadoutKind, str] = {
    ReadoutKind.SPIKE_COUNT: "spike count",
    ReadoutKind.FIRST_SPIKE: "steps left at first spike",
    ReadoutKind.MEMBRANE_MAX: "largest membrane",
    ReadoutKind.MEMBRANE_LAST: "last membrane",
}


def write_report(
    report: Report,
    folder: Path,
    *,
    real_graph: HardwareGraph,
    graph: HardwareGraph,
    vectors: TestVectors,
    more: tuple[Plot, ...],
) -> None:
    """Write ``report.json`` and ``report.html`` into an artefact's folder.

    Args:
        report: what was found.
        folder: the artefact.
        real_graph: the network before rounding, for the weight histograms.
        graph: the network of the artefact.
        vectors: inputs and golden recording, for rasters and membranes.
        more: pictures to add.
    """
    (folder / "report.json").write_text(to_json(report), encoding="utf-8")
    network = _event_plots if graph.time is TimeBase.CONTINUOUS else _network_plots
    pictures = (*network(real_graph, graph, vectors), *more, *_cycle_plots(report.resources))
    (folder / "report.html").write_text(to_html(report, plots=pictures), encoding="utf-8")


def _network_plots(real_graph: HardwareGraph, graph: HardwareGraph, vectors: TestVectors) -> tuple[Plot, ...]:
    sample = _telling_sample(vectors)
    spikes = vectors.expected.spikes
    label = int(vectors.labels[sample])
    output = graph.population(graph.output)
    neuron = output.stepped
    silent = neuron.reset.kind is ResetKind.NONE
    membrane = vectors.expected.membrane[graph.output][sample]
    integers = np.issubdtype(membrane.dtype, np.integer)
    return (
        plots.spike_raster(
            {
                graph.input.name: vectors.spikes[sample],
                **{name: raster[sample] for name, raster in spikes.items()},
            },
            vectors.expected.scores[sample],
            READOUT_WORDS[graph.readout],
            label if label >= 0 else None,
        ),
        plots.membrane_traces(
            membrane,
            spikes[graph.output][sample],
            None if silent else neuron.threshold.integers() if integers else neuron.threshold.real,
            graph.output,
            "LSB" if integers else "unit of the weights",
        ),
        plots.weight_histograms(_weights(real_graph), _weights(graph)),
        plots.activity({name: raster.mean(axis=(0, 1)) for name, raster in spikes.items()}),
    )


def _event_plots(real_graph: HardwareGraph, graph: HardwareGraph, vectors: TestVectors) -> tuple[Plot, ...]:
    """Pictures of a network in continuous time, which has no rasters and no recorded membranes."""
    sample = _telling_sample(vectors)
    label = int(vectors.labels[sample])
    times = {graph.input.name: vectors.spikes[sample]}
    times |= {name: found[sample] for name, found in vectors.expected.times.items()}
    return (
        plots.first_spikes(times, int(vectors.expected.classes[sample]), label if label >= 0 else None),
        plots.weight_histograms(_weights(real_graph), _weights(graph)),
    )


def _telling_sample(vectors: TestVectors) -> int:
    """The first sample classified rightly, else the first."""
    right = np.flatnonzero(vectors.expected.classes == vectors.labels)
    return int(right[0]) if len(right) else 0


def _weights(graph: HardwareGraph) -> dict[str, NDArray[np.float64]]:
    """Weights by connected pair of layers; of pairs whose synapses differ in delay, those that exist."""
    pairs: dict[str, list[NDArray[np.float64]]] = {}
    for projection in graph.projections:
        weight = projection.connection.weight.real.ravel()
        pairs.setdefault(f"{projection.pre} -> {projection.post}", []).append(weight)
    return {
        name: parts[0] if len(parts) == 1 else np.concatenate([part[part != 0] for part in parts])
        for name, parts in pairs.items()
    }


def _cycle_plots(resources: Mapping[str, object]) -> tuple[Plot, ...]:
    cycles, clock = resources.get("cycles_of_samples"), resources.get("clock_mhz")
    if not isinstance(cycles, list | tuple) or not isinstance(clock, int | float):
        return ()
    return (plots.cycles_histogram(np.asarray(cycles), float(clock) * 1e6),)
