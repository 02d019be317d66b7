"""Put a report beside its artefact: report.json for programs, report.html with pictures for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import FirstSpike, HardwareGraph, ReadoutKind, ResetKind
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
        more: the target's own pictures.
    """
    (folder / "report.json").write_text(to_json(report), encoding="utf-8")
    pictures = (*_network_plots(real_graph, graph, vectors), *_cycle_plots(report.resources), *more)
    (folder / "report.html").write_text(to_html(report, plots=pictures), encoding="utf-8")


def _network_plots(real_graph: HardwareGraph, graph: HardwareGraph, vectors: TestVectors) -> tuple[Plot, ...]:
    sample = _telling_sample(vectors)
    spikes = vectors.expected.spikes
    label = int(vectors.labels[sample])
    output = graph.population(graph.output)
    neuron = output.neuron
    silent = isinstance(neuron, FirstSpike) or neuron.reset.kind is ResetKind.NONE
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


def _telling_sample(vectors: TestVectors) -> int:
    """The first sample classified rightly, else the first."""
    right = np.flatnonzero(vectors.expected.classes == vectors.labels)
    return int(right[0]) if len(right) else 0


def _weights(graph: HardwareGraph) -> dict[str, NDArray[np.float64]]:
    return {p.name: p.connection.weight.real.ravel() for p in graph.projections}


def _cycle_plots(resources: Mapping[str, object]) -> tuple[Plot, ...]:
    cycles, clock = resources.get("cycles_of_samples"), resources.get("clock_mhz")
    if not isinstance(cycles, list | tuple) or not isinstance(clock, int | float):
        return ()
    return (plots.cycles_histogram(np.asarray(cycles), float(clock) * 1e6),)
