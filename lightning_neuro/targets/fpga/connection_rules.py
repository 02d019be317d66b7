"""Which connections the VHDL can take: a chain of layers, dense ones of which may feed themselves one step later."""

from __future__ import annotations

from collections.abc import Iterator

from lightning_neuro.errors import Violation
from lightning_neuro.graph.hardware_graph import HardwareGraph, Projection
from lightning_neuro.targets.fpga.geometry import image_shape, is_spread, output_shape, windows


def chain(graph: HardwareGraph) -> Iterator[Violation]:
    """Every population is fed by the one before it, and by nothing else but itself."""
    before, seen = graph.input.name, {graph.input.name}
    for population in graph.populations:
        incoming = graph.into(population.name)
        parallel = _parallel_delays(incoming, before)
        if parallel:
            yield _delays_refused(parallel)
            incoming = tuple(p for p in incoming if p.pre != before)
        for projection in incoming:
            yield from _source(projection, before, seen)
        for feeds, least in ((before, 0 if parallel else 1), (population.name, 0)):
            count = sum(p.pre == feeds for p in incoming)
            if not least <= count <= 1:
                yield Violation(
                    where=population.name,
                    what="inputs",
                    needed=f"{count} projections from {feeds}",
                    available="one" if least else "one at most",
                    remedy="use a chain of layers, and add parallel weights up   (train again)",
                )
        before = population.name
        seen.add(before)
    if graph.populations and graph.output != graph.populations[-1].name:
        yield Violation(
            where=graph.output,
            what="output",
            needed="read-out in the middle",
            available=f"the last layer, {before}",
            remedy="remove the layers behind the output   (train again)",
        )


def _parallel_delays(incoming: tuple[Projection, ...], before: str) -> tuple[Projection, ...]:
    """All projections from the layer before where they differ by their delays: synapses that each have their own."""
    found = tuple(p for p in incoming if p.pre == before)
    return found if len(found) > 1 and any(p.delay for p in found) else ()


def _delays_refused(parallel: tuple[Projection, ...]) -> Violation:
    delays = sorted({p.delay for p in parallel})
    return Violation(
        where=f"{parallel[0].pre} -> {parallel[0].post}",
        what="delays",
        needed=f"{len(delays)} different ones, {delays[0]} to {delays[-1]} steps",
        available="no delay between layers",
        remedy="target=spinnaker, which has delays; or model.delays=none   (train again)",
    )


def _source(projection: Projection, before: str, seen: set[str]) -> Iterator[Violation]:
    """Where spikes may come from, and when: the layer before at once, the layer itself one step later."""
    kinds = {
        before: (
            "delay",
            0,
            "no delay between layers",
            "no delay between layers; for a converted network model.conversion.schedule=synchronous   (train again)",
        ),
        projection.post: (
            "recurrent delay",
            1,
            "1 step from a layer to itself",
            "use a recurrent delay of one step   (train again)",
        ),
    }
    if projection.pre in kinds:
        what, delay, available, remedy = kinds[projection.pre]
        if projection.delay != delay:
            needed = f"{projection.delay} step{'s' * (projection.delay != 1)}"
            yield Violation(where=projection.name, what=what, needed=needed, available=available, remedy=remedy)
        return
    yield Violation(
        where=projection.name,
        what="skip connection" if projection.pre in seen else "feedback between layers",
        needed=f"spikes of {projection.pre}",
        available=f"{before} (the layer before) and {projection.post} itself",
        remedy="use a chain of layers, each recurrent in itself at most   (train again)",
    )


def recurrent_is_dense(graph: HardwareGraph) -> Iterator[Violation]:
    """A layer that feeds itself is dense in both its projections, and all its events are spikes."""
    for population in graph.populations:
        incoming = graph.into(population.name)
        if not any(p.pre == population.name for p in incoming):
            continue
        for projection in incoming:
            if projection.pre == graph.input.name and graph.input.format is not None:
                yield Violation(
                    where=population.name,
                    what="input",
                    needed="numbers and own spikes as events",
                    available="spikes into a recurrent layer",
                    remedy="data.coding.kind=rate   (train again)",
                )
            if is_spread(projection.connection):
                yield Violation(
                    where=projection.name,
                    what="connection",
                    needed=f"{type(projection.connection).__name__} into a recurrent layer",
                    available="Dense",
                    remedy="use a fully connected layer where spikes feed back   (train again)",
                )


def image_shapes(graph: HardwareGraph) -> Iterator[Violation]:
    """What a convolution or pooling takes is the image that the layer before makes."""
    made: dict[str, tuple[int, ...] | None] = {graph.input.name: None}
    for population in graph.populations:
        for projection in graph.into(population.name):
            connection, shape = projection.connection, made.get(projection.pre)
            if is_spread(connection):
                yield from _window_axes(projection)
                wanted = windows(connection)[0].input_shape
                if shape is not None and image_shape(shape) != image_shape(wanted):
                    yield Violation(
                        where=projection.name,
                        what="image",
                        needed=" x ".join(map(str, wanted)),
                        available=f"{' x '.join(map(str, shape))}, as {projection.pre} makes it",
                        remedy="take the image as it is, or flatten it into a fully connected layer   (train again)",
                    )
            made[population.name] = output_shape(connection)


def _window_axes(projection: Projection) -> Iterator[Violation]:
    axes = len(windows(projection.connection)[0].kernel)
    if axes > 2:
        yield Violation(
            where=projection.name,
            what="convolution",
            needed=f"{axes} axes",
            available="1 or 2",
            remedy="use Conv1d or Conv2d   (train again)",
        )
