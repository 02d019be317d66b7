"""A network in the chip's own units: signed weights in LSB, hardware microseconds, one parameter set per layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import ReadoutKind, frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class ChipLayer:
    """Neurons with the same parameters: current-based leaky integrate-and-fire, exponential synapses.

    ``tau_mem v' = v_leak - v + i``, ``tau_syn i' = -i``; a spike over a synapse of w LSB adds ``w / weight_scale`` to i
    (no division by tau_syn); spike where ``v > threshold``, then v stays at ``v_reset`` for the refractory time.

    Args:
        name: of the population.
        size: neurons.
        spiking: False for a read-out of the membrane without threshold.
        tau_mem_us, tau_syn_us: time constants in hardware microseconds.
        threshold, v_leak, v_reset: model units (a threshold of 1 is usual, leak and reset 0).
        refractory_us: hardware microseconds; longer than the sample where a neuron may spike once only.
        weight_scale: LSB per model weight: LSB that raise i by 1 model unit.
    """

    name: str
    size: int
    spiking: bool
    tau_mem_us: float
    tau_syn_us: float
    threshold: float
    v_leak: float
    v_reset: float
    refractory_us: float
    weight_scale: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChipProjection:
    """Synapses between two populations, or from the input lines.

    Args:
        pre: name of a layer, or the input's.
        post: name of a layer.
        weights: signed LSB, [post, pre]; beyond +-63 a source is repeated: ``ceil(max |w| / 63)`` rows of each sign.
    """

    pre: str
    post: str
    weights: NDArray[np.int64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", frozen(self.weights, np.int64))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChipNetwork:
    """A feed-forward network for the chip.

    Args:
        input: name of the input.
        lines: input lines, bias lines included.
        layers: in topological order.
        projections: synapses.
        output: name of the layer that is read out.
        readout: how the class is read.
        sample_us: length of a sample.
        gap_us: silence after it, so that nothing is left of it.
        speedup: hardware time runs this many times faster than the model's.
        notes: what the mapping changed, sentences for the report.
    """

    input: str
    lines: int
    layers: tuple[ChipLayer, ...]
    projections: tuple[ChipProjection, ...]
    output: str
    readout: ReadoutKind
    sample_us: float
    gap_us: float
    speedup: float
    notes: tuple[str, ...]

    def layer(self, name: str) -> ChipLayer:
        """Layer by name."""
        return next(layer for layer in self.layers if layer.name == name)

    def into(self, name: str) -> tuple[ChipProjection, ...]:
        """Projections that end in a layer."""
        return tuple(p for p in self.projections if p.post == name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpikeEvents:
    """Spikes of many samples as a list of events, sorted by sample and time.

    Args:
        sample: sample of each event, [event].
        neuron: neuron or input line, [event].
        time_us: hardware microseconds from the sample's start, [event].
        samples: number of samples, silent ones included.
        size: number of neurons or lines, silent ones included.
    """

    sample: NDArray[Any]
    neuron: NDArray[Any]
    time_us: NDArray[Any]
    samples: int
    size: int

    def __post_init__(self) -> None:
        order = np.lexsort((self.neuron, self.time_us, self.sample))
        object.__setattr__(self, "sample", frozen(np.asarray(self.sample)[order], np.int64))
        object.__setattr__(self, "neuron", frozen(np.asarray(self.neuron)[order], np.int64))
        object.__setattr__(self, "time_us", frozen(np.asarray(self.time_us)[order], np.float64))
