"""Lower a NIR graph with its metadata to a HardwareGraph in real numbers: a visible tuple of pure passes."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import nir
import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import NirError
from lightning_neuro.graph.blocks import strong_components
from lightning_neuro.graph.connections import prepare_real
from lightning_neuro.graph.continuous import continuous_graph
from lightning_neuro.graph.discretise import NEURONS, Stepped, discretise, neuron_shape
from lightning_neuro.graph.flatten import Edge, closing_edges, flatten, refuse_loops_without_neurons
from lightning_neuro.graph.hardware_graph import (
    Connection,
    Dense,
    HardwareGraph,
    Input,
    LateBias,
    Population,
    Projection,
    ResetKind,
    TimeBase,
    Values,
)
from lightning_neuro.graph.linear_maps import MAX_WEIGHTS, Scaling, connect, dense, too_large
from lightning_neuro.graph.metadata import SCHEDULE, Metadata
from lightning_neuro.graph.signals import (
    MAX_VALUES,
    NODES,
    Path,
    Signal,
    delay_steps,
    merged,
    port_shape,
    refused,
    shape_error,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A network half way down: NIR nodes first, then step form and signals.

    Args:
        nodes: NIR nodes by name.
        edges: (pre, post) names.
        metadata: semantics beside the graph.
        stepped: neuron nodes in step form.
        shapes: of neuron nodes and the input.
        closing: edges that close a loop; one step of delay.
        arriving: the signal that reaches each neuron node, r and w_in not yet applied; None where nothing does.
    """

    nodes: Mapping[str, nir.NIRNode]
    edges: tuple[Edge, ...]
    metadata: Metadata
    stepped: Mapping[str, Stepped] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    closing: frozenset[Edge] = frozenset()
    arriving: Mapping[str, Signal | None] = field(default_factory=dict)

    def before(self, name: str) -> tuple[str, ...]:
        """Names of the nodes that feed a node."""
        return tuple(pre for pre, post in self.edges if post == name)

    def only(self, kind: type[nir.NIRNode]) -> str:
        """Name of the single node of a kind that is not inside an inner graph."""
        return next(iter(self.ports(kind)))

    def ports(self, kind: type[nir.NIRNode]) -> tuple[str, ...]:
        """Names of the network's own Input or Output nodes: nothing leads into an input, or out of an output."""
        end = 1 if kind is nir.Input else 0
        inner = {edge[end] for edge in self.edges}
        return tuple(name for name, node in self.nodes.items() if type(node) is kind and name not in inner)


def lower(graph: nir.NIRGraph, metadata: Metadata) -> HardwareGraph:
    """Run all passes; a network in continuous time keeps its time constants (``graph.continuous``).

    Raises:
        NirError: a node, value or structure cannot be expressed without changing the network.
    """
    flat = flatten(graph)
    draft = Draft(nodes=flat.nodes, edges=tuple((pre, post) for pre, post in flat.edges), metadata=metadata)
    if metadata.time is TimeBase.CONTINUOUS:
        for a_pass in (supported_nodes, finite_parameters):
            draft = a_pass(draft)
        return continuous_graph(draft.nodes, draft.edges, metadata)
    for a_pass in PASSES:
        draft = a_pass(draft)
    return _build(draft)


# -- passes ------------------------------------------------------------------------------------------------------

def supported_nodes(draft: Draft) -> Draft:
    """Refuse nodes without a meaning here, and graphs without exactly one input and one output."""
    known = (*NODES, *NEURONS)
    strange = [f"{name} ({type(node).__name__})" for name, node in draft.nodes.items() if type(node) not in known]
    if strange:
        raise NirError(
            f"unsupported node(s): {', '.join(strange)}",
            where="NIR graph",
            why=f"only {', '.join(kind.__name__ for kind in known)} can be lowered",
            next_command="express the network with these nodes",
        )
    for kind in (nir.Input, nir.Output):
        count = len(draft.ports(kind))
        if count != 1:
            raise NirError(
                f"{count} {kind.__name__} nodes, needs exactly one",
                where="NIR graph",
                why="a hardware graph has one input and one read-out",
                next_command="split the network",
            )
    return draft


def finite_parameters(draft: Draft) -> Draft:
    """Refuse parameters that are not numbers, or not finite, naming each."""
    arrays = {
        f"{name}.{key}": value
        for name, node in draft.nodes.items()
        for key, value in vars(node).items()
        if isinstance(value, np.ndarray)
    }
    words = [key for key, value in arrays.items() if value.dtype.kind not in "fiub"]
    bad = [key for key, value in arrays.items() if value.dtype.kind == "f" and not np.isfinite(value).all()]
    if words or bad:
        raise NirError(
            f"values that are no real numbers in {', '.join(words)}"
            if words
            else f"NaN or infinite values in {', '.join(bad)}",
            where="network parameters",
            why="a comparison with NaN is never true: the neuron would silently stay quiet",
            next_command="train again with a smaller learning rate (model.lr=) or gradient clipping",
        )
    return draft


def discretise_neurons(draft: Draft) -> Draft:
    """Bring every neuron node into step form."""
    neurons = {name: node for name, node in draft.nodes.items() if type(node) in NEURONS}
    shapes = {name: _checked(name, neuron_shape(name, node)) for name, node in neurons.items()}
    stepped = {
        name: discretise(name, node, draft.metadata.dt_s, draft.metadata.resets.get(name, NEURONS[type(node)].reset))
        for name, node in neurons.items()
    }
    if not stepped:
        raise NirError(
            "the network has no neurons",
            where="NIR graph",
            why="a hardware graph is made of spiking or integrating populations",
            next_command="export a network with LIF, IF, LI or CubaLIF nodes",
        )
    stepped = _with_initial_membranes(stepped, draft.metadata)
    source = draft.only(nir.Input)
    shapes[source] = _checked(source, port_shape(source, draft.nodes[source].input_type))
    return dataclasses.replace(draft, stepped=stepped, shapes=shapes)


def _with_initial_membranes(stepped: Mapping[str, Stepped], metadata: Metadata) -> dict[str, Stepped]:
    """Neurons with the membranes they start from, as shares of their thresholds.

    Raises:
        NirError: the metadata tell of neurons that the network does not have, or of a read-out's share.
    """
    told = {key: getattr(metadata, key) for key in SCHEDULE}
    missing = [f"{key} of {name!r}" for key, table in told.items() for name in table if name not in stepped]
    silent = [
        f"v_init of the integrator {name!r}"
        for name in metadata.v_init
        if name in stepped and stepped[name].neuron.reset.kind is ResetKind.NONE
    ]
    if missing or silent:
        raise NirError(
            f"the metadata give {', '.join(missing or silent)}",
            where="metadata of the network",
            why="they describe neurons of the graph, and initial membranes as shares of thresholds",
            next_command="export the network again (ExportNIR callback)",
        )
    return {name: _starting(x, metadata.v_init[name]) if name in metadata.v_init else x for name, x in stepped.items()}


def _starting(stepped: Stepped, share: float) -> Stepped:
    v_init = Values(real=stepped.neuron.threshold.real * share)
    return dataclasses.replace(stepped, neuron=dataclasses.replace(stepped.neuron, v_init=v_init))


def _checked(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    if int(np.prod(shape, dtype=object)) > MAX_VALUES:
        raise refused(name, f"{int(np.prod(shape, dtype=object))} neurons or lines", f"at most {MAX_VALUES} are taken")
    return shape


def close_loops(draft: Draft) -> Draft:
    """Find the edges that close loops; each delays by one step, so that the branch is silent at first."""
    linear = {name for name in draft.nodes if name not in draft.stepped}
    refuse_loops_without_neurons(linear, draft.edges)
    delays = {
        name
        for name, node in draft.nodes.items()
        if isinstance(node, nir.Delay) and (delay_steps(name, node, draft.metadata.dt_s) > 0).all()
    }
    found = closing_edges(draft.nodes, draft.edges, start=draft.only(nir.Input), delays=delays)
    return dataclasses.replace(draft, closing=frozenset(found))


def follow_signals(draft: Draft) -> Draft:
    """Carry signals from every neuron and the input through the linear nodes to the next neurons."""
    before: dict[str, list[str]] = defaultdict(list)
    after: dict[str, list[str]] = defaultdict(list)
    for pre, post in draft.edges:
        before[post].append(pre)
        after[pre].append(post)
    signals: dict[str, Signal | None] = {
        name: Signal(shape=shape, paths=(Path(source=name, source_shape=shape, stages=(), delay=0),), biases=())
        for name, shape in draft.shapes.items()
    }

    def arriving(name: str) -> Signal | None:
        found = []
        for pre in before[name]:
            signal = signals[pre]
            if signal is not None:
                found.append(signal.later(1) if (pre, name) in draft.closing else signal)
        return merged(name, found) if found else None

    output = draft.only(nir.Output)
    linear = [name for name in draft.nodes if name not in signals and name != output]
    inside = {name: [post for post in after[name] if post not in signals and post != output] for name in linear}
    for (name,) in strong_components(linear, inside):
        signal = arriving(name)
        node = draft.nodes[name]
        signals[name] = None if signal is None else NODES[type(node)](name, node, signal, draft.metadata.dt_s)
    return dataclasses.replace(draft, arriving={name: arriving(name) for name in draft.stepped})


def integrators_end(draft: Draft) -> Draft:
    """Refuse integrators inside the network: their membranes are analog values that no spike carries."""
    for name, signal in draft.arriving.items():
        for path in signal.paths if signal is not None else ():
            neuron = draft.stepped.get(path.source)
            if neuron is not None and neuron.neuron.reset.kind is ResetKind.NONE:
                raise NirError(
                    f"the integrator {path.source!r} feeds {name!r}",
                    where="NIR graph",
                    why="an integrator has no spikes; its membrane can be read out but not sent to other neurons",
                    next_command="use LIF, IF or CubaLIF inside the network, integrators only before the output",
                )
    return draft


PASSES: tuple[Callable[[Draft], Draft], ...] = (
    supported_nodes,
    finite_parameters,
    discretise_neurons,
    close_loops,
    follow_signals,
    integrators_end,
)


# -- graph -------------------------------------------------------------------------------------------------------


def _build(draft: Draft) -> HardwareGraph:
    source = draft.only(nir.Input)
    projections = {name: _projections(draft, name) for name in draft.stepped}
    names = _topological(draft, source, projections)
    metadata = draft.metadata
    return HardwareGraph(
        input=Input(name=source, shape=draft.shapes[source], format=None),
        populations=tuple(_population(draft, name) for name in names),
        projections=tuple(projection for name in names for projection in projections[name]),
        output=_output_population(draft),
        readout=metadata.readout,
        time=TimeBase.STEPPED,
        dt_s=metadata.dt_s,
        steps=metadata.steps,
        coding=dict(metadata.coding),
    )


def _projections(draft: Draft, post: str) -> tuple[Projection, ...]:
    """One projection for each source and delay, with r and w_in inside the weights."""
    signal, stepped, shape = draft.arriving[post], draft.stepped[post], draft.shapes[post]
    if signal is None:
        return ()
    if signal.size != stepped.gain.size:
        raise shape_error(post, signal.size, stepped.gain.size)
    gain = Scaling(factor=stepped.gain, shape=shape if len(shape) == len(signal.shape) else signal.shape)
    found: dict[tuple[str, int], Connection] = {}
    for path in signal.paths:
        key = path.source, path.delay
        connection = connect(post, (*path.stages, gain), path.source_shape)
        found[key] = _sum(post, found[key], connection, draft.shapes[path.source]) if key in found else connection
    return tuple(
        Projection(pre=pre, post=post, connection=connection, delay=delay) for (pre, delay), connection in found.items()
    )


def _sum(name: str, first: Connection, second: Connection, source: tuple[int, ...]) -> Connection:
    """Two connections between the same neurons as one dense matrix."""
    if isinstance(first, Dense) and isinstance(second, Dense):
        return dense(first.weight.real + second.weight.real)
    lines = int(np.prod(source))
    posts = [int(prepare_real(c)(np.zeros((1, lines))).size) for c in (first, second)]
    if lines * max(posts) > MAX_WEIGHTS:
        raise too_large(name, lines, max(posts))
    unit = np.eye(lines)
    return dense((prepare_real(first)(unit) + prepare_real(second)(unit)).T)


def _population(draft: Draft, name: str) -> Population:
    stepped, signal = draft.stepped[name], draft.arriving[name]
    onsets: dict[int, NDArray[np.float64]] = {0: np.zeros(stepped.gain.size)}
    for onset, values in signal.biases if signal is not None else ():
        onsets[onset] = onsets.get(onset, 0.0) + stepped.gain * values
    if (window := draft.metadata.bias_windows.get(name)) is not None:
        total = np.sum(list(onsets.values()), axis=0)
        bias, late_biases = np.zeros_like(total), _biases_in({window[0]: total}, window[1])
    else:
        bias = onsets.pop(0)
        late_biases = _biases_in(onsets, None)
    return Population(
        name=name,
        shape=draft.shapes[name],
        neuron=stepped.neuron,
        bias=Values(real=bias),
        fires_from=draft.metadata.fires_from.get(name, 0),
        fires_until=draft.metadata.fires_until.get(name),
        late_biases=late_biases,
    )


def _biases_in(onsets: Mapping[int, NDArray[np.float64]], until: int | None) -> tuple[LateBias, ...]:
    return tuple(
        LateBias(values=Values(real=values), onset=onset, until=until)
        for onset, values in sorted(onsets.items())
        if values.any()
    )


def _topological(draft: Draft, source: str, projections: Mapping[str, tuple[Projection, ...]]) -> list[str]:
    """Populations in waves; only delayed projections inside a loop may come from later ones."""
    after: dict[str, list[str]] = defaultdict(list)
    for post, incoming in projections.items():
        for projection in incoming:
            after[projection.pre].append(post)
    group_of = {name: k for k, group in enumerate(strong_components(draft.stepped, after)) for name in group}
    needed = {
        post: {p.pre for p in incoming if not (p.delay and group_of.get(p.pre) == group_of[post])} - {source}
        for post, incoming in projections.items()
    }
    order: list[str] = []
    done: set[str] = set()
    while len(order) < len(needed):
        ready = [name for name in draft.stepped if name not in done and needed[name] <= done]
        assert ready, "a loop without delay passed close_loops"
        order += ready
        done |= set(ready)
    return order


def _output_population(draft: Draft) -> str:
    """The neurons whose values reach the output unchanged."""
    passing = (nir.Flatten, nir.Input, nir.Output)
    sources = draft.before(draft.only(nir.Output))
    while len(sources) == 1 and type(draft.nodes[sources[0]]) in passing:
        sources = draft.before(sources[0])
    if len(sources) != 1 or sources[0] not in draft.stepped:
        raise NirError(
            f"the output is fed by {', '.join(sources) or 'nothing'}, needs one population of neurons",
            where="NIR graph, Output node",
            why="classes are read from spikes or membranes of one population",
            next_command="end the network with a neuron layer (LI for a membrane read-out)",
        )
    output = draft.only(nir.Output)
    wanted = int(np.prod(port_shape(output, draft.nodes[output].output_type), dtype=object))
    if wanted != draft.stepped[sources[0]].gain.size:
        raise shape_error(output, draft.stepped[sources[0]].gain.size, wanted)
    return sources[0]
