"""All that an artefact's files say, made once: the chip's network, its runs, recorded inputs and expected spikes."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.targets.base import Job
from lightning_neuro.targets.brainscales.analog import AnalogParameters, cadc_per_unit
from lightning_neuro.targets.brainscales.chip_network import ChipLayer, ChipNetwork, SpikeEvents
from lightning_neuro.targets.brainscales.chip_resources import CYCLE_US, repetitions
from lightning_neuro.targets.brainscales.emulator import emulate, on_grid
from lightning_neuro.targets.brainscales.mapping import chip_network
from lightning_neuro.targets.brainscales.mapping_cells import MappingOptions
from lightning_neuro.targets.brainscales.mapping_inputs import input_events
from lightning_neuro.targets.brainscales.partition import Run, partition
from lightning_neuro.targets.brainscales.placement import split_weights
from lightning_neuro.targets.brainscales.recording import Recording
from lightning_neuro.targets.brainscales.rounding import unrounded_lsb
from lightning_neuro.targets.brainscales.virtual_chip import ideal_chip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Columns:
    """Synapses as the files hold them: no weight beyond 63 LSB, a source as often as its largest weight needs.

    Args:
        weights: [post, column] LSB.
        source: [column] neuron or line that a column belongs to, ascending.
        unrounded: [post, source] LSB before rounding.
    """

    weights: NDArray[np.int8]
    source: NDArray[np.int64]
    unrounded: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """An artefact's content.

    Args:
        job: network and recorded samples.
        network: the chip's form of it, as it can be calibrated.
        runs: where it lies on the chip, one run after the other.
        options: of the mapping.
        columns: synapses by pair of populations.
        inputs: recorded samples.
        expected: what an ideal chip answers.
    """

    job: Job
    network: ChipNetwork
    runs: tuple[Run, ...]
    options: MappingOptions
    columns: dict[tuple[str, str], Columns]
    inputs: SpikeEvents
    expected: Recording

    @property
    def analog(self) -> AnalogParameters:
        """The operating point."""
        return self.options.analog

    @property
    def title(self) -> str:
        """Sizes of the input and of every layer, "25-120-3"."""
        return "-".join(str(n) for n in (self.network.lines, *(layer.size for layer in self.network.layers)))


def prepare(job: Job, options: MappingOptions) -> Prepared:
    """Map, place and run a network that passed the constraints.

    Args:
        job: network and recorded samples.
        options: of the mapping.
    """
    notes = chip_network(job.real_graph, options).notes  # what rounding cost is known before it alone
    network = as_calibrated(dataclasses.replace(chip_network(job.graph, options), notes=notes), options.analog)
    runs = partition(network)
    assert runs is not None, "a network that cannot be placed passed the constraints"
    inputs = events_on_grid(job.graph, job.vectors.spikes, options)
    return Prepared(
        job=job,
        network=network,
        runs=runs,
        options=options,
        columns=columns_of(network, job.real_graph, options),
        inputs=inputs,
        expected=ideal_answer(network, inputs),
    )


def as_calibrated(network: ChipNetwork, analog: AnalogParameters) -> ChipNetwork:
    """The network with potentials that a calibration can aim at, whole LSB of the CADC, and a period in whole cycles.

    Args:
        network: any.
        analog: operating point.
    """
    period = math.ceil(round((network.sample_us + network.gap_us) / CYCLE_US, 6)) * CYCLE_US
    layers = tuple(_whole(layer, analog) if layer.spiking else layer for layer in network.layers)
    return dataclasses.replace(network, layers=layers, gap_us=period - network.sample_us)


def _whole(layer: ChipLayer, analog: AnalogParameters) -> ChipLayer:
    unit = cadc_per_unit(layer, analog)
    threshold = round((layer.threshold - layer.v_leak) * unit) / unit + layer.v_leak
    reset = round((layer.v_reset - layer.v_leak) * unit) / unit + layer.v_leak
    return dataclasses.replace(layer, threshold=threshold, v_reset=reset)


def events_on_grid(graph: HardwareGraph, spikes: NDArray[np.generic], options: MappingOptions) -> SpikeEvents:
    """Input spikes as the FPGA plays them, cut off to its cycles."""
    return on_grid(input_events(graph, spikes, options), np.floor, CYCLE_US)


def ideal_answer(network: ChipNetwork, inputs: SpikeEvents) -> Recording:
    """What a chip without mismatch and noise records, on the grid of the FPGA."""
    chip = dataclasses.replace(ideal_chip(network), grid_us=CYCLE_US)
    return emulate(network, inputs, [chip], run=0)[0]


def columns_of(
    network: ChipNetwork, real_graph: HardwareGraph, options: MappingOptions
) -> dict[tuple[str, str], Columns]:
    """Synapses with repeated sources; a source is repeated alike for all layers that it reaches.

    Args:
        network: the chip's form of the graph.
        real_graph: the graph with unrounded weights.
        options: of the mapping.
    """
    unrounded = unrounded_lsb(real_graph, network, options)
    largest: dict[str, NDArray[np.int64]] = {}
    for p in network.projections:
        strongest = np.abs(p.weights).max(axis=0, initial=0)
        largest[p.pre] = np.maximum(largest.get(p.pre, 0), strongest)
    found = {}
    for p in network.projections:
        copies = [repetitions(int(value)) for value in largest[p.pre]]
        parts = [split_weights(p.weights[:, s], copies[s]).T for s in range(len(copies))]
        found[p.pre, p.post] = Columns(
            weights=np.concatenate([*parts, np.zeros((len(p.weights), 0), np.int64)], axis=1).astype(np.int8),
            source=np.repeat(np.arange(len(copies)), copies),
            unrounded=unrounded[p.pre, p.post],
        )
    return found
