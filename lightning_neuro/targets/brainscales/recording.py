"""What a chip, real or virtual, answers: spikes of every layer, membranes of the read-out, classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.golden import NO_CLASS
from lightning_neuro.graph.hardware_graph import ReadoutKind, frozen
from lightning_neuro.targets.brainscales.chip_network import SpikeEvents


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Membranes:
    """Membranes of a read-out without threshold, [sample, neuron], model units from the leak potential.

    Args:
        largest: of the sample.
        last: at its end.
    """

    largest: NDArray[Any]
    last: NDArray[Any]

    def __post_init__(self) -> None:
        for name in ("largest", "last"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recording:
    """All samples on one chip.

    Args:
        chip: its name.
        spikes: by spiking layer.
        membranes: by layer that does not spike.
        classes: [sample], -1 where no output neuron spiked and the first one should have said the class.
    """

    chip: str
    spikes: Mapping[str, SpikeEvents]
    membranes: Mapping[str, Membranes]
    classes: NDArray[Any]


def first_spikes(events: SpikeEvents) -> NDArray[np.float64]:
    """First spike times in hardware microseconds, [sample, neuron]; inf where there is none."""
    times = np.full((events.samples, events.size), np.inf)
    np.minimum.at(times, (events.sample, events.neuron), events.time_us)
    return times


def spike_counts(events: SpikeEvents) -> NDArray[np.int64]:
    """Number of spikes, [sample, neuron]."""
    counts = np.bincount(events.sample * events.size + events.neuron, minlength=events.samples * events.size)
    return counts.reshape(events.samples, events.size)


def events_of(times_us: NDArray[Any]) -> SpikeEvents:
    """Spike events of one spike time per sample and neuron [sample, neuron], inf where there is none."""
    sample, neuron = np.nonzero(np.isfinite(times_us))
    samples, size = times_us.shape
    return SpikeEvents(sample=sample, neuron=neuron, time_us=times_us[sample, neuron], samples=samples, size=size)


def read_classes(kind: ReadoutKind, output: SpikeEvents | Membranes) -> NDArray[np.int64]:
    """Class of every sample [sample]; ties go to the lowest number."""
    return _READERS[kind](output).astype(np.int64)


def _earliest(events: SpikeEvents) -> NDArray[Any]:
    times = first_spikes(events)
    return np.where(np.isinf(times).all(1), NO_CLASS, times.argmin(1))


_READERS: dict[ReadoutKind, Callable[[Any], NDArray[Any]]] = {
    ReadoutKind.FIRST_SPIKE: _earliest,
    ReadoutKind.SPIKE_COUNT: lambda events: spike_counts(events).argmax(1),
    ReadoutKind.MEMBRANE_MAX: lambda membranes: membranes.largest.argmax(1),
    ReadoutKind.MEMBRANE_LAST: lambda membranes: membranes.last.argmax(1),
}
