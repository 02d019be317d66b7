"""The network as boxes: sizes, bits, and the kind of every connection between them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from lightning_neuro.report.model import ConnectionSummary, GraphSummary, PopulationSummary

_LARGEST = 6.0  # decades of neurons for a box of full height


def topology(graph: GraphSummary) -> Markup:
    """Draw a network from its input to its output.

    Args:
        graph: with its input; connections that skip a layer or lead back stand inside the box that they end in.
    """
    parts: list[Markup] = []
    before = None
    if graph.input is not None:
        carries = "spikes" if graph.input.bits is None else f"{graph.input.bits}-bit numbers"
        lines = [_shape(graph.input.shape, graph.input.size, "lines"), carries]
        parts.append(_box(graph.input.name, graph.input.size, lines, [], "input"))
        before = graph.input.name
    for population in graph.populations:
        into = [c for c in graph.connections if c.post == population.name]
        direct = [c for c in into if c.pre == before]
        others = [c for c in into if c.pre != before]
        parts.append(_arrow(direct))
        kind = "output" if population is graph.populations[-1] else "hidden"
        parts.append(_box(population.name, population.size, _facts(population), [_told(c) for c in others], kind))
        before = population.name
    return Markup('<div class="net">{}</div>').format(Markup("").join(parts))


def _shape(shape: Sequence[int], size: int, things: str) -> str:
    return f"{size:,} {things}" if len(shape) < 2 else f"{'x'.join(map(str, shape))}: {size:,} {things}"


def _facts(p: PopulationSummary) -> list[str]:
    bits = "" if p.state_bits is None else f"{p.state_bits}-bit membrane"
    return [line for line in (f"{p.size:,} {p.neuron}", f"reset {p.reset}", bits) if line]


def _told(c: ConnectionSummary) -> str:
    bits = "" if c.bits is None else f", {c.bits} bit"
    delay = f", delay {c.delay}" if c.delay else ""
    return f"{'itself' if c.pre == c.post else 'from ' + c.pre}: {c.kind}, {c.weights:,} weights{bits}{delay}"


def _box(name: str, size: int, lines: Sequence[str], more: Sequence[str], kind: str) -> Markup:
    share = min(1.0, math.log10(max(size, 1) + 1) / _LARGEST)
    body = Markup("").join(Markup("<span>{}</span>").format(line) for line in lines)
    loops = Markup("").join(Markup('<span class="loop">↺ {}</span>').format(line) for line in more)
    return Markup(
        '<div class="box {}"><i style="height:{}%"></i><strong>{}</strong>{}{}</div>'
    ).format(kind, f"{100 * share:.3g}", name, body, loops)


def _arrow(direct: Sequence[ConnectionSummary]) -> Markup:
    lines = []
    for c in direct:
        lines += [c.kind, f"{c.weights:,} weights" + ("" if c.bits is None else f", {c.bits} bit")]
        lines += [f"delay {c.delay}"] if c.delay else []
    body = Markup("").join(Markup("<span>{}</span>").format(line) for line in lines)
    return Markup('<div class="arrow">{}<b aria-hidden="true"></b></div>').format(body)
