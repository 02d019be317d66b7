"""Circuits, rows, labels and runs of a chip network against what the chip has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from lightning_neuro.errors import Violation
from lightning_neuro.targets.brainscales.chip_network import ChipNetwork
from lightning_neuro.targets.brainscales.chip_resources import (
    CIRCUITS,
    COLUMNS,
    HEMISPHERES,
    LABELS,
    LARGEST_WEIGHT,
    NEURON_LABELS,
    SIGNED_FAN_IN,
)
from lightning_neuro.targets.brainscales.driver_assignment import Fans
from lightning_neuro.targets.brainscales.partition import partition
from lightning_neuro.targets.brainscales.placement import LayerPart
from lightning_neuro.targets.brainscales.placement_solver import fewest_circuits

WIDEST = HEMISPHERES * min(COLUMNS, LABELS)
"""Most circuits of one neuron: labels tell the sources of a row apart, one per column of a neuron."""

Found = Iterator[Violation]


def fan_in(network: ChipNetwork, runs: int) -> Found:
    """A neuron of the most circuits takes all its sources, each as often as it is repeated."""
    fans = Fans(network=network)
    for part in _parts(network):
        needed, available = fans.signed_sources(part), WIDEST * SIGNED_FAN_IN
        if needed > available:
            yield Violation(
                where=part.layer,
                what="fan-in after merging",
                needed=f"{needed} signed sources ({_repetition(fans, part)})",
                available=f"{available}: {WIDEST} circuits of {SIGNED_FAN_IN}",
                remedy=_fewer_rows(fans, part),
            )


def input_labels(network: ChipNetwork, runs: int) -> Found:
    """Every input line, as often as it is repeated, has its own address."""
    needed = int(Fans(network=network).copies.get(network.input, np.zeros(0, np.int64)).sum())
    if needed > NEURON_LABELS:
        yield Violation(
            where=network.input,
            what="labels of input lines",
            needed=f"{needed}",
            available=f"{NEURON_LABELS}, 14 bits",
            remedy="a smaller input, for example data=mnist16_latency   (train again)",
        )


def circuits(network: ChipNetwork, runs: int) -> Found:
    """512 circuits, of which a neuron takes ``ceil(sources / 128)``; more only in several runs."""
    fans = Fans(network=network)
    parts = _parts(network)
    counted = [(part, fewest_circuits(fans, part)) for part in parts]
    needed = sum(part.size * count for part, count in counted)
    if runs > 1 or needed <= CIRCUITS:
        return
    formula = " + ".join(f"{part.size} x {count}" for part, count in counted)
    yield Violation(
        where="network",
        what="neuron circuits",
        needed=f"{needed} = {formula}",
        available=f"{CIRCUITS}",
        remedy=_more_runs(network),
    )


def circuits_of_a_hemisphere(network: ChipNetwork, runs: int) -> Found:
    """256 columns: neurons of one circuit fill one hemisphere, those of c circuits c / 2 columns in both."""
    fans = Fans(network=network)
    for part in _parts(network):
        columns = -(-fewest_circuits(fans, part) // HEMISPHERES)
        needed = part.size * columns
        if runs == 1 and needed > COLUMNS:
            yield Violation(
                where=part.layer,
                what="circuits per hemisphere",
                needed=f"{needed} = {part.size} neurons x {columns} columns",
                available=f"{COLUMNS}",
                remedy=_more_runs(network),
            )


def cut_into_runs(network: ChipNetwork, runs: int) -> Found:
    """The network fits into as many runs as are allowed: circuits, rows, PADI buses and labels of every run."""
    found = partition(network)
    others = (fan_in, input_labels, circuits, circuits_of_a_hemisphere)
    if any(True for rule in others for _ in rule(network, runs)):
        return
    if found is None or len(found) > runs:
        yield Violation(
            where="network",
            what="runs of the chip",
            needed="more than there are neurons" if found is None else f"{len(found)}, for {_rows_needed(network)}",
            available=f"{runs}, each {CIRCUITS} circuits and {HEMISPHERES} x {SIGNED_FAN_IN} signed sources",
            remedy=_more_runs(network),
        )


RESOURCE_RULES: tuple[Callable[[ChipNetwork, int], Found], ...] = (
    fan_in,
    input_labels,
    circuits,
    circuits_of_a_hemisphere,
    cut_into_runs,
)


def _parts(network: ChipNetwork) -> list[LayerPart]:
    return [LayerPart(layer=layer.name, start=0, stop=layer.size) for layer in network.layers]


def _repetition(fans: Fans, part: LayerPart) -> str:
    most = max((source.copies for source in fans.sources(part)), default=1)
    lines = len(fans.sources(part))
    return f"{lines} sources, repeated up to {most} times for weights beyond {LARGEST_WEIGHT} LSB"


def _fewer_rows(fans: Fans, part: LayerPart) -> str:
    repeated = fans.signed_sources(part) > len(fans.sources(part))
    smaller = "model.weight_max=0.8, for model=lif model.weight_clip=0.1   (train again)"
    nearer = "or target.threshold=115 target.weight_scale=39: fewer LSB per threshold"
    return f"{smaller}, {nearer}" if repeated else "fewer inputs   (train again)"


def _rows_needed(network: ChipNetwork) -> str:
    fans = Fans(network=network)
    return ", ".join(f"{fans.signed_sources(part)} signed sources of {part.layer}" for part in _parts(network))


def _more_runs(network: ChipNetwork) -> str:
    found = partition(network)
    return "fewer or smaller layers   (train again)" if found is None else f"target.runs={len(found)}"
