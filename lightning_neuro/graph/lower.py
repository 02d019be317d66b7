"""Lower a NIR graph with its metadata to a HardwareGraph in real numbers: a visible tuple of pure passes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import NirError
from lightning_neuro.graph.discretise import NEURONS, NIR_RESETS, Stepped, discretise
from lightning_neuro.graph.hardware_graph import (
    Dense,
    HardwareGraph,
    Input,
    Population,
    Projection,
    TimeBase,
    Values,
)
from lightning_neuro.graph.metadata import Metadata

MAX_NEURONS = 1_000_000  # a sanity bound on claimed sizes, far above any target


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """``y = W x + b``; weight [out, in], bias [out]."""

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A network half way down: NIR nodes first, then step form and folded weights.

    Args:
        nodes: NIR nodes by name.
        edges: (pre, post) names.
        metadata: semantics beside the graph.
        stepped: neuron nodes in step form.
        affine: folded weights from one spike source into one neuron node, by (pre, post).
    """

    nodes: Mapping[str, nir.NIRNode]
    edges: tuple[tuple[str, str], ...]
    metadata: Metadata
    stepped: Mapping[str, Stepped] = field(default_factory=dict)
    affine: Mapping[tuple[str, str], Affine] = field(default_factory=dict)

    def before(self, name: str) -> tuple[str, ...]:
        """Names of the nodes that feed a node."""
        return tuple(pre for pre, post in self.edges if post == name)

    def only(self, kind: type[nir.NIRNode]) -> str:
        """Name of the single node of a kind."""
        return next(name for name, node in self.nodes.items() if type(node) is kind)


def lower(graph: nir.NIRGraph, metadata: Metadata) -> HardwareGraph:
    """Run all passes.

    Raises:
        NirError: a node, value or structure cannot be expressed without changing the network.
    """
    draft = Draft(nodes=graph.nodes, edges=tuple((pre, post) for pre, post in graph.edges), metadata=metadata)
    for a_pass in PASSES:
        draft = a_pass(draft)
    return _build(draft)


# -- passes ------------------------------------------------------------------------------------------------------

_LINEAR: dict[type[nir.NIRNode], Callable[[Any], Affine]] = {
    nir.Affine: lambda n: Affine(weight=_matrix(n.weight), bias=np.asarray(n.bias, np.float64).ravel()),
    nir.Linear: lambda n: Affine(weight=_matrix(n.weight), bias=np.zeros(n.weight.shape[0])),
    nir.Scale: lambda n: Affine(weight=np.diag(np.ravel(n.scale)).astype(np.float64), bias=np.zeros(np.size(n.scale))),
}


def _matrix(weight: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(weight, dtype=np.float64)


def supported_nodes(draft: Draft) -> Draft:
    """Refuse nodes without a meaning here, and graphs without exactly one input and one output."""
    allowed = {nir.Input, nir.Output, *_LINEAR, *NEURONS}
    strange = [f"{name} ({type(node).__name__})" for name, node in draft.nodes.items() if type(node) not in allowed]
    if strange:
        raise NirError(
            f"unsupported node(s): {', '.join(strange)}",
            where="NIR graph",
            why="only Input, Output, Affine, Linear, Scale, LIF, LI, IF, I, CubaLIF and CubaLI can be lowered",
            next_command="express the network with these nodes",
        )
    for kind in (nir.Input, nir.Output):
        count = sum(type(node) is kind for node in draft.nodes.values())
        if count != 1:
            raise NirError(
                f"{count} {kind.__name__} nodes, needs exactly one",
                where="NIR graph",
                why="a hardware graph has one input and one read-out",
                next_command="split the network",
            )
    dangling = [edge for edge in draft.edges if not (edge[0] in draft.nodes and edge[1] in draft.nodes)]
    if dangling:
        raise NirError(
            f"edge(s) without a node: {dangling}",
            where="NIR graph",
            why="both ends of an edge must exist",
            next_command="mend the file",
        )
    return draft


def finite_parameters(draft: Draft) -> Draft:
    """Refuse NaN and infinite parameters, naming each."""
    bad = [
        f"{name}.{key}"
        for name, node in draft.nodes.items()
        for key, value in vars(node).items()
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not np.isfinite(value).all()
    ]
    if bad:
        raise NirError(
            f"NaN or infinite values in {', '.join(bad)}",
            where="network parameters",
            why="a comparison with NaN is never true: the neuron would silently stay quiet",
            next_command="train again with a smaller learning rate (model.lr=) or gradient clipping",
        )
    return draft


def discretise_neurons(draft: Draft) -> Draft:
    """Bring every neuron node into step form."""
    stepped = {
        name: discretise(name, node, draft.metadata.dt_s, draft.metadata.resets.get(name, NIR_RESETS[type(node)]))
        for name, node in draft.nodes.items()
        if type(node) in NEURONS
    }
    if not stepped:
        raise NirError(
            "the network has no neurons",
            where="NIR graph",
            why="a hardware graph is made of spiking or integrating populations",
            next_command="export a network with LIF, IF, LI or CubaLIF nodes",
        )
    return dataclasses.replace(draft, stepped=stepped)


def fold_weights(draft: Draft) -> Draft:
    """Multiply chains of Affine, Linear and Scale into one matrix per (source, neuron), with r and w_in inside."""
    affine: dict[tuple[str, str], Affine] = {}
    for name, neuron in draft.stepped.items():
        for pre in draft.before(name):
            for source, folded in _paths_to(draft, pre, ()):
                gained = _apply_gain(name, folded, neuron, _width(draft, source))
                affine[source, name] = _add(affine[source, name], gained) if (source, name) in affine else gained
    return dataclasses.replace(draft, affine=affine)


def _paths_to(draft: Draft, name: str, seen: tuple[str, ...]) -> list[tuple[str, Affine | None]]:
    """Spike sources that reach a node through linear maps, each with the composed map."""
    if name in draft.stepped or type(draft.nodes[name]) is nir.Input:
        return [(name, None)]
    if name in seen:
        raise NirError(
            f"a loop of linear maps through {name!r} has no neuron in it",
            where="NIR graph",
            why="a loop needs a delay, and only neurons have one",
            next_command="mend the graph",
        )
    here = _LINEAR[type(draft.nodes[name])](draft.nodes[name])
    paths = [path for pre in draft.before(name) for path in _paths_to(draft, pre, (*seen, name))]
    return [(source, _compose(name, here, first)) for source, first in paths]


def _compose(name: str, then: Affine, first: Affine | None) -> Affine:
    if first is None:
        return then
    if then.weight.shape[1] != first.weight.shape[0]:
        raise _shape_error(name, first.weight.shape[0], then.weight.shape[1])
    return Affine(weight=then.weight @ first.weight, bias=then.weight @ first.bias + then.bias)


def _apply_gain(name: str, folded: Affine | None, neuron: Stepped, fan_in: int) -> Affine:
    size = neuron.neuron.leak_mem.beta.size
    affine = folded or Affine(weight=np.eye(fan_in), bias=np.zeros(fan_in))
    if affine.weight.shape[0] != size:
        raise _shape_error(name, affine.weight.shape[0], size)
    if affine.weight.shape[1] != fan_in:
        raise _shape_error(name, fan_in, affine.weight.shape[1])
    return Affine(weight=neuron.gain[:, None] * affine.weight, bias=neuron.gain * affine.bias)


def _add(first: Affine, second: Affine) -> Affine:
    return Affine(weight=first.weight + second.weight, bias=first.bias + second.bias)


def _shape_error(name: str, got: int, wanted: int) -> NirError:
    return NirError(
        f"{got} values arrive where {wanted} are taken",
        where=f"node {name!r}",
        why="the sizes of connected nodes must agree",
        next_command="mend the shapes in the file",
    )


def _width(draft: Draft, source: str) -> int:
    if source in draft.stepped:
        return draft.stepped[source].neuron.leak_mem.beta.size
    return int(np.prod(next(iter(draft.nodes[source].input_type.values()))))


PASSES: tuple[Callable[[Draft], Draft], ...] = (
    supported_nodes,
    finite_parameters,
    discretise_neurons,
    fold_weights,
)


# -- graph -------------------------------------------------------------------------------------------------------


def _build(draft: Draft) -> HardwareGraph:
    source = draft.only(nir.Input)
    names = _topological(draft, source)
    metadata = draft.metadata
    return HardwareGraph(
        input=Input(name=source, shape=(_width(draft, source),)),
        populations=tuple(_population(draft, name) for name in names),
        projections=tuple(
            Projection(pre=pre, post=post, connection=Dense(weight=Values(real=affine.weight)), delay=0)
            for post in names
            for (pre, to), affine in draft.affine.items()
            if to == post
        ),
        output=_output_population(draft),
        readout=metadata.readout,
        time=TimeBase.STEPPED,
        dt_s=metadata.dt_s,
        steps=metadata.steps,
        coding=dict(metadata.coding),
    )


def _population(draft: Draft, name: str) -> Population:
    stepped = draft.stepped[name]
    biases = [affine.bias for (_, post), affine in draft.affine.items() if post == name]
    bias = np.sum([np.zeros(stepped.gain.size), *biases], axis=0)
    return Population(name=name, shape=(bias.size,), neuron=stepped.neuron, bias=Values(real=bias))


def _topological(draft: Draft, source: str) -> list[str]:
    order: list[str] = []
    done, waiting = {source}, list(draft.stepped)
    while waiting:
        ready = [n for n in waiting if all(pre in done for pre, post in draft.affine if post == n)]
        if not ready:
            raise NirError(
                f"recurrent connections among {', '.join(waiting)}",
                where="NIR graph",
                why="loops between populations are not supported yet",
                next_command="remove the recurrent connection and train again",
            )
        order += ready
        done |= set(ready)
        waiting = [n for n in waiting if n not in done]
    return order


def _output_population(draft: Draft) -> str:
    sources = draft.before(draft.only(nir.Output))
    if len(sources) != 1 or sources[0] not in draft.stepped:
        raise NirError(
            f"the output is fed by {', '.join(sources) or 'nothing'}, needs one population of neurons",
            where="NIR graph, Output node",
            why="classes are read from spikes or membranes of one population",
            next_command="end the network with a neuron layer (LI for a membrane read-out)",
        )
    return sources[0]
