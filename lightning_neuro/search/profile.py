"""Where an integer network leaves the real one: range, clipping and the first difference, layer by layer."""

from __future__ import annotations

import csv
import io
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.graph import golden
from lightning_neuro.graph.hardware_graph import HardwareGraph, TimeBase
from lightning_neuro.graph.inputs import raster_of

SAMPLES = 64  # of the calibration set


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerProfile:
    """One layer of the integer network beside the real one.

    Args:
        layer: population.
        weight_bits, state_bits: widths.
        clipped_weights: share of weights beyond the integers' range.
        zero_weights: share of weights that are rounded to 0.
        float_low, float_high: range of the real membrane, in thresholds.
        integer_low, integer_high: range that the integers can hold, in thresholds.
        saturated: share of (sample, step, neuron) with the membrane at an end of its range.
        spikes: of the real layer, per sample.
        differing: share of (sample, step, neuron) whose spike is another one.
        first_step: earliest step of any sample at which one is; -1 where all are equal.
    """

    layer: str
    weight_bits: int
    state_bits: int
    clipped_weights: float
    zero_weights: float
    float_low: float
    float_high: float
    integer_low: float
    integer_high: float
    saturated: float
    spikes: float
    differing: float
    first_step: int


def profile(
    real: HardwareGraph, integers: HardwareGraph, inputs: SpikeSet, saturated: dict[str, float]
) -> tuple[LayerProfile, ...]:
    """Run both networks on the same samples and compare them layer by layer.

    Args:
        real: network in real numbers.
        integers: the same, rounded.
        inputs: the first ``SAMPLES`` are used.
        saturated: share of saturated membranes by population.
    """
    assert real.time is TimeBase.STEPPED
    some = inputs.take(slice(SAMPLES))
    wanted = golden.run(real, raster_of(some, real, "real"), arithmetic="real", record=True)
    got = golden.run(integers, raster_of(some, integers, "fixed"), arithmetic="fixed", record=True)
    return tuple(
        _layer(real, integers, name, wanted, got, saturated.get(name, 0.0))
        for name in (population.name for population in real.populations)
    )


def _layer(
    real: HardwareGraph,
    integers: HardwareGraph,
    name: str,
    wanted: golden.Recording,
    got: golden.Recording,
    saturated: float,
) -> LayerProfile:
    population, rounded = real.population(name), integers.population(name)
    state = rounded.state_format
    assert state is not None
    unit = float(np.abs(population.stepped.threshold.real).max(initial=0.0)) or 1.0
    differ = wanted.spikes[name] != got.spikes[name]
    steps = np.flatnonzero(differ.any(axis=(0, 2)))
    clipped, zero, bits = _weights(real, integers, name)
    return LayerProfile(
        layer=name,
        weight_bits=bits,
        state_bits=state.bits,
        clipped_weights=clipped,
        zero_weights=zero,
        float_low=float(wanted.membrane[name].min(initial=0.0)) / unit,
        float_high=float(wanted.membrane[name].max(initial=0.0)) / unit,
        integer_low=state.low * state.lsb / unit,
        integer_high=state.high * state.lsb / unit,
        saturated=saturated,
        spikes=float(wanted.spikes[name].sum(axis=(1, 2)).mean()),
        differing=float(differ.mean()),
        first_step=int(steps[0]) if len(steps) else -1,
    )


def _weights(real: HardwareGraph, integers: HardwareGraph, name: str) -> tuple[float, float, int]:
    """Shares of clipped weights and of weights that became 0, and their bits."""
    values: list[NDArray[np.float64]] = []
    raws: list[NDArray[np.int64]] = []
    clipped = bits = 0
    for before, after in zip(real.into(name), integers.into(name), strict=True):
        format = after.connection.weight.format
        assert format is not None
        weight = before.connection.weight.real
        low, high = (format.low - 0.5) * format.lsb, (format.high + 0.5) * format.lsb
        clipped += int(((weight < low) | (weight > high)).sum())
        values.append(weight.ravel())
        raws.append(after.connection.weight.integers().ravel())
        bits = max(bits, format.bits)
    count = max(1, sum(len(part) for part in values))
    lost = sum(int(((raw == 0) & (value != 0)).sum()) for raw, value in zip(raws, values, strict=True))
    return clipped / count, lost / count, bits


def to_csv(layers: tuple[LayerProfile, ...]) -> str:
    """The profile as a table for programs."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([field.name for field in fields(LayerProfile)])
    writer.writerows(astuple(layer) for layer in layers)
    return text.getvalue()
