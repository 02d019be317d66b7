"""NIR as another tool's reader takes it: the file after which that tool computes the same spikes, or a refusal.

What a reader does with a file is a fact about its source, not about NIR: dt that is built in, time in milliseconds
or in steps, r and v_reset that are ignored, neurons that are turned into others. Each profile states such facts as
data and rules; everything is written from the lowered graph, where r, w_in and leak potentials are already folded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from lightning_neuro import __version__
from lightning_neuro.errors import ConfigError, NirError, first_line
from lightning_neuro.graph import golden
from lightning_neuro.graph.compare import Comparison, compare_run
from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    HardwareGraph,
    Lif,
    Population,
    Reset,
    ResetKind,
)
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.graph.nir_hdf5 import write_graph
from lightning_neuro.graph.profile_nodes import Written, connection_reasons, weight_nodes

NeuronWriter = Callable[[Population, float], Written]

IMMEDIATE_ZERO = frozenset({(ResetKind.ZERO, 0), (ResetKind.ZERO, 1)})  # delayed zero: the same spikes
IMMEDIATE_SUBTRACT = frozenset({(ResetKind.SUBTRACT, 0)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one reader does.

    Args:
        reader: name and version whose source was read.
        dt: step that the file is written for, in the file's unit; a function of the network's step in seconds.
        neurons: writers by kind: "lif", "if", "cuba", "li", "cuba_li"; a missing kind is refused.
        resets: (kind, delay) that the reader's spikes agree with.
        v_reset: whether a reset potential other than rest can be said.
        loops: whether a population may feed itself (one step of delay).
        biases: whether constant drives can be said.
        pooling: NIR node that the reader sums or averages with; None refuses pooling.
        convolution: whether Conv2d is read.
        bare_linear: whether Linear without bias is read; else it is written as Affine.
        homogeneous: neurons of a layer must share all constants.
        flat_subtract: the reader allows several spikes in a step, so membranes must stay below twice the
            threshold; integrators stop at minus the threshold.
        unit_if: the reader adds r times the input to an integrator in each step, whatever dt is.
        notes: how to call the reader.
    """

    reader: str
    dt: Callable[[float], float]
    neurons: Mapping[str, NeuronWriter]
    resets: frozenset[tuple[ResetKind, int]]
    v_reset: bool = False
    loops: bool = False
    biases: bool = True
    pooling: type[nir.NIRNode] | None = None
    convolution: bool = True
    bare_linear: bool = True
    homogeneous: bool = False
    flat_subtract: bool = False
    unit_if: bool = False
    notes: str = ""


# -- neurons in each reader's form -------------------------------------------------------------------------------


def kind_of(population: Population) -> str:
    """ "lif", "if", "cuba", or with "_li" and "li" for read-outs."""
    neuron = population.neuron
    quiet = isinstance(neuron, Lif | CubaLif) and neuron.reset.kind is ResetKind.NONE
    if isinstance(neuron, CubaLif):
        return "cuba_li" if quiet else "cuba"
    assert isinstance(neuron, Lif)
    if (neuron.leak_mem.beta == 1).all():
        return "i" if quiet else "if"
    return "li" if quiet else "lif"


def _shaped(population: Population, values: Any) -> NDArray[np.float64]:
    return np.array(np.broadcast_to(values, (population.size,))).reshape(population.shape)


def _parts(population: Population) -> tuple[Any, NDArray[np.float64], NDArray[np.float64]]:
    neuron: Any = population.neuron
    return neuron, neuron.threshold.real, neuron.v_reset.real


def _unit(population: Population) -> NDArray[np.float64]:
    """What weights are multiplied by so that all thresholds become 1, where they differ; the spikes stay the same."""
    threshold = population.neuron.threshold.real
    return np.ones(population.size) if (threshold == threshold[:1]).all() else 1.0 / threshold


def _product(threshold: NDArray[np.float64], factor: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scaled thresholds; exactly 1 where they were scaled to 1, since readers compare them for equality."""
    return threshold if (factor == 1).all() else np.ones_like(threshold)


def _plain_lif(one_threshold: bool) -> NeuronWriter:
    """tau = dt / (1 - beta) and r = tau / dt, so that a weight acts on the membrane as it is."""

    def write(population: Population, dt: float) -> Written:
        neuron, threshold, v_reset = _parts(population)
        factor = _unit(population) if one_threshold else np.ones(population.size)
        tau = dt / (1.0 - neuron.leak_mem.beta)
        node = nir.LIF(
            tau=_shaped(population, tau),
            r=_shaped(population, tau / dt),
            v_leak=_shaped(population, 0.0),
            v_threshold=_shaped(population, _product(threshold, factor)),
            v_reset=_shaped(population, v_reset * factor),
        )
        return Written(node=node, factor=factor)

    return write


def _plain_cuba(one_threshold: bool, unit_r: bool) -> NeuronWriter:
    def write(population: Population, dt: float) -> Written:
        neuron, threshold, v_reset = _parts(population)
        factor = _unit(population) if one_threshold else np.ones(population.size)
        tau_mem, tau_syn = dt / (1.0 - neuron.leak_mem.beta), dt / (1.0 - neuron.leak_syn.beta)
        common: dict[str, Any] = {
            "tau_syn": _shaped(population, tau_syn),
            "tau_mem": _shaped(population, tau_mem),
            "r": _shaped(population, 1.0 if unit_r else tau_mem / dt),
            "w_in": _shaped(population, tau_syn / dt),
            "v_leak": _shaped(population, 0.0),
        }
        gained = factor * (tau_mem / dt if unit_r else 1.0)
        if neuron.reset.kind is ResetKind.NONE:
            return Written(node=nir.CubaLI(**common), factor=gained)
        ends: dict[str, Any] = {
            "v_threshold": _shaped(population, _product(threshold, factor)),
            "v_reset": _shaped(population, v_reset * factor),
        }
        node = nir.CubaLIF(**common, **ends)
        return Written(node=node, factor=gained)

    return write


def _if(r_of_dt: Callable[[float], float]) -> NeuronWriter:
    def write(population: Population, dt: float) -> Written:
        _, threshold, v_reset = _parts(population)
        node = nir.IF(
            r=_shaped(population, r_of_dt(dt)),
            v_threshold=_shaped(population, threshold),
            v_reset=_shaped(population, v_reset),
        )
        return Written(node=node, factor=np.ones(population.size))

    return write


def _norse_lif(population: Population, dt: float) -> Written:
    """Norse ignores r and v_reset: the gain goes into the weights, and rest is moved so that the reset lies at 0."""
    neuron, threshold, v_reset = _parts(population)
    tau = dt / (1.0 - neuron.leak_mem.beta)
    node = nir.LIF(
        tau=_shaped(population, tau),
        r=_shaped(population, 1.0),
        v_leak=_shaped(population, -v_reset),
        v_threshold=_shaped(population, threshold - v_reset),
        v_reset=_shaped(population, 0.0),
    )
    return Written(node=node, factor=tau / dt)


def _steps_lif(population: Population, dt: float) -> Written:
    """sinabs decays by exp(-1/tau) with tau in steps and adds the input as it is."""
    neuron, threshold, _ = _parts(population)
    tau = -1.0 / np.log(neuron.leak_mem.beta)
    common: dict[str, Any] = {
        "tau": _shaped(population, tau),
        "r": _shaped(population, 1.0),
        "v_leak": _shaped(population, 0.0),
    }
    if neuron.reset.kind is ResetKind.NONE:
        return Written(node=nir.LI(**common), factor=np.ones(population.size))
    ends: dict[str, Any] = {"v_threshold": _shaped(population, threshold), "v_reset": _shaped(population, 0.0)}
    return Written(node=nir.LIF(**common, **ends), factor=np.ones(population.size))


PROFILES: dict[str, Profile] = {
    "snntorch": Profile(
        reader="snntorch 1.0.0, import_nir.import_from_nir",
        dt=lambda dt: 1e-4,
        neurons={"lif": _plain_lif(True), "cuba": _plain_cuba(True, False)},
        resets=IMMEDIATE_ZERO,
        pooling=nir.AvgPool2d,
        notes="call import_from_nir(nir.read(file)); with Flatten one unbatched sample at a time",
    ),
    "norse": Profile(
        reader="norse 1.1.0, from_nir",
        dt=lambda dt: dt,
        neurons={"lif": _norse_lif, "cuba": _plain_cuba(False, False), "if": _if(lambda dt: 1.0 / dt)},
        resets=IMMEDIATE_ZERO,
        v_reset=True,
        loops=True,
        pooling=nir.SumPool2d,
        notes="call norse.torch.from_nir(nir.read(file), dt=DT); with Flatten one unbatched sample at a time",
    ),
    "hxtorch": Profile(
        reader="hxtorch.snn, from_nir (time in milliseconds)",
        dt=lambda dt: dt * 1e3,
        neurons={"cuba": _plain_cuba(True, True), "cuba_li": _plain_cuba(False, True)},
        resets=IMMEDIATE_ZERO,
        v_reset=True,
        biases=False,
        convolution=False,
        homogeneous=True,
        notes="weights are scaled by ConversionConfig(weight_scale) and rounded to 6 bits by hxtorch",
    ),
    "spinnaker2": Profile(
        reader="py-spinnaker2, s2_nir.from_nir",
        dt=lambda dt: dt,
        neurons={"lif": _plain_lif(False), "cuba": _plain_cuba(False, False), "if": _if(lambda dt: 1.0)},
        resets=IMMEDIATE_ZERO,
        unit_if=True,
        notes="ConversionConfig(dt=DT, integrator FORWARD, reset ZERO); weights are rounded to 8 bits by the reader",
    ),
    "sinabs": Profile(
        reader="sinabs 2.0.3, nir.from_nir (time in steps)",
        dt=lambda dt: 1.0,
        neurons={"lif": _steps_lif, "li": _steps_lif, "if": _if(lambda dt: 1.0)},
        resets=IMMEDIATE_SUBTRACT,
        pooling=nir.SumPool2d,
        bare_linear=False,
        flat_subtract=True,
        notes="call from_nir(nir.read(file), batch_size=N)",
    ),
}


# -- writing -----------------------------------------------------------------------------------------------------


def profile_named(name: str) -> Profile:
    """Profile by name.

    Raises:
        ConfigError: there is none.
    """
    if name not in PROFILES:
        raise ConfigError(
            f"profile={name} is unknown",
            where="profile",
            why=f"profiles: {', '.join(PROFILES)}; without profile= the file is plain NIR that says everything",
            next_command="profile=norse",
        )
    return PROFILES[name]


def write_profile(graph: HardwareGraph, name: str, path: Path, raster: NDArray[Any]) -> Comparison:
    """Write a graph for another tool's reader and check the file by what that reader would make of it.

    Args:
        graph: lowered, in real numbers.
        name: one of ``PROFILES``.
        path: file to write.
        raster: input spikes [sample, step, n] for the check (and for rules that depend on activity).

    Raises:
        NirError: the reader would compute something else; every reason is listed.
        ConfigError: no such profile.
    """
    profile = profile_named(name)
    recording = golden.run(graph, raster, arithmetic="real", record=True)
    reasons = refusals(graph, profile, recording)
    if reasons:
        raise NirError(
            f"profile={name} cannot say this network: " + "; ".join(reasons),
            where=f"profile={name}",
            why=f"{profile.reader} would compute other spikes",
            next_command="another profile, or change the network: reset zero at once is what most readers know",
        )
    dt = profile.dt(graph.dt_s)
    write_graph(path, _written(graph, profile, name, dt))
    _readable(path)
    found = compare_run(_as_read(path, graph, profile, dt), raster, _spikes(graph, recording), {})
    if found.mismatches:
        path.unlink()
        raise NirError(
            f"the file does not repeat the network's spikes: {found}",
            where=f"profile={name}",
            why="single precision moved a membrane across its threshold, or the profile is wrong",
            next_command="leave profile= out, and report the network",
        )
    return found


def _spikes(graph: HardwareGraph, recording: golden.Recording) -> dict[str, NDArray[Any]]:
    quiet = {p.name for p in graph.populations if kind_of(p) in ("li", "i", "cuba_li")}
    return {_safe(name): raster for name, raster in recording.spikes.items() if name not in quiet}


def _safe(name: str) -> str:
    return name.replace(".", "_").replace("/", "_")


def _written(graph: HardwareGraph, profile: Profile, name: str, dt: float) -> nir.NIRGraph:
    nodes: dict[str, nir.NIRNode] = {_safe(graph.input.name): nir.Input({"input": np.array(graph.input.shape)})}
    edges: list[tuple[str, str]] = []
    shapes = {graph.input.name: graph.input.shape, **{p.name: p.shape for p in graph.populations}}
    for population in graph.populations:
        post = _safe(population.name)
        written = profile.neurons[kind_of(population)](population, dt)
        nodes[post] = written.node
        bias = population.bias.real
        incoming = sorted(graph.into(population.name), key=lambda p: p.delay)
        for k, projection in enumerate(incoming):
            late = [x.values.real for x in population.late_biases] if projection.delay else []
            drive = late[0] if late else bias if k == 0 else np.zeros(population.size)
            chain = weight_nodes(projection, population, shapes[projection.pre], written.factor, drive, profile)
            last = _safe(projection.pre)
            for j, node in enumerate(chain):
                here = f"{_safe(projection.pre)}_to_{post}_{j}"
                nodes[here] = node
                edges.append((last, here))
                last = here
            edges.append((last, post))
    size = graph.population(graph.output).shape
    nodes["output"] = nir.Output({"output": np.array(size)})
    edges.append((_safe(graph.output), "output"))
    metadata = {"profile": name, "reader": profile.reader, "dt": dt, "tool": f"lightning_neuro {__version__}"}
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={**metadata, "notes": profile.notes}, type_check=False)


def _readable(path: Path) -> None:
    """The readers call ``nir.read``, whose type check knows square kernels and single groups only."""
    try:
        nir.read(path)
    except Exception as error:
        path.unlink()
        raise NirError(
            "nir's own type check refuses the file",
            where=str(path),
            why=first_line(error),
            next_command="use square kernels and groups=1, or leave profile= out",
        ) from error


def _as_read(path: Path, graph: HardwareGraph, profile: Profile, dt: float) -> HardwareGraph:
    """What the reader computes, in our terms."""
    read, metadata = read_nir(path, dt_s=dt)
    if profile.unit_if:
        for node in read.nodes.values():
            if isinstance(node, nir.IF):
                node.r = node.r / dt
    if profile.flat_subtract:
        for node in read.nodes.values():
            if isinstance(node, nir.LIF | nir.LI):
                node.tau = 1.0 / (1.0 - np.exp(-1.0 / node.tau))  # the Euler step with the reader's decay
                node.r = node.tau  # and the whole input
        subtract = Reset(kind=ResetKind.SUBTRACT, delay=0)
        resets = {k: r if r.kind is ResetKind.NONE else subtract for k, r in metadata.resets.items()}
        metadata = dataclasses.replace(metadata, resets=resets)
    return lower(read, _with_readout(metadata, graph))


def _with_readout(metadata: Metadata, graph: HardwareGraph) -> Metadata:
    return dataclasses.replace(metadata, readout=graph.readout)


# -- refusing ----------------------------------------------------------------------------------------------------


def refusals(graph: HardwareGraph, profile: Profile, recording: golden.Recording | None) -> list[str]:
    """Every reason why a reader would compute something else."""
    reasons = [reason for p in graph.populations for reason in _population_reasons(graph, p, profile)]
    if profile.flat_subtract and recording is not None and not reasons:
        reasons += [reason for p in graph.populations for reason in _several_spikes(p, recording)]
    return reasons


def _population_reasons(graph: HardwareGraph, population: Population, profile: Profile) -> list[str]:
    kind, where, neuron = kind_of(population), population.name, population.neuron
    assert isinstance(neuron, Lif | CubaLif)
    reset = neuron.reset.kind, neuron.reset.delay
    spikes = reset[0] is not ResetKind.NONE
    constants = [neuron.leak_mem.beta, neuron.threshold.real, neuron.v_reset.real]
    mixed = bool(((neuron.leak_mem.beta == 1) & (kind != "if")).any())
    rules = {
        f"{where} is of kind {kind}, the reader knows {', '.join(profile.neurons)}": kind not in profile.neurons,
        f"{where} mixes neurons with and without leak": mixed,
        f"{where} resets by {reset[0].value} with delay {reset[1]}": spikes and reset not in profile.resets,
        f"{where} has a reset potential other than rest": spikes
        and bool(neuron.v_reset.real.any())
        and not (profile.v_reset and (kind == "lif" or profile.homogeneous)),
        f"{where} has a threshold that is not positive": spikes and bool((neuron.threshold.real <= 0).any()),
        f"{where} has constants that differ between neurons": profile.homogeneous
        and any((c != c[:1]).any() for c in constants),
        f"{where} has a bias": not profile.biases and bool(population.bias.real.any()),
        f"{where} has late biases outside one loop": _odd_late_bias(graph, population, profile),
        f"{where} is current-based with a bias": "spinnaker2" in profile.reader
        and kind == "cuba"
        and bool(population.bias.real.any()),
        f"{where} is an image; the reader compares its arrays as a whole": profile.flat_subtract
        and kind in ("lif", "li")
        and len(population.shape) > 1,
        f"{where} is fed by nothing that could hold its bias": bool(population.bias.real.any())
        and not any(p.delay == 0 for p in graph.into(where)),
    }
    found = [reason for reason, broken in rules.items() if broken]
    for projection in graph.into(where):
        found += _projection_reasons(projection, population, profile)
    return found


def _odd_late_bias(graph: HardwareGraph, population: Population, profile: Profile) -> bool:
    late = population.late_biases
    own = [p for p in graph.into(population.name) if p.pre == population.name and p.delay == 1]
    return bool(late) and not (profile.loops and len(late) == 1 and late[0].onset == 1 and len(own) == 1)


def _projection_reasons(projection: Any, population: Population, profile: Profile) -> list[str]:
    own = projection.pre == projection.post
    found = []
    if projection.delay and not (own and projection.delay == 1 and profile.loops):
        found.append(f"{projection.name} has a delay" if not own else f"{population.name} feeds itself")
    return found + connection_reasons(projection, population, profile)


def _several_spikes(population: Population, recording: golden.Recording) -> list[str]:
    """sinabs lets a neuron spike several times in a step, and spikes at the threshold itself."""
    neuron: Any = population.neuron
    if neuron.reset.kind is ResetKind.NONE:
        return []
    threshold, after = neuron.threshold.real, recording.membrane[population.name]
    fired = recording.spikes[population.name].astype(bool)
    found = []
    if (~fired & (after >= threshold)).any():
        found.append(f"{population.name} meets its threshold exactly, where the reader spikes")
    if (fired & (after >= threshold)).any():
        found.append(f"{population.name} reaches twice its threshold in a step, where the reader spikes twice")
    if kind_of(population) == "if" and (after < -threshold).any():
        found.append(f"{population.name} falls below minus its threshold, where the reader stops it")
    return found
