"""Export torch networks to NIR: one function per layer type, semantics in metadata, nothing changed silently.

A step network with decay beta and dt becomes ``tau = dt / (1 - beta)`` and ``r = tau / dt``, so that a NIR reader
that steps forward Euler with the same dt computes the same numbers (snnTorch, Norse: ``beta = 1 - dt/tau``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lightning_neuro.errors import NirError
from lightning_neuro.graph.hardware_graph import Reset, ResetKind
from lightning_neuro.graph.torch_layers import LINEAR, Shape, convolution, copied
from lightning_neuro.graph.trace import Layer
from lightning_neuro.neurons import LIF
from lightning_neuro.neurons.libraries import NorseNeurons, SnnTorchNeurons
from lightning_neuro.peers import norse, reset_subtract, reset_value, snntorch

Vector = NDArray[np.float64]

__all__ = ["LINEAR", "NEURONS", "STEP_LENGTHS", "Exported", "decay_node", "kind_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A neuron layer as a NIR node, with the reset that NIR cannot say.

    Args:
        node: the neurons.
        reset: kind and delay.
        entry: weights of the input, where the layer has its own.
        loop: weights from the neurons back to themselves.
        bias: drive from the first step on, which torch adds with the recurrent weights; None without one.
        rest: the layer returns membranes, not spikes, and this potential is their rest; None for spikes.
    """

    node: nir.NIRNode
    reset: Reset
    entry: nir.NIRNode | None = None
    loop: nir.NIRNode | None = None
    bias: Vector | None = None
    rest: Vector | None = None


# -- from decay factors to NIR nodes -----------------------------------------------------------------------------


def decay_node(
    beta: Vector,
    alpha: Vector | None,
    threshold: Vector,
    v_reset: Vector,
    reset: Reset,
    dt_s: float,
    where: str,
) -> nir.NIRNode:
    """The NIR node of a step neuron.

    Args:
        beta: membrane decay per step, [n].
        alpha: current decay per step, [n]; None for a delta synapse.
        threshold, v_reset: [n].
        reset: ``none`` gives an integrator without threshold.
        dt_s: step in seconds.
        where: layer name, for messages.

    Raises:
        NirError: beta mixes 1 with other values, or a current-based neuron does not leak.
    """
    if alpha is not None:
        return _cuba_node(beta, alpha, threshold, v_reset, reset, dt_s, where)
    if (beta == 1).all():
        r = np.full(beta.shape, 1.0 / dt_s)
        return nir.I(r=r) if reset.kind is ResetKind.NONE else nir.IF(r=r, v_threshold=threshold, v_reset=v_reset)
    tau = _time_constant(beta, dt_s, where)
    common: dict[str, Any] = {"tau": tau, "r": tau / dt_s, "v_leak": np.zeros_like(tau)}
    if reset.kind is ResetKind.NONE:
        return nir.LI(**common)
    return nir.LIF(**common, v_threshold=threshold, v_reset=v_reset)


def _cuba_node(
    beta: Vector, alpha: Vector, threshold: Vector, v_reset: Vector, reset: Reset, dt_s: float, where: str
) -> nir.NIRNode:
    tau_mem, tau_syn = _time_constant(beta, dt_s, where), _time_constant(alpha, dt_s, where)
    common: dict[str, Any] = {
        "tau_syn": tau_syn,
        "tau_mem": tau_mem,
        "r": tau_mem / dt_s,
        "w_in": tau_syn / dt_s,
        "v_leak": np.zeros_like(tau_mem),
    }
    if reset.kind is ResetKind.NONE:
        return nir.CubaLI(**common)
    return nir.CubaLIF(**common, v_threshold=threshold, v_reset=v_reset)


def _time_constant(decay: Vector, dt_s: float, where: str) -> Vector:
    if (decay >= 1).any() or (decay < 0).any():
        raise NirError(
            f"decay factor {float(decay[(decay >= 1) | (decay < 0)][0]):g} has no time constant in this layer",
            where=f"layer {where!r}",
            why="NIR's leaky neurons need tau = dt / (1 - beta) finite and positive in every neuron",
            next_command="clamp beta below 1, or make the whole layer integrate (beta = 1)",
        )
    return dt_s / (1.0 - decay)


# -- layers ------------------------------------------------------------------------------------------------------


def _vector(values: Tensor | float, shape: Shape) -> Vector:
    array = torch.as_tensor(values).detach().double().cpu().numpy()
    return np.array(np.broadcast_to(array.ravel() if len(shape) == 1 else array, shape))


def _native(layer: Layer, shape: Shape, dt_s: float) -> Exported:
    module = layer.module
    assert isinstance(module, LIF | SnnTorchNeurons | NorseNeurons)
    constants = module.constants()
    reset = Reset(kind=ResetKind(module.reset), delay=0 if module.reset == "none" else int(module.reset_delay))
    alpha = None if constants.alpha is None else _vector(constants.alpha, shape)
    node = decay_node(
        _vector(constants.beta, shape),
        alpha,
        _vector(constants.threshold, shape),
        np.zeros(shape),
        reset,
        dt_s,
        layer.name,
    )
    return Exported(node=node, reset=reset)


def _snntorch_reset(module: Any, current_based: bool) -> Reset:
    """snnTorch 1.0.0's resets; Synaptic's delayed "zero" also discards the step's input (``clamp``)."""
    kind = ResetKind(module.reset_mechanism)
    delay = 0 if kind is ResetKind.NONE else int(bool(module.reset_delay))
    if kind is ResetKind.ZERO and delay == 1 and current_based:
        kind = ResetKind.CLAMP
    return Reset(kind=kind, delay=delay)


def _snntorch(layer: Layer, shape: Shape, dt_s: float) -> Exported:
    module: Any = layer.module
    odd = [name for name in ("inhibition", "state_quant") if getattr(module, name)]
    if bool((torch.as_tensor(module.graded_spikes_factor) != 1).any()):
        odd.append("graded_spikes_factor")
    if odd:
        raise NirError(
            f"snnTorch option(s) {', '.join(odd)} have no counterpart in NIR",
            where=f"layer {layer.name!r}",
            why="they change spikes in a way that no other tool would reproduce",
            next_command=f"build the layer without {', '.join(odd)}",
        )
    current_based = isinstance(module, snntorch.Synaptic | snntorch.RSynaptic)
    reset = _snntorch_reset(module, current_based)
    alpha = _vector(torch.as_tensor(module.alpha).clamp(0, 1), shape) if current_based else None
    node = decay_node(
        _vector(module.beta.clamp(0, 1), shape),
        alpha,
        _vector(module.threshold, shape),
        np.zeros(shape),
        reset,
        dt_s,
        layer.name,
    )
    return Exported(node=node, reset=reset)


def _norse_box(layer: Layer, shape: Shape, dt_s: float) -> Exported:
    """Norse's membrane equation is NIR's with r = 1; its inverse time constants are per second."""
    module = layer.module
    assert isinstance(module, norse.LIFBoxCell)
    kinds = {reset_value: ResetKind.ZERO, reset_subtract: ResetKind.SUBTRACT}
    kind = kinds.get(module.p.reset_method)
    if kind is None:
        raise NirError(
            f"Norse reset method {module.p.reset_method!r} is unknown",
            where=f"layer {layer.name!r}",
            why="only reset_value and reset_subtract have a meaning outside Norse",
            next_command="use norse.torch.functional.reset.reset_value",
        )
    p = module.p
    node = nir.LIF(
        tau=1.0 / _vector(p.tau_mem_inv, shape),
        r=np.ones(shape),
        v_leak=_vector(p.v_leak, shape),
        v_threshold=_vector(p.v_th, shape),
        v_reset=_vector(p.v_reset, shape),
    )
    return Exported(node=node, reset=Reset(kind=kind, delay=0))


def _norse_lif(layer: Layer, shape: Shape, dt_s: float) -> Exported:
    module: Any = layer.module
    p = module.p
    tau_syn = 1.0 / _vector(p.tau_syn_inv, shape)
    node = nir.CubaLIF(
        tau_syn=tau_syn,
        tau_mem=1.0 / _vector(p.tau_mem_inv, shape),
        r=np.ones(shape),
        v_leak=_vector(p.v_leak, shape),
        v_threshold=_vector(p.v_th, shape),
        v_reset=_vector(p.v_reset, shape),
        w_in=tau_syn / dt_s,  # a spike adds its whole weight to the current (Norse: i + input)
    )
    return Exported(node=node, reset=Reset(kind=ResetKind.ZERO, delay=0))


def _norse_recurrent(layer: Layer, shape: Shape, dt_s: float) -> Exported:
    """Norse's recurrent cell holds input and recurrent weights; neither has a bias."""
    module: Any = layer.module
    return dataclasses.replace(
        _norse_lif(layer, shape, dt_s),
        entry=nir.Linear(weight=copied(module.input_weights)),
        loop=nir.Linear(weight=copied(module.recurrent_weights)),
    )


def _norse_integrator(layer: Layer, shape: Shape, dt_s: float) -> Exported:
    module: Any = layer.module
    v_leak = _vector(module.p.v_leak, shape)
    node = nir.LI(tau=1.0 / _vector(module.p.tau_mem_inv, shape), r=np.ones(shape), v_leak=v_leak)
    return Exported(node=node, reset=Reset(kind=ResetKind.NONE, delay=0), rest=v_leak)


def _norse_iaf(layer: Layer, shape: Shape, dt_s: float) -> Exported:
    """Norse starts at v_reset and adds the whole input; without leak only the distance from v_reset matters."""
    module: Any = layer.module
    threshold = _vector(module.p.v_th, shape) - _vector(module.p.v_reset, shape)
    node = nir.IF(r=np.full(shape, 1.0 / dt_s), v_threshold=threshold, v_reset=np.zeros(shape))
    return Exported(node=node, reset=Reset(kind=ResetKind.ZERO, delay=0))


def _snntorch_recurrent(layer: Layer, shape: Shape, dt_s: float) -> Exported:
    """RLeaky and RSynaptic: their delayed "zero" also discards the step's input; the loop's bias acts from step 0."""
    module: Any = layer.module
    exported = _snntorch(layer, shape, dt_s)
    kind, delay = exported.reset.kind, exported.reset.delay
    reset = Reset(kind=ResetKind.CLAMP, delay=1) if (kind, delay) == (ResetKind.ZERO, 1) else exported.reset
    recurrent = module.recurrent
    bias = None
    if isinstance(recurrent, nn.Linear):
        loop: nir.NIRNode = nir.Linear(weight=copied(recurrent.weight))
        bias = None if recurrent.bias is None else _vector(recurrent.bias, shape)
    elif isinstance(recurrent, nn.Conv2d):
        node: Any = convolution(recurrent, shape, layer.name)
        bias, node.bias = np.array(node.bias, np.float64), np.zeros_like(node.bias)
        loop = node
    else:
        each = _vector(recurrent.V, shape)
        loop = nir.Linear(weight=np.diag(each).astype(np.float32)) if len(shape) == 1 else nir.Scale(each)
    return dataclasses.replace(exported, reset=reset, loop=loop, bias=bias)


NEURONS: dict[type[nn.Module], Callable[[Layer, Shape, float], Exported]] = {
    LIF: _native,
    SnnTorchNeurons: _native,
    NorseNeurons: _native,
    snntorch.Leaky: _snntorch,
    snntorch.Synaptic: _snntorch,
    norse.LIFBoxCell: _norse_box,
    norse.LIFCell: _norse_lif,
    snntorch.RLeaky: _snntorch_recurrent,
    snntorch.RSynaptic: _snntorch_recurrent,
    norse.LIFRecurrentCell: _norse_recurrent,
    norse.LIBoxCell: _norse_integrator,
    norse.IAFCell: _norse_iaf,
}

# Where a library keeps the step length of a layer, in seconds; snnTorch has none.
STEP_LENGTHS: dict[type[nn.Module], Callable[[Any], float]] = {
    norse.LIFBoxCell: lambda module: float(module.dt),
    norse.LIFCell: lambda module: float(module.dt),
    norse.LIFRecurrentCell: lambda module: float(module.dt),
    norse.LIBoxCell: lambda module: float(module.dt),
}


def kind_of(module: nn.Module, table: Mapping[type[nn.Module], object]) -> type[nn.Module] | None:
    """The entry of a table that a module is an instance of, or None."""
    return next((base for base in type(module).__mro__ if base in table), None)
