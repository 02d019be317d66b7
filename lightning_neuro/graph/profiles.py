"""NIR as another tool's reader takes it: the file after which that tool computes the same spikes, or a refusal.

What a reader does with a file is a fact about its source, not about NIR: dt that is built in, time in milliseconds
or in steps, r and v_reset that are ignored, neurons that are turned into others. Each profile states such facts as
data and rules; everything is written from the lowered graph, where r, w_in and leak potentials are already folded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    Lif,
    Population,
    ResetKind,
)
from lightning_neuro.graph.profile_nodes import Written

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
    """ "lif", "if", "cuba", or with "_li" and "li" for read-outs; kinds that no other tool reads by their own names."""
    neuron = population.stepped
    quiet = neuron.reset.kind is ResetKind.NONE
    if isinstance(neuron, CubaLif):
        return "cuba_li" if quiet else "cuba"
    if not isinstance(neuron, Lif):
        return type(neuron).__name__
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
