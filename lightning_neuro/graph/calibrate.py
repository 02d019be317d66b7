"""Quantise with data: ranges of read-outs and scales of weights are taken from runs on calibration samples."""

from __future__ import annotations

import numpy as np

from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.graph import golden
from lightning_neuro.graph.agreement import refine_event_formats, refine_formats
from lightning_neuro.graph.hardware_graph import FirstSpike, HardwareGraph, ResetKind
from lightning_neuro.graph.quantize import Widths, choose_formats, quantize
from lightning_neuro.graph.stored import StoredQuantization

CALIBRATION_SAMPLES = 256


def quantize_network(
    graph: HardwareGraph, widths: Widths, calibration: SpikeSet | SpikeTimeSet | None
) -> tuple[HardwareGraph, StoredQuantization]:
    """Choose formats and round a float graph.

    Args:
        graph: graph in real numbers; of one in continuous time only the weights are rounded.
        widths: of all populations, or of each.
        calibration: input samples; None uses worst cases for read-outs and least squares for weights.

    Returns:
        The quantised graph and what to store so that it can be repeated without the data.
    """
    if isinstance(calibration, SpikeTimeSet):
        formats = choose_formats(graph, widths, membrane_range={})
        formats = refine_event_formats(graph, formats, calibration.times[:CALIBRATION_SAMPLES])
        quantized = quantize(graph, formats)
        return quantized, StoredQuantization.of(quantized, widths, formats)
    formats = choose_formats(graph, widths, membrane_range=readout_ranges(graph, calibration))
    if calibration is not None and calibration.spikes.dtype == np.uint8:
        formats = refine_formats(graph, formats, calibration.spikes)
    quantized = quantize(graph, formats)
    return quantized, StoredQuantization.of(quantized, widths, formats)


def readout_ranges(graph: HardwareGraph, calibration: SpikeSet | None) -> dict[str, float]:
    """Largest |membrane| of every population without reset, in model units."""
    names = [
        p.name
        for p in graph.populations
        if not isinstance(p.neuron, FirstSpike) and p.neuron.reset.kind is ResetKind.NONE
    ]
    if calibration is None or not names:
        return {}
    spikes = calibration.spikes[:CALIBRATION_SAMPLES]
    recording = golden.run(graph, spikes, arithmetic="real", record=True)
    return {name: float(np.abs(recording.membrane[name]).max(initial=0.0)) for name in names}
