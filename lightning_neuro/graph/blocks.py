"""Which populations must advance together: the strongly connected parts of a graph, in topological order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lightning_neuro.graph.hardware_graph import HardwareGraph


def blocks(graph: HardwareGraph) -> tuple[tuple[str, ...], ...]:
    """Populations in groups; a group of more than one, or with a projection to itself, is a loop.

    Groups follow each other in topological order, and populations inside a group keep the graph's order.
    """
    order = {p.name: k for k, p in enumerate(graph.populations)}
    after: dict[str, list[str]] = {name: [] for name in order}
    for projection in graph.projections:
        if projection.pre in after:
            after[projection.pre].append(projection.post)
    found = strong_components(list(order), after)
    return tuple(tuple(sorted(group, key=order.__getitem__)) for group in found)


def loops(graph: HardwareGraph) -> tuple[tuple[str, ...], ...]:
    """The groups of ``blocks`` that feed back on themselves."""
    themselves = {p.pre for p in graph.projections if p.pre == p.post}
    return tuple(group for group in blocks(graph) if len(group) > 1 or themselves.issuperset(group))


def strong_components(names: Iterable[str], after: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Strongly connected components in topological order (Tarjan 1972, without recursion).

    >>> strong_components("abcd", {"a": "b", "b": "c", "c": "bd", "d": ""})
    [('a',), ('c', 'b'), ('d',)]
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[tuple[str, ...]] = []
    for root in names:
        if root in index:
            continue
        work = [(root, iter(after.get(root, ())))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            name, successors = work[-1]
            for successor in successors:
                if successor not in index:
                    index[successor] = low[successor] = len(index)
                    stack.append(successor)
                    on_stack.add(successor)
                    work.append((successor, iter(after.get(successor, ()))))
                    break
                if successor in on_stack:
                    low[name] = min(low[name], index[successor])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == index[name]:
                    group = []
                    while not group or group[-1] != name:
                        group.append(stack.pop())
                        on_stack.discard(group[-1])
                    found.append(tuple(group))
    return found[::-1]
