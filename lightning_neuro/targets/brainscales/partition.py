"""Networks larger than the chip: several runs, one after the other, whose spikes are recorded and replayed.

Only feed-forward networks can be cut: a run needs the spikes of all layers before it. As many layers as possible go
into one run; a layer that is too large alone is cut into parts of nearly equal size, each a run.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from lightning_neuro.targets.brainscales.chip_network import ChipNetwork
from lightning_neuro.targets.brainscales.chip_resources import CIRCUITS
from lightning_neuro.targets.brainscales.driver_assignment import Fans
from lightning_neuro.targets.brainscales.placement import LayerPart, Placement
from lightning_neuro.targets.brainscales.placement_solver import fewest_circuits, place


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One configuration of the chip.

    Args:
        parts: what it computes, in the order of the layers.
        replayed: layers (or the input) whose spikes come from outside.
        placement: where everything lies.
    """

    parts: tuple[LayerPart, ...]
    replayed: tuple[str, ...]
    placement: Placement


def partition(network: ChipNetwork) -> tuple[Run, ...] | None:
    """Runs of a network, one where it fits; None where not even a single neuron of some layer can be placed.

    Args:
        network: any.
    """
    runs: list[Run] = []
    fans = Fans(network=network)
    waiting = [LayerPart(layer=layer.name, start=0, stop=layer.size) for layer in network.layers]
    while waiting:
        taken = _longest(fans, waiting)
        found = [taken] if taken is not None else _cut(fans, waiting[0])
        if found is None:
            return None
        runs += found
        waiting = waiting[len(taken.parts) if taken is not None else 1 :]
    return tuple(runs)


def _longest(fans: Fans, waiting: list[LayerPart]) -> Run | None:
    """As many of the next layers as fit together."""
    for count in range(len(waiting), 0, -1):
        run = _run(fans, tuple(waiting[:count]))
        if run is not None:
            return run
    return None


def _cut(fans: Fans, part: LayerPart) -> list[Run] | None:
    """A layer in as few parts of nearly equal size as fit, each alone on the chip."""
    least = -(-part.size * fewest_circuits(fans, part) // CIRCUITS)
    found = (_parts(fans, part, count) for count in range(least, part.size + 1))
    return next((runs for runs in found if runs is not None), None)


def _parts(fans: Fans, part: LayerPart, count: int) -> list[Run] | None:
    """A layer cut into ``count`` parts; None where one of them does not fit."""
    bounds = [part.start + part.size * k // count for k in range(count + 1)]
    runs = []
    for start, stop in itertools.pairwise(bounds):
        run = _run(fans, (LayerPart(layer=part.layer, start=start, stop=stop),))
        if run is None:
            return None
        runs.append(run)
    return runs


def _run(fans: Fans, parts: tuple[LayerPart, ...]) -> Run | None:
    placement = place(fans.network, parts, fans)
    if placement is None:
        return None
    own = {part.layer for part in parts}
    before = dict.fromkeys(p.pre for part in parts for p in fans.network.into(part.layer))
    return Run(parts=parts, replayed=tuple(pre for pre in before if pre not in own), placement=placement)
