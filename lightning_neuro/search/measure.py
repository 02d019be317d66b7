"""One point of a search: the network rounded to its widths and run by the golden model.

The accuracy is the one that ``deploy`` reports and that the hardware gives, since both use these integers.
"""

from __future__ import annotations

from dataclasses import dataclass

from lightning_neuro.checkpoint import Inputs
from lightning_neuro.data.spike_set import SpikeSet
from lightning_neuro.graph import golden
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.evaluate import accuracy
from lightning_neuro.graph.hardware_graph import HardwareGraph, ResetKind, TimeBase
from lightning_neuro.graph.inputs import raster_of
from lightning_neuro.graph.stored import StoredQuantization
from lightning_neuro.graph.widths import Widths
from lightning_neuro.search.cost import Cost, cost_of
from lightning_neuro.targets.fpga.lanes import Lanes

SATURATION_SAMPLES = 64  # of the calibration set


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """What is searched for.

    Args:
        graph: network in real numbers.
        evaluation: labelled samples that the accuracy is measured on.
        calibration: training samples for ranges and scales; None in a foreign file.
        lanes: the FPGA target's setting, for the area.
    """

    graph: HardwareGraph
    evaluation: Inputs
    calibration: Inputs | None
    lanes: Lanes

    @property
    def populations(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(p.name for p in self.graph.populations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What was measured at one combination of widths.

    Args:
        widths: of the integers.
        accuracy: share right of the evaluation samples, in integers.
        cost: what the integers take on hardware.
        saturation: share of steps in which a membrane stands at an end of its range, by population.
    """

    widths: Widths
    accuracy: float
    cost: Cost
    saturation: dict[str, float]


def measure(subject: Subject, widths: Widths) -> Point:
    """Round the network and run it.

    Args:
        subject: network and samples.
        widths: of the integers.
    """
    graph, _ = rounded(subject, widths)
    arithmetic = "event" if graph.time is TimeBase.CONTINUOUS else "fixed"
    right = accuracy(graph, subject.evaluation, arithmetic)
    assert right is not None  # the search starts only with labels
    return Point(
        widths=widths,
        accuracy=right,
        cost=cost_of(graph, subject.lanes),
        saturation=saturation(graph, subject.calibration),
    )


def rounded(subject: Subject, widths: Widths) -> tuple[HardwareGraph, StoredQuantization]:
    """The integer network of a point, and what a checkpoint keeps of it."""
    return quantize_network(subject.graph, widths, subject.calibration)


def saturation(graph: HardwareGraph, inputs: Inputs | None) -> dict[str, float]:
    """Share of (sample, step, neuron) at which the membrane stands at an end of its range, by population.

    A membrane that was just reset by subtraction counts with its value before. A reset to a value hides what was
    cut off above, which then changes nothing.

    Args:
        graph: quantised graph.
        inputs: samples; the first ``SATURATION_SAMPLES`` are used. Empty result without any, or in continuous time.
    """
    if not isinstance(inputs, SpikeSet) or graph.time is TimeBase.CONTINUOUS:
        return {}
    some = raster_of(inputs.take(slice(SATURATION_SAMPLES)), graph, "fixed")
    recording = golden.run(graph, some, arithmetic="fixed", record=True)
    found = {}
    for population in graph.populations:
        neuron, state = population.stepped, population.state_format
        assert state is not None
        membrane = recording.membrane[population.name]
        if neuron.reset.kind is ResetKind.SUBTRACT and neuron.reset.delay == 0:
            membrane = membrane + neuron.threshold.integers() * recording.spikes[population.name]
        found[population.name] = float(((membrane <= state.low) | (membrane >= state.high)).mean())
    return found
