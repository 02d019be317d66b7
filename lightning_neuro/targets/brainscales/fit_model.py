"""First spikes of a network, and how those of one layer move with the constants of every neuron.

The exact emulator says when neurons spike; ``fit_kernels`` gives the derivatives of a crossing in the neuron's own
constants and in the times of its inputs. From layer to layer the chain rule goes backwards: with G[o, n] = dT_o / dT_n
of a recorded neuron o and neuron n of some layer, that of the layer before is G times the derivatives by its times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.targets.brainscales.chip_network import ChipLayer, ChipNetwork
from lightning_neuro.targets.brainscales.emulator import emulate
from lightning_neuro.targets.brainscales.fit_kernels import crossing_derivatives
from lightning_neuro.targets.brainscales.recording import events_of, first_spikes
from lightning_neuro.targets.brainscales.virtual_chip import LayerFactors, VirtualChip

FITTED = ("excitatory_gain", "inhibitory_gain", "tau_mem", "tau_syn")
"""Thresholds are not fitted: first spikes depend on weights over threshold alone."""
FIRST_LATENCY_US = 0.08
"""Where the fit begins: what jaxsnn corrects hardware spike times by, per layer (``yinyang_bss2.py``)."""
_GENTLEST = 0.05
"""Slope, thresholds per tau_syn, below which a crossing says more about noise than about constants."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unknowns:
    """Where a layer's unknowns are in the vector of all: logarithms of factors, then of the latency (us).

    Args:
        factors: [neuron, factor of ``FITTED``] places.
        latency: its place.
        synapses: [neuron, input] places.
    """

    factors: NDArray[np.int64]
    latency: int
    synapses: NDArray[np.int64]


def places(network: ChipNetwork) -> tuple[dict[str, Unknowns], int]:
    """Places of all unknowns by layer, and their number."""
    found, first = {}, 0
    for layer in network.layers:
        inputs = sum(p.weights.shape[1] for p in network.into(layer.name))
        factors = first + np.arange(layer.size * len(FITTED)).reshape(layer.size, len(FITTED))
        latency = first + factors.size
        synapses = latency + 1 + np.arange(layer.size * inputs).reshape(layer.size, inputs)
        found[layer.name] = Unknowns(factors=factors, latency=latency, synapses=synapses)
        first = latency + 1 + synapses.size
    return found, first


def start(network: ChipNetwork) -> Array:
    """The unknowns of textbook neurons."""
    where, count = places(network)
    values = np.zeros(count)
    values[[place.latency for place in where.values()]] = np.log(FIRST_LATENCY_US)
    return values


def chip_of(network: ChipNetwork, values: Array, grid_us: float) -> VirtualChip:
    """The noiseless chip with these unknowns."""
    layers = {}
    for name, place in places(network)[0].items():
        factors = dict(zip(FITTED, np.exp(values[place.factors]).T, strict=True))
        layers[name] = LayerFactors(
            threshold=np.ones(len(place.factors)),
            **factors,
            latency_us=float(np.exp(values[place.latency])),
            synapses=np.exp(values[place.synapses]),
        )
    return VirtualChip(name="fitted", layers=layers, threshold_run_std=0.0, jitter_us=0.0, grid_us=grid_us, seed=0)


def modelled_spikes(network: ChipNetwork, times: Array, values: Array) -> dict[str, Array]:
    """First spikes by population in hardware microseconds, [sample, neuron], inf = silent; the inputs' too.

    Args:
        network: feed-forward; each input line and neuron spikes at most once.
        times: [sample, line] spikes of the input lines, inf = silent.
        values: unknowns.
    """
    spikes = emulate(network, events_of(times), [chip_of(network, values, 0.0)], run=0)[0].spikes
    return {network.input: times} | {name: first_spikes(events) for name, events in spikes.items()}


def jacobian(network: ChipNetwork, known: Mapping[str, Array], values: Array, output: str) -> Array:
    """Derivatives of a layer's spikes in all unknowns, [sample, neuron, unknown]; 0 where it is silent.

    Args:
        network: see ``modelled_spikes``.
        known: its result.
        values: unknowns.
        output: name of the layer.
    """
    where, count = places(network)
    samples, size = known[output].shape
    result = np.zeros((samples, size, count))
    through = {output: np.broadcast_to(np.eye(size), (samples, size, size)) * np.isfinite(known[output])[:, :, None]}
    for layer in reversed(network.layers):
        if layer.name not in through:
            continue
        arrived, place = through.pop(layer.name), where[layer.name]
        by_constant, by_time, by_weight = _derivatives(network, layer, known, values, place)
        for derivatives, at in ((by_constant, place.factors), (by_weight, place.synapses)):
            result[:, :, at.ravel()] = (arrived[:, :, :, None] * derivatives[:, None]).reshape(samples, size, -1)
        result[:, :, place.latency] = arrived.sum(2) * np.exp(values[place.latency])
        before = arrived @ by_time
        first = 0
        for projection in network.into(layer.name):
            last = first + projection.weights.shape[1]
            if projection.pre != network.input:
                through[projection.pre] = through.get(projection.pre, 0.0) + before[:, :, first:last]
            first = last
    return result


def _derivatives(
    network: ChipNetwork, layer: ChipLayer, known: Mapping[str, Array], values: Array, place: Unknowns
) -> tuple[Array, Array, Array]:
    """Derivatives of a layer's spikes by constant [sample, neuron, factor], by time and by weight of each input."""
    incoming = network.into(layer.name)
    arriving = np.concatenate([known[p.pre] for p in incoming], axis=1)
    weights = np.concatenate([p.weights for p in incoming], axis=1) / layer.weight_scale
    weights *= np.exp(values[place.synapses])
    excitatory, inhibitory, tau_mem, tau_syn = np.exp(values[place.factors]).T
    samples, inputs = arriving.shape
    by_constant = np.empty((samples, layer.size, len(FITTED)))
    by_time, by_weight = np.empty((2, samples, layer.size, inputs))
    crossing_derivatives(
        known[layer.name] - np.exp(values[place.latency]),
        arriving,
        weights * np.where(weights > 0, excitatory[:, None], inhibitory[:, None]),
        layer.tau_mem_us * tau_mem,
        layer.tau_syn_us * tau_syn,
        _GENTLEST * (layer.threshold - layer.v_leak) / layer.tau_syn_us,
        by_constant,
        by_time,
        by_weight,
    )
    return by_constant, by_time, by_weight
