"""From a graph to what a PyNN script needs: frozen plans of populations, projections and their timing.

A plan is in the network's own units (weights, thresholds, decays per step). ``mapping`` turns it into the
parameters of PyNN's cells; nothing else does.
"""

from __future__ import annotations

import keyword
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.blocks import loops
from lightning_neuro.graph.connections import drive_of, input_size
from lightning_neuro.graph.hardware_graph import (
    Connection,
    CubaLif,
    HardwareGraph,
    Input,
    Lif,
    Population,
    Projection,
    ReadoutKind,
    Reset,
    ResetKind,
    frozen,
)
from lightning_neuro.targets.spinnaker.timing import (
    EXTRA_LATENCY,
    Backend,
    CellKind,
    Edge,
    pynn_delay,
    solve_shifts,
)

LINES_PER_CORE = 100
"""Input lines that one core plays: in a step in which all of them spike it sends as many packets as it safely can."""

UNTIL_THE_END = -1
"""Refractory steps of a neuron that is silent after its first spike until the sample ends."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellPlan:
    """Neurons of a population, per neuron and step.

    Args:
        kind: PyNN's neuron.
        decay_mem: A, ``v <- A v`` per step, shape [n]; 1 means no leak.
        decay_syn: B, ``i <- B i`` per step, shape [n]; None for delta cells.
        threshold: spike where v > threshold (strict), shape [n], network units, unscaled.
        v_reset: membrane after a spike, shape [n], network units, unscaled.
        refractory_steps: whole steps in which the membrane stays at v_reset after the step of the spike;
            ``UNTIL_THE_END`` of the sample for neurons that spike once.
        spiking: False for a read-out, whose threshold cannot be reached and whose membrane is recorded.
    """

    kind: CellKind
    decay_mem: NDArray[Any]
    decay_syn: NDArray[Any] | None
    threshold: NDArray[Any]
    v_reset: NDArray[Any]
    refractory_steps: int
    spiking: bool

    @property
    def size(self) -> int:
        """Number of neurons."""
        return len(self.decay_mem)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BiasPlan:
    """A bias as the weights of one neuron that spikes in every step of a window.

    An initial membrane is such a neuron, too: it spikes in the first step of every sample, where
    ``A (0 + v_init / A) = A 0 + v_init``, and membranes of delta cells rest at 0 before.

    Args:
        onset: step of the network in which it begins.
        until: first step without it again; None: to the end of the sample.
        values: drive per step, shape [n], network units, unscaled.
        initial: whether it stands for what initial membranes keep in the first step, ``A v_init``.
    """

    onset: int
    until: int | None
    values: NDArray[Any]
    initial: bool

    @property
    def window(self) -> slice:
        """Its steps."""
        return slice(self.onset, self.until)

    def steps(self, of_sample: int) -> int:
        """How many steps of a sample it spikes in."""
        return len(range(of_sample)[self.window])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PopulationPlan:
    """One layer.

    Args:
        name: name in the graph; unique.
        label: the same as an identifier of the script; unique.
        shape: neurons along each axis, channels first; numbered in C order.
        cell: neurons.
        biases: sources that spike whatever the input is.
        scale: factor on weights, biases, thresholds and reset potentials of this layer on the hardware; changes no
            spike in exact arithmetic.
        drive: largest sum of scaled weights that arrives in one step, excitatory and inhibitory, for the hardware's
            shifts; None leaves them to its own estimate.
        shift: steps this layer is behind the input, by backend; a backend that cannot run the network is missing.
        pulses: NEST only: delayed pulses of a delta cell that stand for the synaptic current; 0 where the exponential
            cell itself is fast enough, which it is outside of loops.
        tile: neurons of a core, width and height, where SpiNNaker gets one map per channel; None: one population.
    """

    name: str
    label: str
    shape: tuple[int, ...]
    cell: CellPlan
    biases: tuple[BiasPlan, ...]
    scale: float
    drive: tuple[float, float] | None
    shift: Mapping[Backend, int]
    pulses: int
    tile: tuple[int, int] | None = None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.cell.size


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProjectionPlan:
    """Synapses from one layer (or the input) to another.

    Args:
        name: name in the graph; unique.
        label: the same as an identifier of the script; unique.
        pre, post: names of layers or of the input.
        connection: weights and their arrangement, network units, unscaled; ``connection.weight.real``.
        steps: delay in the network, whole steps.
        delay: delay in PyNN, whole steps of at least 1, by backend; a backend that cannot run the network is missing.
    """

    name: str
    label: str
    pre: str
    post: str
    connection: Connection
    steps: int
    delay: Mapping[Backend, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpinnakerPlan:
    """A network as PyNN has it.

    Args:
        timestep_ms: length of a step in simulators and on the machine; every decay is per step, so that it changes
            no spike.
        steps: steps per sample, None when the file does not say.
        input: where spikes enter.
        input_label: its name as an identifier of the script.
        populations: layers in topological order.
        projections: synapses.
        output: name of the layer that is read out.
        readout: how the class is read.
        input_tile: as ``PopulationPlan.tile``.
    """

    timestep_ms: float
    steps: int | None
    input: Input
    input_label: str
    populations: tuple[PopulationPlan, ...]
    projections: tuple[ProjectionPlan, ...]
    output: str
    readout: ReadoutKind
    input_tile: tuple[int, int] | None = None

    @property
    def labels(self) -> dict[str, str]:
        """Identifiers of the input and the layers by name."""
        return {self.input.name: self.input_label, **{p.name: p.label for p in self.populations}}

    @property
    def longest_refractory(self) -> int:
        """Most refractory steps of any layer, those that last until the sample's end aside."""
        return max((max(p.cell.refractory_steps, 0) for p in self.populations), default=0)

    @property
    def once(self) -> bool:
        """Whether some neurons are silent from their first spike to the sample's end."""
        return any(p.cell.refractory_steps == UNTIL_THE_END for p in self.populations)

    @property
    def may_stay_silent(self) -> bool:
        """Whether silence of every output neuron is no answer: networks read by the one spike of a neuron."""
        once = self.population(self.output).cell.refractory_steps == UNTIL_THE_END
        return once and self.readout is ReadoutKind.FIRST_SPIKE

    def population(self, name: str) -> PopulationPlan:
        """Layer by name."""
        return next(p for p in self.populations if p.name == name)

    def into(self, name: str) -> tuple[ProjectionPlan, ...]:
        """Projections that end in a layer."""
        return tuple(p for p in self.projections if p.post == name)

    def runs_on(self, backend: Backend) -> bool:
        """Whether a backend is fast enough for every loop of the network."""
        return all(backend in p.shift for p in self.populations)


def plan_network(graph: HardwareGraph, timestep_ms: float | None = None) -> SpinnakerPlan:
    """Plan a network.

    Args:
        graph: stepped graph whose resets the target can take; its real values are used.
        timestep_ms: step of the machine; None leaves it to ``machine_step_ms``.
    """
    kinds = {p.name: CELL_KINDS[type(p.neuron)] for p in graph.populations}
    timing = {backend: _timing(graph, kinds, backend) for backend in Backend}
    labels = _labels(graph)
    return SpinnakerPlan(
        timestep_ms=machine_step_ms(graph) if timestep_ms is None else timestep_ms,
        steps=graph.steps,
        input=graph.input,
        input_label=labels[graph.input.name],
        populations=tuple(_population(graph, p, labels[p.name], timing) for p in graph.populations),
        projections=tuple(_projection(p, labels[p.name], timing) for p in graph.projections),
        output=graph.output,
        readout=graph.readout,
    )


SHORTEST_STEP_MS = 0.1
"""Below it a core has no time to update its neurons."""


def was_continuous(graph: HardwareGraph) -> bool:
    """Whether the network has no time step of its own: its neurons spike once, at times that were cut into steps."""
    resets = [p.neuron.reset.kind for p in graph.populations if isinstance(p.neuron, Lif | CubaLif)]
    return bool(resets) and all(kind is ResetKind.ONCE for kind in resets)


def machine_step_ms(graph: HardwareGraph) -> float:
    """Step of the machine where nobody names one: the network's, but for one that came from continuous time no less
    than the machine can do, in whole microseconds; every time constant is then longer by the same factor.
    """
    own = graph.dt_s * 1000.0
    return max(SHORTEST_STEP_MS, math.ceil(own * 1000.0 - 1e-6) / 1000.0) if was_continuous(graph) else own


CELL_KINDS: Mapping[type, CellKind] = {Lif: CellKind.DELTA, CubaLif: CellKind.EXP}
"""PyNN's neuron for each kind of neuron."""


REFRACTORY_STEPS: Mapping[ResetKind, int] = {
    ResetKind.NONE: 0,
    ResetKind.ZERO: 0,  # at once or at the start of the next step: the same spikes
    ResetKind.CLAMP: 1,  # the whole next step stays at v_reset, its input included
    ResetKind.ONCE: UNTIL_THE_END,
}
"""What a reset means for PyNN's refractory period; resets by subtraction exist on no cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Cells and shifts of all layers on one backend; no shifts where a loop is faster than the backend."""

    kinds: Mapping[str, CellKind]
    shifts: Mapping[str, int] | None


def _timing(graph: HardwareGraph, kinds: Mapping[str, CellKind], backend: Backend) -> Timing:
    """Solve the shifts; on NEST, delta cells take the place of exponential ones that are too late in a loop."""
    timing = Timing(kinds=kinds, shifts=_shifts(graph, kinds, backend))
    if timing.shifts is not None or backend is not Backend.NEST:
        return timing
    looped = {name for group in loops(graph) for name in group if kinds[name] is CellKind.EXP}
    synapses = sum(_synapses(p) * _pulses(graph, p.post) for p in graph.projections if p.post in looped)
    if synapses > MOST_PULSES:
        return timing
    other = {**kinds, **dict.fromkeys(looped, CellKind.DELTA)}
    return Timing(kinds=other, shifts=_shifts(graph, other, backend))


MOST_PULSES = 5_000_000
"""Synapses times pulses of a network that NEST is given in this form."""

NEGLIGIBLE = 2.0**-60
"""What is left of a current, relative to its jump, when its pulses end."""


def _synapses(projection: Projection) -> int:
    connection = projection.connection
    lines = np.ones((1, input_size(connection)))
    return int(drive_of(connection, np.ones(connection.weight.real.shape), lines).sum())


def _pulses(graph: HardwareGraph, name: str) -> int:
    """Pulses until a current is negligible or the sample over."""
    neuron = graph.population(name).neuron
    assert isinstance(neuron, CubaLif)
    decay = float(neuron.leak_syn.beta.max())
    if not 0 < decay < 1:
        return 1 if decay <= 0 else graph.steps or MOST_PULSES
    lasting = math.ceil(math.log(NEGLIGIBLE) / math.log(decay))
    return min(lasting, graph.steps) if graph.steps else lasting


def _population(
    graph: HardwareGraph, population: Population, label: str, timing: Mapping[Backend, Timing]
) -> PopulationPlan:
    kind, name = CELL_KINDS[type(population.neuron)], population.name
    nest = timing[Backend.NEST]
    pulsed = nest.shifts is not None and nest.kinds[name] is not kind
    return PopulationPlan(
        name=population.name,
        label=label,
        shape=population.shape,
        cell=_cell(population, kind),
        biases=_biases(population),
        scale=1.0,
        drive=None,
        shift={backend: solved.shifts[name] for backend, solved in timing.items() if solved.shifts is not None},
        pulses=_pulses(graph, name) if pulsed else 0,
    )


def _biases(population: Population) -> tuple[BiasPlan, ...]:
    neuron = population.neuron
    assert isinstance(neuron, Lif | CubaLif)
    kept = neuron.leak_mem.beta * neuron.v_init.real if neuron.v_init.real.any() else neuron.v_init.real
    start = BiasPlan(onset=0, until=1, values=kept, initial=True)
    always = BiasPlan(onset=0, until=None, values=population.bias.real, initial=False)
    late = (
        BiasPlan(onset=x.onset, until=x.until, values=x.values.real, initial=False) for x in population.late_biases
    )
    return tuple(bias for bias in (start, always, *late) if bias.values.any())


def _cell(population: Population, kind: CellKind) -> CellPlan:
    neuron = population.neuron
    assert isinstance(neuron, Lif | CubaLif)
    size = population.size

    def per_neuron(values: NDArray[Any]) -> NDArray[Any]:
        return frozen(np.broadcast_to(values, (size,)), np.float64)

    return CellPlan(
        kind=kind,
        decay_mem=per_neuron(neuron.leak_mem.beta),
        decay_syn=per_neuron(neuron.leak_syn.beta) if isinstance(neuron, CubaLif) else None,
        threshold=per_neuron(neuron.threshold.real),
        v_reset=per_neuron(neuron.v_reset.real),
        refractory_steps=refractory_steps(neuron.reset),
        spiking=neuron.reset.kind is not ResetKind.NONE,
    )


def refractory_steps(reset: Reset) -> int:
    """Whole steps at v_reset after the step of a spike."""
    return REFRACTORY_STEPS[reset.kind]


def _projection(projection: Projection, label: str, timing: Mapping[Backend, Timing]) -> ProjectionPlan:
    return ProjectionPlan(
        name=projection.name,
        label=label,
        pre=projection.pre,
        post=projection.post,
        connection=projection.connection,
        steps=projection.delay,
        delay={
            backend: pynn_delay(_edge(projection, solved.kinds[projection.post], backend), solved.shifts)
            for backend, solved in timing.items()
            if solved.shifts is not None
        },
    )


def _edge(projection: Projection, kind: CellKind, backend: Backend) -> Edge:
    return Edge(
        pre=projection.pre, post=projection.post, delay=projection.delay, extra=EXTRA_LATENCY[backend][kind]
    )


def _shifts(graph: HardwareGraph, kinds: Mapping[str, CellKind], backend: Backend) -> dict[str, int] | None:
    edges = [_edge(p, kinds[p.post], backend) for p in graph.projections]
    return solve_shifts(graph.input.name, [p.name for p in graph.populations], edges)


def _labels(graph: HardwareGraph) -> dict[str, str]:
    """Identifiers for the input, populations and projections: readable, unique, never a Python keyword."""
    labels: dict[str, str] = {}
    taken = {*keyword.kwlist, *WORDS_OF_THE_SCRIPT}
    for name in (graph.input.name, *(p.name for p in graph.populations)):
        labels[name] = _identifier(name, taken)
    for projection in graph.projections:
        late = f"_after_{projection.delay}" if projection.delay else ""
        labels[projection.name] = _identifier(f"{labels[projection.pre]}_to_{labels[projection.post]}{late}", taken)
    return labels


WORDS_OF_THE_SCRIPT = ("net", "w", "dense", "convolution", "pooled")
"""Names that the blocks of a script use themselves."""


def _identifier(name: str, taken: set[str]) -> str:
    """An identifier like a name, told apart from those already taken.

    >>> _identifier("fc.1", {"fc_1"})
    'fc_1_2'
    """
    base = "".join(c if c.isascii() and c.isalnum() else "_" for c in name).strip("_") or "layer"
    base = f"layer_{base}" if base[0].isdigit() else base
    label, count = base, 1
    while label in taken:
        count += 1
        label = f"{base}_{count}"
    taken.add(label)
    return label
