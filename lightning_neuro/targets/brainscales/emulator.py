"""Virtual chips: exact current-based neurons, each with constants of its own, with latency, jitter and the FPGA's grid.

Every sample starts at rest and lasts ``sample_us``. Input spikes are cut off to the grid; a layer's spikes reach the
next one a latency and a jitter after the threshold was crossed; what is recorded of them is rounded to the grid.
Neurons: ``emulator_kernels``. ``emulator_torch`` says the same in small steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lightning_neuro.neurons.chip_profiles import LOWEST
from lightning_neuro.targets.brainscales.cadc import Cadc, through_cadc
from lightning_neuro.targets.brainscales.chip_network import ChipLayer, ChipNetwork, SpikeEvents
from lightning_neuro.targets.brainscales.emulator_checks import check_emulatable
from lightning_neuro.targets.brainscales.emulator_kernels import membranes_of_samples, spikes_of_samples
from lightning_neuro.targets.brainscales.recording import Membranes, Recording, read_classes
from lightning_neuro.targets.brainscales.virtual_chip import LayerFactors, VirtualChip

_SPIKES = 1 << 16  # of the first arrays that a layer's spikes go to


def emulate(
    network: ChipNetwork,
    inputs: SpikeEvents,
    chips: Sequence[VirtualChip],
    *,
    run: int,
    cadc: Cadc | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Recording, ...]:
    """Run all samples on every chip.

    Args:
        network: feed-forward.
        inputs: spikes on its input lines.
        chips: ``draw_chips`` or fitted ones.
        run: number of the run: its noise is another one in each, and the same in the same.
        cadc: how membranes of a read-out are digitised; None = read exactly.
        progress: called with the number of chips just finished.

    Raises:
        GraphError: the network is no feed-forward one, or the inputs or chips do not fit it.
    """
    check_emulatable(network, inputs, chips)
    with ThreadPoolExecutor(max(1, min(len(chips), numba.get_num_threads()))) as pool:
        recordings = []
        for recording in pool.map(lambda chip: _on_chip(network, inputs, chip, run, cadc), chips):
            recordings.append(recording)
            if progress is not None:
                progress(1)
    return tuple(recordings)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerInput:
    """Events that arrive at a layer, sorted by sample and time, and the weights they have there.

    Args:
        offsets: [sample + 1] first event of each sample.
        sources: [event] row of ``weights``.
        times: [event] hardware microseconds.
        weights: [source, neuron] steps of the current in model units, gains included.
    """

    offsets: NDArray[np.int64]
    sources: NDArray[np.int64]
    times: NDArray[np.float64]
    weights: NDArray[np.float64]


def _on_chip(network: ChipNetwork, inputs: SpikeEvents, chip: VirtualChip, run: int, cadc: Cadc | None) -> Recording:
    known = {network.input: on_grid(inputs, np.floor, chip.grid_us)}
    recorded: dict[str, SpikeEvents] = {}
    membranes: dict[str, Membranes] = {}
    for number, layer in enumerate(network.layers):
        arriving = layer_input(network, layer, chip.layers[layer.name], known)
        random = np.random.default_rng([chip.seed, run, number])
        if layer.spiking:
            known[layer.name] = _spikes(network, layer, chip, arriving, random)
            recorded[layer.name] = on_grid(known[layer.name], np.rint, chip.grid_us)
        else:
            membranes[layer.name] = _membranes(network, layer, chip.layers[layer.name], arriving, cadc, random)
    output: Any = recorded[network.output] if network.output in recorded else membranes[network.output]
    classes = read_classes(network.readout, output)
    return Recording(chip=chip.name, spikes=recorded, membranes=membranes, classes=classes)


def on_grid(events: SpikeEvents, rounding: Callable[[Any], Any], grid_us: float) -> SpikeEvents:
    """Spike events with times rounded to multiples of the grid; 0 = no grid."""
    if grid_us == 0:
        return events
    cycles = rounding(np.round(events.time_us / grid_us, 6))  # a time on the grid stays where it is
    return SpikeEvents(
        sample=events.sample,
        neuron=events.neuron,
        time_us=cycles * grid_us,
        samples=events.samples,
        size=events.size,
    )


def layer_input(
    network: ChipNetwork, layer: ChipLayer, factors: LayerFactors, known: Mapping[str, SpikeEvents]
) -> LayerInput:
    """What arrives at a layer of a chip from spikes by population."""
    incoming = network.into(layer.name)
    first = np.cumsum([0, *(known[p.pre].size for p in incoming)])
    sample = np.concatenate([known[p.pre].sample for p in incoming])
    times = np.concatenate([known[p.pre].time_us for p in incoming])
    source = np.concatenate([known[p.pre].neuron + k for p, k in zip(incoming, first[:-1], strict=True)])
    order = np.lexsort((times, sample))
    weights = np.concatenate([p.weights for p in incoming], axis=1) / layer.weight_scale
    weights *= np.where(weights > 0, factors.excitatory_gain[:, None], factors.inhibitory_gain[:, None])
    weights *= 1.0 if factors.synapses is None else factors.synapses
    samples = known[incoming[0].pre].samples
    return LayerInput(
        offsets=np.searchsorted(sample[order], np.arange(samples + 1)),
        sources=source[order],
        times=times[order],
        weights=np.ascontiguousarray(weights.T),
    )


def thresholds(layer: ChipLayer, chip: VirtualChip, random: np.random.Generator) -> NDArray[np.float64]:
    """Thresholds of one run from the leak potential, [neuron]."""
    factor = chip.layers[layer.name].threshold
    if chip.threshold_run_std:
        factor = np.maximum(factor + chip.threshold_run_std * random.standard_normal(layer.size), LOWEST)
    return (layer.threshold - layer.v_leak) * factor


def emitted(
    crossings: SpikeEvents, latency_us: float, jitter_us: float, end_us: float, random: np.random.Generator
) -> SpikeEvents:
    """Spikes as they leave a layer: late and jittered; those past the end of the sample are lost."""
    times = crossings.time_us + latency_us
    if jitter_us:
        times = np.maximum(times + jitter_us * random.standard_normal(times.shape), 0.0)
    kept = times < end_us
    return SpikeEvents(
        sample=crossings.sample[kept],
        neuron=crossings.neuron[kept],
        time_us=times[kept],
        samples=crossings.samples,
        size=crossings.size,
    )


def _spikes(
    network: ChipNetwork, layer: ChipLayer, chip: VirtualChip, arriving: LayerInput, random: np.random.Generator
) -> SpikeEvents:
    factors = chip.layers[layer.name]
    goal = thresholds(layer, chip, random)
    parts: list[tuple[NDArray[Any], ...]] = []
    samples, done, capacity = len(arriving.offsets) - 1, 0, _SPIKES
    while done < samples:
        found = np.empty(capacity, np.int64), np.empty(capacity, np.int64), np.empty(capacity)
        count, reached = spikes_of_samples(
            done,
            arriving.offsets,
            arriving.sources,
            arriving.times,
            arriving.weights,
            layer.tau_syn_us * factors.tau_syn,
            layer.tau_mem_us * factors.tau_mem,
            goal,
            layer.v_reset - layer.v_leak,
            layer.refractory_us,
            network.sample_us,
            *found,
        )
        parts.append(tuple(part[:count] for part in found))
        capacity *= 2 if reached == done else 1  # not even one sample fitted in
        done = reached
    sample, neuron, time = (
        (np.concatenate(column) for column in zip(*parts, strict=True)) if parts else np.empty((3, 0))
    )
    crossed = SpikeEvents(sample=sample, neuron=neuron, time_us=time, samples=samples, size=layer.size)
    return emitted(crossed, factors.latency_us, chip.jitter_us, network.sample_us, random)


def _membranes(
    network: ChipNetwork,
    layer: ChipLayer,
    factors: LayerFactors,
    arriving: LayerInput,
    cadc: Cadc | None,
    random: np.random.Generator,
) -> Membranes:
    constants = layer.tau_syn_us * factors.tau_syn, layer.tau_mem_us * factors.tau_mem
    events = arriving.offsets, arriving.sources, arriving.times, arriving.weights, *constants
    if cadc is not None:
        return through_cadc(cadc, events, network.sample_us, random)
    largest, last = np.empty((2, len(arriving.offsets) - 1, layer.size))
    membranes_of_samples(*events, network.sample_us, largest, last)
    return Membranes(largest=largest, last=last)
