"""A hardware graph as a chip network: hardware time, signed integer weights, one parameter set per layer.

Weights: a population is unchanged when its weights and its threshold are scaled together, but on the chip a LSB has a
size: ``analog.weight_scale`` LSB (78) let the current jump by the distance from leak to threshold. So the scale comes
from the hardware and never from ``max |w|``. Two cases:

* the weights lie on a grid of up to 63 steps (trained on it, or rounded by ``Quantize``), and the threshold that makes
  it the chip's lies at a distance from the leak between ``DISTANCE.low`` and ``DISTANCE.high`` CADC LSB: they are kept
  to the last bit, and the layer's threshold voltage is moved instead;
* otherwise the real weights are rounded, half to even, to ``threshold / weight_scale``. Weights beyond 63 LSB stay: a
  source is repeated on more rows.

A read-out without threshold has no scale of its own; its weights are as large as 63 LSB and the converter's range
allow: one spike of every excitatory synapse of a neuron, all at once, reaches from the leak to the end of the reliable
range. Thresholds that differ within a layer are folded into the weights, which is exact; time constants must be equal.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.fixed import round_half_even
from lightning_neuro.graph.hardware_graph import Dense, HardwareGraph, Population
from lightning_neuro.targets.brainscales.analog import RELIABLE_CADC, AnalogParameters, Range, peak_per_jump
from lightning_neuro.targets.brainscales.chip_network import ChipLayer, ChipNetwork, ChipProjection
from lightning_neuro.targets.brainscales.chip_resources import LARGEST_WEIGHT
from lightning_neuro.targets.brainscales.mapping_cells import Cell, MappingOptions, cell_of, sample_length_us
from lightning_neuro.targets.brainscales.mapping_notes import LayerChange, mapping_notes

DISTANCE = Range(low=50, high=130, unit="CADC LSB")
"""From leak to threshold, for weights that keep their integers: smaller ones drown in the spread between neurons
(thresholds are calibrated to a few LSB), larger ones leave the reliable range of the converter."""
NEAR = Range(low=0.8, high=1.2, unit="")
"""Scale of a read-out's own integers over the one it would get: inside they are kept."""
GAP_TAUS = 15.0
"""Time constants between samples: what is left of a potential is less than 1e-5 of it."""
_GRID = 1e-5  # LSB; how far from an integer a kept weight may be: checkpoints hold single precision


def chip_network(graph: HardwareGraph, options: MappingOptions) -> ChipNetwork:
    """Map a graph that passed ``constraints.check_graph``.

    Args:
        graph: feed-forward and fully connected, quantised or not.
        options: settings.

    Returns:
        The network in hardware time and LSB. Its notes say what was changed.
    """
    sample = sample_length_us(graph, options)
    assert sample is not None, "a graph without length of a sample passed the constraints"
    layers, projections, changes = [], [], []
    for population in graph.populations:
        cell = cell_of(graph, population, options)
        layer, incoming, change = _layer(graph, population, cell, options.analog)
        layers.append(layer)
        projections += incoming
        changes.append(change)
    longest = max(max(layer.tau_mem_us, layer.tau_syn_us) for layer in layers)
    gap = max(GAP_TAUS * longest, *(layer.refractory_us for layer in layers))
    return ChipNetwork(
        input=graph.input.name,
        lines=graph.input.size,
        layers=tuple(layers),
        projections=tuple(projections),
        output=graph.output,
        readout=graph.readout,
        sample_us=sample,
        gap_us=gap if options.gap_us is None else options.gap_us,
        speedup=options.speedup,
        notes=mapping_notes(graph, options, tuple(changes)),
    )


def _layer(
    graph: HardwareGraph, population: Population, cell: Cell, analog: AnalogParameters
) -> tuple[ChipLayer, list[ChipProjection], LayerChange]:
    threshold = float(np.mean(cell.threshold)) if cell.spiking else 1.0
    fold = threshold / cell.threshold if cell.spiking else np.ones(population.size)
    jumps = {}
    for projection in graph.into(population.name):
        assert isinstance(projection.connection, Dense), "a connection that is not dense passed the constraints"
        jump = projection.connection.weight.real * (cell.jump * fold)[:, None]
        jumps[projection.pre] = jumps.get(projection.pre, 0.0) + jump
    if cell.spiking:
        scale, kept = weight_scale(list(jumps.values()), threshold, analog)
    else:
        scale, kept = readout_scale(list(jumps.values()), cell, analog)
    raw = {pre: round_half_even(jump * scale) for pre, jump in jumps.items()}
    layer = ChipLayer(
        name=population.name,
        size=population.size,
        spiking=cell.spiking,
        tau_mem_us=float(cell.tau_mem_us[0]),
        tau_syn_us=float(cell.tau_syn_us[0]),
        threshold=threshold,
        v_leak=0.0,
        v_reset=float(np.mean(cell.v_reset)),
        refractory_us=cell.refractory_us,
        weight_scale=scale,
    )
    incoming = [ChipProjection(pre=pre, post=population.name, weights=weights) for pre, weights in raw.items()]
    errors = np.concatenate([np.abs(raw[pre] - jumps[pre] * scale).ravel() for pre in raw] or [np.zeros(1)])
    change = LayerChange(
        name=population.name,
        kept=kept,
        folded=bool(np.ptp(cell.threshold) > 0) and cell.spiking,
        lsb_per_threshold=scale * threshold if cell.spiking else None,
        largest_lsb=max((int(np.abs(weights).max(initial=0)) for weights in raw.values()), default=0),
        rounding_lsb=float(np.sqrt(np.mean(errors**2))),
        tau_syn_us=layer.tau_syn_us,
        refractory_us=layer.refractory_us,
    )
    return layer, incoming, change


def weight_scale(jumps: list[NDArray[np.float64]], threshold: float, analog: AnalogParameters) -> tuple[float, bool]:
    """LSB per model unit of a layer that spikes, and whether its weights are whole LSB already.

    Args:
        jumps: what each synapse adds to the current, model units, [post, pre].
        threshold: of the layer, model units.
        analog: operating point.
    """
    wanted = analog.weight_scale / threshold
    per_scale = threshold / analog.weight_scale * analog.distance  # CADC LSB from leak to threshold, per scale
    fitting = [scale for scale in grids(jumps) if DISTANCE.holds(scale * per_scale)]
    if fitting:
        return min(fitting, key=lambda scale: abs(math.log(scale / wanted))), True
    return wanted, False


def readout_scale(jumps: list[NDArray[np.float64]], cell: Cell, analog: AnalogParameters) -> tuple[float, bool]:
    """LSB per model unit of a read-out, limited by 63 LSB and the converter's range; whether weights are kept.

    Args:
        jumps: what each synapse adds to the current, model units, [post, pre].
        cell: its neurons.
        analog: operating point.
    """
    largest = max((float(np.abs(jump).max(initial=0.0)) for jump in jumps), default=0.0)
    if largest == 0.0:
        return 1.0, False
    every = np.concatenate(jumps, axis=1)
    together = float(np.maximum(every, 0.0).sum(axis=1).max())  # one spike of each excitatory synapse
    peak = together * peak_per_jump(float(cell.tau_mem_us[0]), float(cell.tau_syn_us[0]))
    room = (RELIABLE_CADC.high - analog.leak) / analog.distance * analog.weight_scale  # LSB of weight
    wanted = min(LARGEST_WEIGHT / largest, room / peak if peak > 0 else np.inf)
    fitting = [scale for scale in grids(jumps) if NEAR.holds(scale / wanted)]
    if fitting:
        return min(fitting, key=lambda scale: abs(math.log(scale / wanted))), True
    return wanted, False


def grids(jumps: list[NDArray[np.float64]]) -> list[float]:
    """Scales, LSB per model unit, that make all jumps whole numbers of up to 63 LSB; mostly there is none.

    >>> grids([np.array([[0.5, -1.0, 0.25]])])[:3]
    [4.0, 8.0, 12.0]
    """
    values = np.concatenate([jump.ravel() for jump in jumps] or [np.zeros(0)])
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return []
    scales = [n / largest for n in range(1, LARGEST_WEIGHT + 1)]
    return [scale for scale in scales if _whole(values[:64] * scale) and _whole(values * scale)]  # a few tell most


def _whole(values: NDArray[np.float64]) -> bool:
    return bool(np.abs(values - np.rint(values)).max(initial=0.0) < _GRID)


def with_scale(network: ChipNetwork, factor: float) -> ChipNetwork:
    """The same weights on a chip whose LSB are ``factor`` times as strong, as an on-chip search for the scale finds.

    Args:
        network: any.
        factor: on what a LSB adds to the current.
    """
    layers = tuple(dataclasses.replace(layer, weight_scale=layer.weight_scale / factor) for layer in network.layers)
    return dataclasses.replace(network, layers=layers)
