"""What an artefact itself did in some of the recorded samples, in a form that a page can lay over the golden model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """How times of the golden model read on the artefact's clock: ``factor * time + offset``.

    Args:
        unit: of the artefact's times, ``"step"`` or e.g. ``"µs"``.
        factor: units per step of the golden model, or per second where it is in continuous time.
        offset: units.
        tolerance: units; two spikes of a neuron not further apart are the same spike.
    """

    unit: str
    factor: float
    offset: float
    tolerance: float


STEPS = Clock(unit="step", factor=1.0, offset=0.0, tolerance=0.0)
"""The clock of artefacts that advance in the golden model's steps: spikes are the same in the same step only."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Events:
    """Spikes of one population in one sample.

    Args:
        neuron: [spike].
        time: [spike], in units of a clock.
    """

    neuron: Array
    time: Array

    def __len__(self) -> int:
        return len(self.neuron)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """What ran the artefact, and what it did.

    Args:
        by: who ran it, for example ``"GHDL"``.
        samples: numbers of the recorded samples.
        spikes: by population, one entry per sample.
        membrane: [sample, step, neuron] by population, in the unit of the golden recording, NaN where nothing was
            recorded; populations whose membranes were not recorded are left out.
        clock: of the spike times.
    """

    by: str
    samples: tuple[int, ...]
    spikes: Mapping[str, tuple[Events, ...]]
    membrane: Mapping[str, Array]
    clock: Clock = STEPS


def events_of_raster(raster: Array) -> Events:
    """Spikes of a raster [step, neuron], times in steps; entries that are not 0 or NaN are spikes.

    >>> events_of_raster(np.array([[0, 1], [1, 0]])).neuron.tolist()
    [1, 0]
    """
    step, neuron = np.nonzero(np.nan_to_num(raster))
    return Events(neuron=neuron, time=step.astype(float))


def observed_rasters(
    by: str, samples: Sequence[int], spikes: Mapping[str, Array], membrane: Mapping[str, Array]
) -> Observed:
    """What an artefact did that advances in the golden model's steps.

    Args:
        by: who ran it.
        samples: numbers of the recorded samples, one per row of the arrays.
        spikes: rasters [sample, step, neuron] by population.
        membrane: [sample, step, neuron] by population.
    """
    return Observed(
        by=by,
        samples=tuple(int(sample) for sample in samples),
        spikes={name: tuple(events_of_raster(raster) for raster in rasters) for name, rasters in spikes.items()},
        membrane=dict(membrane),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlay:
    """Two lists of spikes laid over each other.

    Args:
        both: spikes of both, at the artefact's times.
        golden: spikes of the golden model alone.
        artefact: spikes of the artefact alone.
    """

    both: Events
    golden: Events
    artefact: Events


def overlay(golden: Events, artefact: Events, tolerance: float) -> Overlay:
    """Pair spikes of the same neuron, in order, that lie within a tolerance; each spike has one partner at most.

    Args:
        golden: spikes of the golden model, on the artefact's clock.
        artefact: spikes of the artefact.
        tolerance: in the clock's unit.

    >>> a = Events(neuron=np.array([0, 1]), time=np.array([1.0, 2.0]))
    >>> b = Events(neuron=np.array([0, 1]), time=np.array([1.0, 3.0]))
    >>> o = overlay(a, b, 0.0)
    >>> len(o.both), o.golden.time.tolist(), o.artefact.time.tolist()
    (1, [2.0], [3.0])
    """
    first, second = (np.lexsort((e.time, e.neuron)) for e in (golden, artefact))
    alone_golden, alone_artefact = np.ones(len(golden), bool), np.ones(len(artefact), bool)
    slack = tolerance + 1e-9 * max(1.0, float(np.abs(golden.time).max(initial=0.0)))
    i = j = 0
    while i < len(first) and j < len(second):
        a, b = first[i], second[j]
        apart = float(golden.time[a] - artefact.time[b])
        same = golden.neuron[a] == artefact.neuron[b]
        if same and abs(apart) <= slack:
            alone_golden[a] = alone_artefact[b] = False
            i, j = i + 1, j + 1
        elif golden.neuron[a] < artefact.neuron[b] or (same and apart < 0):
            i += 1
        else:
            j += 1
    return Overlay(
        both=_chosen(artefact, ~alone_artefact),
        golden=_chosen(golden, alone_golden),
        artefact=_chosen(artefact, alone_artefact),
    )


def _chosen(events: Events, which: NDArray[np.bool_]) -> Events:
    return Events(neuron=events.neuron[which], time=events.time[which])


def telling_samples(classes: Array, labels: Array, among: Sequence[int]) -> tuple[int, ...]:
    """Samples worth a picture: the first one classified rightly and the first one not; without labels the first.

    Args:
        classes: [sample] answers.
        labels: [sample] right classes, -1 where unknown.
        among: numbers of the samples to choose from.

    >>> telling_samples(np.array([1, 2, 3]), np.array([1, 2, 0]), [1, 2])
    (1, 2)
    """
    known = [sample for sample in among if labels[sample] >= 0]
    right = [sample for sample in known if classes[sample] == labels[sample]]
    wrong = [sample for sample in known if classes[sample] != labels[sample]]
    return tuple([*right[:1], *wrong[:1]] or list(among)[:1])
