"""Quantise with data: ranges of read-outs and scales of weights are taken from runs on calibration samples."""

from __future__ import annotations

import numpy as np

from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.graph import golden
from lightning_neuro.graph.agreement import refine_event_formats, refine_formats
from lightning_neuro.graph.fixed import Format
from lightning_neuro.graph.hardware_graph import HardwareGraph, Population, ResetKind, SteppedNeuron
from lightning_neuro.graph.inputs import raster_of, takes_currents
from lightning_neuro.graph.quantize import best_lsb, choose_formats, counts, quantize, with_input_format
from lightning_neuro.graph.stored import StoredQuantization
from lightning_neuro.graph.widths import RATE_SPEC, Widths, widths_of

CALIBRATION_SAMPLES = 256
INPUT_BITS = 9  # of a current, sign included: holds 8-bit grey values exactly


def quantize_network(
    graph: HardwareGraph, widths: Widths, calibration: SpikeSet | SpikeTimeSet | None
) -> tuple[HardwareGraph, StoredQuantization]:
    """Choose formats and round a float graph.

    Args:
        graph: graph in real numbers; of one in continuous time only the weights are rounded.
        widths: of all populations, or of each.
        calibration: input samples; None uses worst cases for read-outs, least squares for weights and 0..1 for
            currents.

    Returns:
        The quantised graph and what to store so that it can be repeated without the data.
    """
    if isinstance(calibration, SpikeTimeSet):
        formats = choose_formats(graph, widths, membrane_range={})
        formats = refine_event_formats(graph, formats, calibration.times[:CALIBRATION_SAMPLES])
        quantized = quantize(graph, formats)
        return quantized, StoredQuantization.of(quantized, widths, formats)
    graph = with_input_format(graph, input_format(graph, calibration))
    formats = choose_formats(graph, widths, membrane_range=membrane_ranges(graph, calibration))
    narrow = any(widths_of(widths, p.name).weight_bits < RATE_SPEC.weight_bits for p in graph.populations)
    if calibration is not None and (narrow or not counts(graph)):  # wide ones of converted networks are good
        formats = refine_formats(graph, formats, calibration)
    quantized = quantize(graph, formats)
    return quantized, StoredQuantization.of(quantized, widths, formats)


def input_format(graph: HardwareGraph, calibration: SpikeSet | None) -> Format | None:
    """Format of integers at the input that loses least of its currents; None where lines carry spikes."""
    recorded = calibration is not None and calibration.spikes.dtype != np.uint8
    if not (recorded or takes_currents(graph)):
        return None
    values = np.ones(1) if calibration is None else calibration.spikes[:CALIBRATION_SAMPLES]
    distinct = np.unique(values).astype(np.float64)  # grey values have 256
    return Format(bits=INPUT_BITS, lsb=best_lsb(distinct, INPUT_BITS))


def membrane_ranges(graph: HardwareGraph, calibration: SpikeSet | None) -> dict[str, float]:
    """Largest |membrane|, in model units, of populations that nothing brings back: without reset, or without leak."""
    names = [p.name for p in graph.populations if _unbounded(p)]
    if calibration is None or not names:
        return {}
    raster = raster_of(calibration.take(slice(CALIBRATION_SAMPLES)), graph, "real")
    recording = golden.run(graph, raster, arithmetic="real", record=True)
    return {name: float(np.abs(recording.membrane[name]).max(initial=0.0)) for name in names}


def _unbounded(population: Population) -> bool:
    neuron = population.neuron
    if not isinstance(neuron, SteppedNeuron):  # in continuous time no membrane is rounded
        return False
    return neuron.reset.kind is ResetKind.NONE or bool((neuron.leak_mem.beta == 1.0).any())
