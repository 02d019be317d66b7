"""From NIR's differential equations to the five lines of a step: one entry of ``NEURONS`` per NIR neuron.

Forward Euler with the current jump first, as snnTorch and Norse compute: with membrane equation
``tau v' = v_leak - v + r I`` a step of dt gives ``v <- beta v + gain I`` with ``beta = 1 - dt/tau`` and
``gain = r dt/tau`` (Pedersen et al., Neuromorphic Intermediate Representation, 2024). Membranes are measured from
v_leak and start there, at rest, as Norse's do: threshold and v_reset become their distances from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import nir
import numpy as np
from numpy.typing import ArrayLike, NDArray

from lightning_neuro.errors import NirError
from lightning_neuro.graph.hardware_graph import CubaLif, Leak, Lif, Reset, ResetKind, SteppedNeuron, Values, zeros

# Products of a reciprocal and its inverse differ from 1 by rounding alone; they must not move a threshold tie.
_UNIT_TOLERANCE = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stepped:
    """A neuron node in step form.

    Args:
        neuron: constants per neuron.
        gain: what incoming weights are multiplied by, [n].
    """

    neuron: SteppedNeuron
    gain: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuronNode:
    """What a NIR neuron is here; the one entry that a kind of neuron needs to be read, written, lowered and listed.

    Args:
        in_steps: step form of a node: (name, node, dt in seconds, reset).
        reset: what NIR's own equations say when no metadata does; integrators never reset.
        means: a few words for tables.
    """

    in_steps: Callable[[str, Any, float, Reset], Stepped]
    reset: Reset
    means: str


def discretise(name: str, node: nir.NIRNode, dt_s: float, reset: Reset) -> Stepped:
    """Turn a NIR neuron into step form.

    Args:
        name: node name, for messages.
        node: one of ``NEURONS``.
        dt_s: step in seconds.
        reset: what a spike does; NIR itself only knows reset to v_reset.

    Raises:
        NirError: dt is longer than a time constant, or a reset by subtraction meets a leak potential.
    """
    return NEURONS[type(node)].in_steps(name, node, dt_s, reset)


def _vector(values: ArrayLike) -> NDArray[np.float64]:
    return np.atleast_1d(np.asarray(values, dtype=np.float64)).ravel()


def _snap(gain: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(gain - 1.0) < _UNIT_TOLERANCE, 1.0, gain)


def _decay(name: str, tau: ArrayLike, dt_s: float) -> NDArray[np.float64]:
    tau = _vector(tau)
    if (tau <= 0).any() or (dt_s > tau * (1 + _UNIT_TOLERANCE)).any():
        raise NirError(
            f"dt = {dt_s:g} s is longer than the time constant {float(tau.min()):g} s",
            where=f"node {name!r}",
            why="a forward Euler step needs 0 < dt <= tau; often tau is in milliseconds where seconds are meant",
            next_command=f"dt={float(tau.min()) / 10:g}" if (tau > 0).all() else "mend tau in the file",
        )
    return np.clip(1.0 - dt_s / tau, 0.0, 1.0)


def _constants(name: str, node: nir.NIRNode, size: int, reset: Reset) -> dict[str, Any]:
    """Threshold and reset potential, measured from v_leak; integrators have neither."""
    v_leak = np.broadcast_to(_vector(getattr(node, "v_leak", 0.0)), (size,))
    if reset.kind is ResetKind.SUBTRACT and v_leak.any():
        raise NirError(
            f"reset by subtraction together with v_leak = {float(v_leak[v_leak != 0][0]):g}",
            where=f"node {name!r}",
            why="the amount subtracted would no longer be the distance from rest to threshold",
            next_command="set v_leak to 0, or reset to a value",
        )
    if reset.kind is ResetKind.NONE and (v_leak != v_leak[:1]).any():
        raise NirError(
            f"read-out neurons with leak potentials from {v_leak.min():g} to {v_leak.max():g}",
            where=f"node {name!r}",
            why="membranes are measured from rest, and classes are compared by membrane: rest must be common to all",
            next_command="give all read-out neurons the same v_leak, or move it into the bias",
        )
    threshold = np.broadcast_to(_vector(getattr(node, "v_threshold", v_leak)), (size,))
    v_reset = np.broadcast_to(_vector(getattr(node, "v_reset", v_leak)), (size,))
    return {
        "threshold": Values(real=threshold - v_leak),
        "v_reset": Values(real=v_reset - v_leak),
        "v_init": zeros(size),
    }


def _lif(name: str, node: nir.LIF | nir.LI, dt_s: float, reset: Reset) -> Stepped:
    beta = _decay(name, node.tau, dt_s)
    return Stepped(
        neuron=Lif(leak_mem=Leak(beta=beta), reset=reset, **_constants(name, node, beta.size, reset)),
        gain=_snap(_vector(node.r) * dt_s / _vector(node.tau)),
    )


def _if(name: str, node: nir.IF | nir.I, dt_s: float, reset: Reset) -> Stepped:
    r = _vector(node.r)
    return Stepped(
        neuron=Lif(leak_mem=Leak(beta=np.ones(r.size)), reset=reset, **_constants(name, node, r.size, reset)),
        gain=_snap(r * dt_s),
    )


def _cuba(name: str, node: nir.CubaLIF | nir.CubaLI, dt_s: float, reset: Reset) -> Stepped:
    beta, alpha = _decay(name, node.tau_mem, dt_s), _decay(name, node.tau_syn, dt_s)
    constants = _constants(name, node, beta.size, reset)
    jump = _snap(np.broadcast_to(_vector(node.w_in), beta.shape) * dt_s / _vector(node.tau_syn))
    return Stepped(
        neuron=CubaLif(leak_syn=Leak(beta=alpha), leak_mem=Leak(beta=beta), reset=reset, **constants),
        gain=_snap(jump * _snap(_vector(node.r) * dt_s / _vector(node.tau_mem))),
    )


def _threshold(name: str, node: nir.Threshold, dt_s: float, reset: Reset) -> Stepped:
    """A neuron that forgets everything in each step: it spikes where its input is above the threshold."""
    threshold = _vector(node.threshold)
    return Stepped(
        neuron=Lif(
            leak_mem=Leak(beta=np.zeros(threshold.size)),
            threshold=Values(real=threshold),
            v_reset=zeros(threshold.size),
            v_init=zeros(threshold.size),
            reset=reset,
        ),
        gain=np.ones(threshold.size),
    )


AT_ONCE = Reset(kind=ResetKind.ZERO, delay=0)
NEVER = Reset(kind=ResetKind.NONE, delay=0)

NEURONS: dict[type[nir.NIRNode], NeuronNode] = {
    nir.LIF: NeuronNode(in_steps=_lif, reset=AT_ONCE, means="leaky integrate-and-fire"),
    nir.LI: NeuronNode(in_steps=_lif, reset=NEVER, means="read-out by membrane"),
    nir.IF: NeuronNode(in_steps=_if, reset=AT_ONCE, means="integrate-and-fire"),
    nir.I: NeuronNode(in_steps=_if, reset=NEVER, means="read-out by membrane, no leak"),
    nir.CubaLIF: NeuronNode(in_steps=_cuba, reset=AT_ONCE, means="current-based LIF"),
    nir.CubaLI: NeuronNode(in_steps=_cuba, reset=NEVER, means="current-based read-out"),
    nir.Threshold: NeuronNode(in_steps=_threshold, reset=AT_ONCE, means="neurons without memory"),
}

_TYPES = ("input_type", "output_type", "metadata")  # fields of every NIR node; the others hold a value per neuron


def neuron_shape(name: str, node: nir.NIRNode) -> tuple[int, ...]:
    """Shape of a neuron layer.

    Raises:
        NirError: a parameter has another shape than the others, none at all (0-d), or no values.
    """
    values = {field.name: getattr(node, field.name, None) for field in fields(node) if field.name not in _TYPES}
    shapes = {key: np.shape(value) for key, value in values.items() if value is not None}
    distinct = set(shapes.values())
    shape = next(iter(distinct))
    if len(distinct) != 1 or 0 in (*shape, len(shape)):
        raise NirError(
            "neuron parameters of shape " + ", ".join(f"{key} {list(value)}" for key, value in shapes.items()),
            where=f"node {name!r}",
            why="every parameter is an array with one value per neuron; a 0-d array does not say how many there are",
            next_command="write np.full(number_of_neurons, value) for values that all neurons share",
        )
    return shape
