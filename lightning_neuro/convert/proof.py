"""Whether a network that was written, read back and lowered does what the conversion computed."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lightning_neuro.checkpoint import NetworkRecord, first_samples
from lightning_neuro.convert.result import ConversionResult
from lightning_neuro.convert.schedule import heard_until
from lightning_neuro.convert.simulate import simulate
from lightning_neuro.graph import golden
from lightning_neuro.graph.compare import MEMBRANE_TOLERANCE, Comparison
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.graph.inputs import raster_of

SAMPLES = 24


def compare_conversion(graph: HardwareGraph, record: NetworkRecord, conversion: ConversionResult) -> Comparison:
    """Run both on evaluation samples; compare every neuron's number of spikes and the read-out's membranes.

    Args:
        graph: read back, in real numbers; its populations have the names of the conversion's layers.
        record: of the checkpoint, for its evaluation inputs.
        conversion: networks, and the same samples as the ANN takes them.
    """
    assert record.evaluation is not None, "a conversion records its inputs"
    values = conversion.samples[:SAMPLES]
    raster = raster_of(first_samples(record.evaluation, len(values)), graph, "real")
    recording = golden.run(graph, raster, arithmetic="real", record=True)
    steps, network = conversion.plan.options.steps, conversion.converted.network
    run = simulate(network, values, (steps,), first_id=0, dtype=torch.float64, layers=None, count=True)
    found = {
        layer.name: (
            recording.spikes[layer.name][:, : heard_until(network, layer, steps)].sum(axis=1),
            run.counts[layer.name][:, 0].numpy(),
        )
        for layer in network.layers
        if layer.threshold is not None
    }
    last = network.layers[-1]
    if last.threshold is None:
        found[last.name] = (recording.membrane[last.name][:, -1], run.scores[:, 0].numpy())
    slots, mismatches, first = 0, 0, ""
    for name, (got, expected) in found.items():
        differs = _differs(got, expected)
        if differs.any() and not first:
            sample, neuron = (int(k) for k in np.argwhere(differs)[0])
            first = f"layer {name}, sample {sample}, neuron {neuron}"
        slots, mismatches = slots + differs.size, mismatches + int(differs.sum())
    return Comparison(slots=slots, mismatches=mismatches, ties=0, first=first)


def _differs(got: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.bool_]:
    if np.issubdtype(got.dtype, np.integer):
        return got != expected
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    return np.abs(got - expected) > MEMBRANE_TOLERANCE * scale
