"""From NIR to a first-spike HardwareGraph: nothing is discretised, delays and time constants stay seconds.

NIR's CubaLIF to the letter, with spikes as Dirac impulses: an input of weight w lets the current jump by
``w w_in / tau_syn``, which adds ``w (r w_in / tau_mem) K(t)`` to the membrane. So r = 1 and w_in = tau_mem give the
membrane of ``FirstSpike``, and anything else is a factor on the weights. Delays before and after weights add up to
one delay per synapse; weights between delays must not mix lines that arrive at different times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightning_neuro.errors import NirError
from lightning_neuro.graph.blocks import strong_components
from lightning_neuro.graph.hardware_graph import (
    Dense,
    FirstSpike,
    HardwareGraph,
    Input,
    Population,
    Projection,
    ReadoutKind,
    TimeBase,
    Values,
    zeros,
)
from lightning_neuro.graph.metadata import Metadata

Edge = tuple[str, str]
_UNIT_TOLERANCE = 1e-12  # a product of a time constant and its inverse is 1 but for rounding


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Branch:
    """What reaches a node from one source.

    Args:
        source: population or the input.
        weight: [here, source].
        delays_s: [here, source], seconds.
    """

    source: str
    weight: NDArray[np.float64]
    delays_s: NDArray[np.float64]


Branches = tuple[Branch, ...]


def continuous_graph(nodes: Mapping[str, nir.NIRNode], edges: Sequence[Edge], metadata: Metadata) -> HardwareGraph:
    """Build the graph of a flat NIR network whose metadata say ``time: continuous``.

    Raises:
        NirError: a node, structure or value that first-spike neurons do not have.
    """
    source = next(name for name, node in nodes.items() if type(node) is nir.Input)
    output = next(name for name, node in nodes.items() if type(node) is nir.Output)
    size = int(np.prod(next(iter(nodes[source].input_type.values()))))
    found: dict[str, Branches] = {source: _fresh(source, size)}
    populations: list[Population] = []
    projections: list[Projection] = []
    for name in _order(nodes, edges):
        if name in (source, output):
            continue
        arriving = tuple(branch for pre, post in edges if post == name for branch in found[pre])
        node = nodes[name]
        if type(node) is nir.CubaLIF:
            population, factor = _population(name, node)
            populations.append(population)
            projections += _projections(name, arriving, factor)
            found[name] = _fresh(name, population.size)
        else:
            found[name] = _linear(name, node, arriving)
    return HardwareGraph(
        input=Input(name=source, shape=(size,), format=None),
        populations=tuple(populations),
        projections=tuple(projections),
        output=_output(output, found, edges, populations),
        readout=_first_spike(metadata),
        time=TimeBase.CONTINUOUS,
        dt_s=0.0,
        steps=None,
        coding=dict(metadata.coding),
        horizon_s=metadata.horizon_s,
    )


def _fresh(name: str, size: int) -> Branches:
    return (Branch(source=name, weight=np.eye(size), delays_s=np.zeros((size, size))),)


def _order(nodes: Mapping[str, nir.NIRNode], edges: Sequence[Edge]) -> list[str]:
    after: dict[str, list[str]] = {name: [] for name in nodes}
    for pre, post in edges:
        after[pre].append(post)
    groups = strong_components(list(nodes), after)
    loop = next((group for group in groups if len(group) > 1 or after[min(group)].count(min(group))), None)
    if loop is not None:
        raise _refusal(min(loop), "a loop", "a neuron that spikes once cannot take part in a loop")
    return [name for (name,) in groups]


def _first_spike(metadata: Metadata) -> ReadoutKind:
    if metadata.readout is not ReadoutKind.FIRST_SPIKE:
        raise _refusal("metadata", f"read-out {metadata.readout.value}", "neurons that spike once are read by when")
    return metadata.readout


# -- neurons -----------------------------------------------------------------------------------------------------


def _population(name: str, node: nir.CubaLIF) -> tuple[Population, NDArray[np.float64]]:
    """Neurons, and the factor on the weights that r and w_in make."""
    tau_syn, tau_mem, r, w_in, v_leak, v_threshold = _vectors(
        node.tau_syn, node.tau_mem, node.r, node.w_in, node.v_leak, node.v_threshold
    )
    threshold = v_threshold - v_leak
    if not ((tau_syn > 0).all() and (tau_mem > 0).all() and (threshold > 0).all()):
        raise _refusal(name, "a time constant or threshold that is not above 0", "a membrane at rest would spike")
    factor = r * w_in / tau_mem
    population = Population(
        name=name,
        shape=(tau_syn.size,),
        neuron=FirstSpike(tau_syn_s=tau_syn, tau_mem_s=tau_mem, threshold=Values(real=threshold)),
        bias=zeros(tau_syn.size),
        fires_from=0,
        fires_until=None,
    )
    return population, np.where(np.abs(factor - 1.0) < _UNIT_TOLERANCE, 1.0, factor)


def _vectors(*values: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    flat = [np.atleast_1d(np.asarray(value, np.float64)).ravel() for value in values]
    return tuple(np.array(x) for x in np.broadcast_arrays(*flat))


def _projections(name: str, arriving: Branches, factor: NDArray[np.float64]) -> list[Projection]:
    """One projection per source; a second one where the same pair of neurons has synapses of different delays."""
    if not arriving:
        raise _refusal(name, "no input", "a first-spike population needs spikes")
    merged: list[Branch] = []
    for branch in arriving:
        if len(branch.weight) != factor.size:
            raise _refusal(name, f"{len(branch.weight)} values for {factor.size} neurons", "sizes must agree")
        place = next((k for k, other in enumerate(merged) if _together(other, branch)), None)
        if place is None:
            merged.append(branch)
        else:
            merged[place] = _sum(merged[place], branch)
    if len({branch.source for branch in merged}) != len(merged):
        raise _refusal(name, "two synapses of different delay between the same neurons", "a pair has one delay")
    return [
        Projection(
            pre=branch.source,
            post=name,
            connection=Dense(weight=Values(real=branch.weight * factor[:, None])),
            delay=0,
            delays_s=np.where(branch.weight != 0, branch.delays_s, 0.0) if _delayed(branch) else None,
        )
        for branch in merged
    ]


def _together(first: Branch, second: Branch) -> bool:
    if first.source != second.source:
        return False
    both = (first.weight != 0) & (second.weight != 0)
    return bool((first.delays_s == second.delays_s)[both].all())


def _sum(first: Branch, second: Branch) -> Branch:
    delays = np.where(first.weight != 0, first.delays_s, second.delays_s)
    return Branch(source=first.source, weight=first.weight + second.weight, delays_s=delays)


def _delayed(branch: Branch) -> bool:
    return bool(branch.delays_s[branch.weight != 0].any())


def _output(output: str, found: Mapping[str, Branches], edges: Sequence[Edge], populations: list[Population]) -> str:
    sources = [pre for pre, post in edges if post == output]
    names = {population.name for population in populations}
    if len(sources) != 1 or sources[0] not in names:
        raise _refusal(output, f"an output fed by {', '.join(sources) or 'nothing'}", "one population is read out")
    return sources[0]


# -- what lies between neurons -----------------------------------------------------------------------------------


def _linear(name: str, node: nir.NIRNode, arriving: Branches) -> Branches:
    work = _NODES.get(type(node))
    if work is None:
        raise _refusal(
            name, type(node).__name__, f"between first-spike neurons stand {', '.join(k.__name__ for k in _NODES)}"
        )
    return tuple(work(name, node, branch) for branch in arriving)


def _matrix(name: str, node: nir.Linear | nir.Affine, branch: Branch) -> Branch:
    weight = np.asarray(node.weight, np.float64)
    if weight.ndim != 2 or weight.shape[1] != len(branch.weight):
        raise _refusal(name, f"weights {list(weight.shape)} for {len(branch.weight)} lines", "sizes must agree")
    if isinstance(node, nir.Affine) and np.any(node.bias):
        raise _refusal(name, "a bias", "a constant drive has no spike; give the bias an input line that spikes")
    used = branch.weight != 0
    latest = np.where(used, branch.delays_s, -np.inf).max(axis=0)
    earliest = np.where(used, branch.delays_s, np.inf).min(axis=0)
    if (used.any(axis=0) & (latest != earliest)).any():
        raise _refusal(name, "weights that mix delays", "one line would arrive at several times")
    delay = np.where(used.any(axis=0), earliest, 0.0)
    # a line that goes on alone keeps its weight to the last bit
    product = weight if np.array_equal(branch.weight, np.eye(len(branch.weight))) else weight @ branch.weight
    return Branch(source=branch.source, weight=product, delays_s=np.broadcast_to(delay, product.shape))


def _scale(name: str, node: nir.Scale, branch: Branch) -> Branch:
    factor = np.broadcast_to(np.asarray(node.scale, np.float64).ravel(), (len(branch.weight),))
    return Branch(source=branch.source, weight=branch.weight * factor[:, None], delays_s=branch.delays_s)


def _delay(name: str, node: nir.Delay, branch: Branch) -> Branch:
    delay = np.asarray(node.delay, np.float64).ravel()
    if delay.size not in (1, len(branch.weight)) or not (delay >= 0).all():
        raise _refusal(name, f"{delay.size} delays for {len(branch.weight)} lines", "one delay >= 0 per line")
    delays = branch.delays_s + np.broadcast_to(delay, (len(branch.weight),))[:, None]
    return Branch(source=branch.source, weight=branch.weight, delays_s=delays)


_NODES: dict[type[nir.NIRNode], Callable[[str, Any, Branch], Branch]] = {
    nir.Linear: _matrix,
    nir.Affine: _matrix,
    nir.Scale: _scale,
    nir.Delay: _delay,
    nir.Flatten: lambda name, node, branch: branch,
}


def _refusal(where: str, what: str, why: str) -> NirError:
    return NirError(
        what,
        where=f"node {where!r}, time: continuous",
        why=why,
        next_command="train with model=spike_time and export again",
    )
