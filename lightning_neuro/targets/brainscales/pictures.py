"""Pictures of the report beside the placement: weights on the chip, virtual chips, one sample on two of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lightning_neuro.report.model import Plot
from lightning_neuro.report.plots import ACCENT, COLOURS, INK, PALE, QUIET, WARN, finish, make_figure
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork, SpikeEvents
from lightning_neuro.targets.brainscales.chip_resources import LARGEST_WEIGHT
from lightning_neuro.targets.brainscales.emulator import emulate
from lightning_neuro.targets.brainscales.prepared import Prepared
from lightning_neuro.targets.brainscales.recording import Recording
from lightning_neuro.targets.brainscales.virtual_chip import VirtualChip


def lsb_histograms(prepared: Prepared) -> Plot:
    """How often each weight is used, in LSB of the chip."""
    projections = prepared.network.projections
    figure = make_figure(5.8, 0.6 + 1.7 * len(projections))
    panels = np.atleast_1d(figure.subplots(len(projections), 1))
    for axes, projection in zip(panels, projections, strict=True):
        columns = prepared.columns[projection.pre, projection.post].weights
        values, counts = np.unique(columns, return_counts=True)
        axes.bar(values, counts, width=0.9, color=[WARN if abs(v) == LARGEST_WEIGHT else ACCENT for v in values])
        axes.set_title(f"{projection.pre} to {projection.post}: {columns.size:,} synapses", loc="left", fontsize=9)
        axes.set(ylabel="synapses", xlim=(-66, 66))
    panels[-1].set_xlabel("weight (LSB); red: the largest there is")
    return finish(
        figure, "Weights on the chip",
        "Synapses by weight, a source that is repeated counted as often. Many at +-63: the weight scale is too large "
        "or training clipped; many near 0: too small.",
    )  # fmt: skip


def chip_accuracies(accuracies: Sequence[float], ideal: float, profile: str) -> Plot:
    """Accuracy of every virtual chip, sorted, and of the ideal one."""
    figure = make_figure(5.8, 3.0)
    axes = figure.add_subplot()
    shares = 100 * np.sort(accuracies)
    axes.plot(np.arange(len(shares)) + 1, shares, "o", color=ACCENT, markersize=4)
    axes.axhline(100 * ideal, color=INK, linewidth=1, linestyle="--", label=f"ideal chip {100 * ideal:.1f} %")
    axes.axhline(float(shares.mean()), color=QUIET, linewidth=1, label=f"mean {shares.mean():.1f} %")
    axes.set(xlabel="virtual chip, sorted", ylabel="accuracy (%)")
    axes.legend(fontsize=8, loc="lower right")
    return finish(
        figure, "Virtual chips",
        f"Every point is one draw of a chip from profile {profile}: spreads of its neurons, jitter and latency. A real "
        "chip is one more draw at best.",
    )  # fmt: skip


def sample_on_chips(
    network: ChipNetwork, inputs: SpikeEvents, expected: Recording, chip: VirtualChip, sample: int
) -> Plot:
    """Spikes of one sample through the network, on the ideal chip and on a virtual one."""
    found = emulate(network, _one(inputs, sample), [chip], run=0)[0]
    names = [network.input, *expected.spikes]
    ideal = {network.input: inputs, **expected.spikes}
    figure = make_figure(5.8, 1.0 + 1.5 * len(names))
    panels = np.atleast_1d(figure.subplots(len(names), 1, sharex=True))
    for row, (axes, name) in enumerate(zip(panels, names, strict=True)):
        events = ideal[name]
        chosen = events.sample == sample
        axes.plot(events.time_us[chosen], events.neuron[chosen], "|", color=PALE if row else COLOURS[0], markersize=6)
        if name in found.spikes:
            other = found.spikes[name]
            axes.plot(other.time_us, other.neuron, "|", color=COLOURS[row % len(COLOURS)], markersize=4)
        axes.set_title(f"{name}: {events.size} neurons, {int(chosen.sum())} spikes", loc="left", fontsize=9)
        axes.set(ylabel="neuron", ylim=(-0.5, events.size - 0.5), xlim=(0, network.sample_us))
    panels[-1].set_xlabel("time on the chip (us)")
    answers = f"class {int(expected.classes[sample])} on the ideal chip, {int(found.classes[0])} on the other"
    return finish(
        figure, "One sample on a virtual chip",
        f"Colour: a virtual chip; grey behind it: the ideal one. The answer is {answers}.",
    )  # fmt: skip


def _one(events: SpikeEvents, sample: int) -> SpikeEvents:
    chosen = events.sample == sample
    return SpikeEvents(
        sample=np.zeros(int(chosen.sum()), np.int64),
        neuron=events.neuron[chosen],
        time_us=events.time_us[chosen],
        samples=1,
        size=events.size,
    )
