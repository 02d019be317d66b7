"""Nested NIR graphs as one flat graph, and the edges that close its loops."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import nir

from lightning_neuro.errors import NirError
from lightning_neuro.graph.blocks import strong_components

Edge = tuple[str, str]

MAX_DEPTH = 16  # graphs within graphs
MAX_NODES = 20_000
MAX_EDGES = 200_000


def flatten(graph: nir.NIRGraph) -> nir.NIRGraph:
    """One flat graph with the same computation; nodes of an inner graph ``g`` are called ``g.node``.

    Inputs and outputs of inner graphs stay as nodes that pass their values on.

    Raises:
        NirError: an inner graph has no single input and output, names collide, or an edge leads nowhere.
    """
    nodes: dict[str, nir.NIRNode] = {}
    edges: list[Edge] = []
    _collect(graph, "", nodes, edges, 0)
    _check_edges(nodes, edges)
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata=graph.metadata, type_check=False)


def _collect(graph: nir.NIRGraph, prefix: str, nodes: dict[str, nir.NIRNode], edges: list[Edge], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _refused(f"graphs are nested more than {MAX_DEPTH} deep", "NIR graph", "flatten the graph")
    enter, leave = {}, {}
    for name, node in graph.nodes.items():
        full = f"{prefix}{name}"
        if isinstance(node, nir.NIRGraph):
            enter[name] = f"{full}.{_port(node, nir.Input, full)}"
            leave[name] = f"{full}.{_port(node, nir.Output, full)}"
            _collect(node, f"{full}.", nodes, edges, depth + 1)
            continue
        if full in nodes:
            raise _refused(f"two nodes are called {full!r}", "NIR graph", "give every node its own name")
        nodes[full] = node
    for pre, post in graph.edges:
        edges.append((leave.get(pre, f"{prefix}{pre}"), enter.get(post, f"{prefix}{post}")))
    if len(nodes) > MAX_NODES or len(edges) > MAX_EDGES:
        raise _refused(
            f"{len(nodes)} nodes and {len(edges)} edges", "NIR graph", f"at most {MAX_NODES} and {MAX_EDGES} are read"
        )


def _port(graph: nir.NIRGraph, kind: type[nir.NIRNode], where: str) -> str:
    names = [name for name, node in graph.nodes.items() if type(node) is kind]
    if len(names) != 1:
        raise _refused(
            f"{len(names)} {kind.__name__} nodes in an inner graph, needs exactly one",
            f"graph {where!r}",
            "give the inner graph one Input and one Output node",
        )
    return names[0]


def _check_edges(nodes: Mapping[str, nir.NIRNode], edges: Collection[Edge]) -> None:
    dangling = [edge for edge in edges if not (edge[0] in nodes and edge[1] in nodes)]
    if dangling:
        raise NirError(
            f"edge(s) without a node: {dangling[:5]}",
            where="NIR graph",
            why="both ends of an edge must exist",
            next_command="mend the file",
        )
    seen: set[Edge] = set()
    double = [edge for edge in edges if edge in seen or seen.add(edge)]  # type: ignore[func-returns-value]
    if double:
        raise NirError(
            f"edge(s) given twice: {double[:5]}",
            where="NIR graph",
            why="it cannot be told whether values should be added twice",
            next_command="keep one of them; to double a signal, use a Scale node",
        )


def closing_edges(names: Iterable[str], edges: Iterable[Edge], *, start: str, delays: Collection[str]) -> set[Edge]:
    """Edges that lead back to a node on the way from the input, in depth-first order; names decide between equals.

    A loop through a Delay node has its delay already, so edges out of such nodes are not followed.

    Args:
        names: of all nodes.
        edges: (pre, post).
        start: the input node.
        delays: Delay nodes of one step or more.
    """
    after: dict[str, list[str]] = {}
    for pre, post in edges:
        if pre not in delays:
            after.setdefault(pre, []).append(post)
    closing: set[Edge] = set()
    visited: set[str] = set()
    # What only loops reach comes last: a node without a way from the input cannot say where its loop begins.
    for root in (start, *sorted(names)):
        if root in visited:
            continue
        visited.add(root)
        work = [(root, iter(sorted(after.get(root, ()))))]
        on_way = {root}
        while work:
            name, successors = work[-1]
            for successor in successors:
                if successor in on_way:
                    closing.add((name, successor))
                elif successor not in visited:
                    visited.add(successor)
                    on_way.add(successor)
                    work.append((successor, iter(sorted(after.get(successor, ())))))
                    break
            else:
                work.pop()
                on_way.discard(name)
    return closing


def refuse_loops_without_neurons(linear: Collection[str], edges: Iterable[Edge]) -> None:
    """Refuse loops that pass through no neuron; ``linear`` are all nodes but neurons."""
    after: dict[str, list[str]] = {}
    for pre, post in edges:
        if pre in linear and post in linear:
            after.setdefault(pre, []).append(post)
    for group in strong_components(sorted(linear), after):
        if len(group) > 1 or any(name in after.get(name, ()) for name in group):
            raise NirError(
                f"a loop of linear maps through {min(group)!r} has no neuron in it",
                where="NIR graph",
                why="a loop needs a state, and only neurons have one",
                next_command="mend the graph",
            )


def _refused(what: str, where: str, next_command: str) -> NirError:
    return NirError(what, where=where, why="the graph cannot be brought into one flat graph", next_command=next_command)
