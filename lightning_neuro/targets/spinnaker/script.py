"""Renders ``network.py``: one template, one visible block per layer, the pure functions taken over verbatim."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from lightning_neuro.graph.hardware_graph import Connection, Convolution, Dense, Pooled
from lightning_neuro.targets.spinnaker.bundles import Bundle, bundles
from lightning_neuro.targets.spinnaker.gap import DRAIN_MARGIN, LEAD_STEPS, gap_steps
from lightning_neuro.targets.spinnaker.maps import is_convolution
from lightning_neuro.targets.spinnaker.plan import (
    LINES_PER_CORE,
    UNTIL_THE_END,
    BiasPlan,
    PopulationPlan,
    SpinnakerPlan,
)
from lightning_neuro.targets.spinnaker.timing import EXTRA_LATENCY, Backend

TEMPLATES = Environment(
    loader=PackageLoader("lightning_neuro.targets.spinnaker"), undefined=StrictUndefined, keep_trailing_newline=True
)
TEMPLATES.filters["by_name"] = lambda table: "{" + ", ".join(f'"{key}": {value}' for key, value in table.items()) + "}"
MARK = "# -- "  # heading below which a module is taken over
MEMBRANE_TOLERANCE = 1e-9
"""Largest difference of a read-out membrane, relative to the largest membrane; two float64 roundings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One ``net.connect`` line."""

    pre: str
    post: str
    synapses: str
    delay: str
    comment: str
    connector: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One layer of the script."""

    heading: str
    label: str
    shape: tuple[int, ...]
    cell: str
    behind: dict[str, int]
    refractory: str
    spiking: bool
    pulses: int
    scale: float
    drive: tuple[float, ...] | None
    edges: tuple[Edge, ...]
    biases: tuple[str, ...]
    tile: tuple[int, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The input block."""

    name: str
    label: str
    shape: tuple[int, ...]
    size: int
    tile: tuple[int, int] | None


def render_script(plan: SpinnakerPlan, title: str) -> str:
    """Text of ``network.py``.

    Args:
        plan: the network.
        title: sizes of its layers.
    """
    labels = plan.labels
    text = TEMPLATES.get_template("network.py.j2").render(
        title=title,
        step_ms=f"{plan.timestep_ms:g}",
        output=labels[plan.output],
        readout=plan.readout.value,
        lead=LEAD_STEPS,
        drain=drain_steps(plan),
        once=plan.once,
        until_the_end=UNTIL_THE_END,
        gap=gap_steps(plan),
        starts=any(bias.initial for p in plan.populations for bias in p.biases),
        latest=latest(plan),
        extra={backend.value: {kind.value: n for kind, n in kinds.items()} for backend, kinds in EXTRA_LATENCY.items()},
        longest_delay=longest_delay(plan),
        lines_per_core=LINES_PER_CORE,
        tolerance=MEMBRANE_TOLERANCE,
        input=_source(plan),
        layers=_blocks(plan),
        machine_constants=taken_over("machine_constants.py"),
        cells=taken_over("cells.py"),
        synapses=taken_over("synapses.py"),
        other_weights=taken_over("other_weights.py"),
    )
    return re.sub(r"\n{4,}", "\n\n\n", text)


def _source(plan: SpinnakerPlan) -> Source:
    source = plan.input
    label = plan.labels[source.name]
    return Source(name=source.name, label=label, shape=source.shape, size=source.size, tile=plan.input_tile)


def taken_over(name: str) -> str:
    """A module's text from its first heading on."""
    text = (files("lightning_neuro.targets.spinnaker") / name).read_text()
    return text[text.index(MARK) :].strip()


def latest(plan: SpinnakerPlan) -> dict[str, int]:
    """Steps by which the last layer is behind the input, by backend."""
    return {
        backend.value: max((p.shift[backend] for p in plan.populations), default=0)
        for backend in Backend
        if plan.runs_on(backend)
    }


def drain_steps(plan: SpinnakerPlan) -> int:
    """Steps after a sample until no spike is under way and no neuron refractory that is not so until the end."""
    return longest_delay(plan) + plan.longest_refractory + DRAIN_MARGIN


def longest_delay(plan: SpinnakerPlan) -> int:
    """Longest delay of any synapse on any backend, in steps."""
    return max((d + plan.population(p.post).pulses for p in plan.projections for d in p.delay.values()), default=1)


def _blocks(plan: SpinnakerPlan) -> list[Block]:
    built = {plan.input.name}
    blocks = []
    for population in plan.populations:
        built.add(population.name)
        edges = [
            b
            for b in bundles(plan)
            if {b.first.pre, b.first.post} <= built and population.name in (b.first.pre, b.first.post)
        ]
        blocks.append(_block(plan, population, edges))
    return blocks


def _block(plan: SpinnakerPlan, population: PopulationPlan, edges: Sequence[Bundle]) -> Block:
    cell = population.cell
    return Block(
        heading=heading(plan, population),
        label=population.label,
        shape=population.shape,
        cell=cell.kind.value,
        behind={backend.value: population.shift[backend] for backend in Backend if backend in population.shift},
        refractory="UNTIL_THE_END" if cell.refractory_steps == UNTIL_THE_END else str(cell.refractory_steps or ""),
        spiking=cell.spiking,
        pulses=population.pulses,
        scale=population.scale,
        drive=None if population.drive is None else tuple(float(f"{most:.10g}") for most in population.drive),
        edges=tuple(_edge(plan, b) for b in edges),
        biases=tuple(_bias_line(population, bias) for bias in population.biases),
        tile=population.tile,
    )


def heading(plan: SpinnakerPlan, population: PopulationPlan) -> str:
    """One line about a layer, for the reader."""
    cell = population.cell
    shape = " x ".join(map(str, population.shape))
    neurons = f"{population.name}: {shape} neurons"
    if len(population.shape) > 1:
        neurons += f" ({population.size})"
    synapse = "delta synapses" if cell.decay_syn is None or not cell.decay_syn.any() else "exponential synapses"
    if not cell.spiking:
        role = "read out by membrane"
    else:
        role = {0: "reset in the step of a spike", 1: "at v_reset for one more step"}.get(
            cell.refractory_steps, "silent after the first spike"
        )
    return f"{neurons}, {synapse}, {role}"


def bias_key(population: PopulationPlan, bias: BiasPlan) -> str:
    """Name of a bias, or of initial membranes, in ``weights.npz``."""
    return f"{population.label}." + ("v_init" if bias.initial else f"bias{window_words(bias)}")


def bias_label(population: PopulationPlan, bias: BiasPlan) -> str:
    """Name of a bias source in the script."""
    return f"{population.label}_" + ("start" if bias.initial else f"bias{window_words(bias)}")


def window_words(bias: BiasPlan) -> str:
    """When a bias acts, as a part of its names; the same as in a checkpoint."""
    begins = f"_from_{bias.onset}" if bias.onset or bias.until is not None else ""
    return begins + ("" if bias.until is None else f"_until_{bias.until}")


def _bias_line(population: PopulationPlan, bias: BiasPlan) -> str:
    values = f'{population.label}, w["{bias_key(population, bias)}"]'
    if bias.initial:
        return f"net.start({values})"
    onset = f", onset={bias.onset}" if bias.onset else ""
    return f"net.bias({values}{onset}{'' if bias.until is None else f', until={bias.until}'})"


def _edge(plan: SpinnakerPlan, bundle: Bundle) -> Edge:
    labels, projection = plan.labels, bundle.first
    weight, delays = f'w["{bundle.label}"]', bundle.delays
    by_connector = plan.population(projection.post).tile is not None and is_convolution(projection.connection)
    return Edge(
        pre=labels[projection.pre],
        post=labels[projection.post],
        synapses=synapses_of(projection.connection, weight),
        delay=str(projection.steps or "") if delays is None else f'w["{bundle.label}.delay"]',
        comment=describe(projection.connection) + ("" if delays is None else ", a delay for each"),
        connector=connector_of(projection.connection, weight) if by_connector else "",
    )


def connector_of(connection: Connection, weight: str) -> str:
    """Expression of what sPyNNaker's connector is told of a convolution."""
    pool = connection.pool.kernel if isinstance(connection, Pooled) else (1, 1)
    inner = connection.then if isinstance(connection, Pooled) else connection
    assert isinstance(inner, Convolution)
    padding = tuple(before for before, _ in inner.window.padding)
    return f"dict(kernel={weight}, stride={inner.window.stride}, padding={padding}, pool={pool})"


def synapses_of(connection: Connection, weight: str) -> str:
    """Expression that lists a connection's synapses."""
    if isinstance(connection, Dense):
        return f"dense({weight})"
    window = connection.pool if isinstance(connection, Pooled) else connection.window
    sizes = f"input_shape={window.input_shape}"
    geometry = f"stride={window.stride}, padding={window.padding}, dilation={window.dilation}"
    if isinstance(connection, Convolution):
        return _call("convolution", weight, sizes, f"{geometry}, groups={connection.groups}")
    inner = synapses_of(connection.then, weight).replace("\n", "\n    ")
    return _call("pooled", inner, f"{sizes}, kernel={window.kernel}", geometry)


def _call(function: str, *arguments: str) -> str:
    """A call with its arguments on lines of their own."""
    return f"{function}(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"


def describe(connection: Connection) -> str:
    """A connection's sizes, for the reader."""
    if isinstance(connection, Pooled):
        return f"sum pooling {' x '.join(map(str, connection.pool.kernel))}, then {describe(connection.then)}"
    shape = connection.weight.real.shape
    if isinstance(connection, Dense):
        return f"{shape[1]} x {shape[0]} weights"
    kernel = " x ".join(map(str, shape[2:]))
    return f"{shape[1]} to {shape[0]} channels, kernel {kernel}"
