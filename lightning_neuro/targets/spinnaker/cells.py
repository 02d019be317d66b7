"""PyNN parameters of a layer, by backend. Numpy only: ``network.py`` carries everything below the line verbatim.

A step of the network is ``i <- B i + x``, ``v <- A v + i``, spike where ``v > threshold``. Simulators advance the
same equations exactly over one step; what differs is how far a weight of 1 pushes the membrane. The capacitance is
chosen such that it pushes it by 1, so that weights stay as they were trained.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# -- Cells -------------------------------------------------------------------------------------------------------

NO_LEAK_STEPS = {"nest": 1e20, "brian2": 1e20, "spinnaker": 6e4}  # a time constant that does not decay in float64
ONE_STEP = {"nest": 1 / 64, "brian2": 1 / 64, "spinnaker": 1 / 10}  # and one that decays to nothing within a step
UNREACHABLE = {"nest": 1e30, "brian2": 1e30, "spinnaker": 3e4}  # threshold of a read-out
ABOVE = {"nest": 2.0**-36, "brian2": 2.0**-36, "spinnaker": 0.0}  # simulators spike at v >= v_thresh, networks above
LEAST_ABOVE = {"nest": 0.0, "brian2": 0.0, "spinnaker": 2.0**-15}  # one digit of the machine's numbers


def time_constants(decay: NDArray[Any], step_ms: float, backend: str) -> NDArray[np.float64]:
    """Return tau in ms with ``exp(-step/tau) = decay``; a decay of 1 keeps everything, one of 0 nothing."""
    inside = np.clip(decay, 1e-28, 1 - 1e-16)
    tau = -step_ms / np.log(inside)
    tau = np.where(decay >= 1, NO_LEAK_STEPS[backend] * step_ms, tau)
    return np.where(decay <= 0, ONE_STEP[backend] * step_ms, tau)


def capacitance(kind: str, tau_m: NDArray[Any], tau_syn: NDArray[Any] | None, step_ms: float, backend: str) -> Any:
    """Return cm in nF with which a spike of weight 1 moves the membrane by 1 in the step in which it acts.

    SpiNNaker:  v <- A v + (1 - A) (tau_m / cm) i,  a spike adds w tau_syn (1 - B) / step to i (delta cell: w / step)
    NEST, Brian2:  v <- A v + P i,  P = tau_m tau_syn (A - B) / (cm (tau_m - tau_syn))  (delta cell: v <- A v + w)
    """
    if tau_syn is None:
        lost = -np.expm1(-step_ms / tau_m)
        return tau_m * lost / step_ms if backend == "spinnaker" else np.ones_like(tau_m)
    if backend == "spinnaker":
        return tau_m * np.expm1(-step_ms / tau_m) * (tau_syn / step_ms) * np.expm1(-step_ms / tau_syn)
    x = step_ms / tau_syn - step_ms / tau_m  # (A - B) / x = B expm1(x) / x, which exists where both are equal, too
    ratio = np.where(np.abs(x) < 1e-12, 1.0, np.expm1(x) / np.where(x == 0, 1.0, x))
    return step_ms * np.exp(-step_ms / tau_syn) * ratio


def cell_parameters(
    kind: str,
    decay_mem: NDArray[Any],
    decay_syn: NDArray[Any] | None,
    threshold: NDArray[Any],
    v_reset: NDArray[Any],
    *,
    refractory_steps: int,
    spiking: bool,
    scale: float,
    step_ms: float,
    backend: str,
) -> dict[str, Any]:
    """Return the parameters of a PyNN cell.

    Args:
        kind: "IF_curr_delta" or "IF_curr_exp".
        decay_mem, decay_syn: A and B of every neuron; no B for delta cells.
        threshold, v_reset: of every neuron; multiplied by ``scale``, as the weights are.
        refractory_steps: steps after a spike in which the membrane stays at v_reset.
        spiking: False for a read-out.
        scale: factor of the layer.
        step_ms: step in ms.
        backend: "nest", "brian2" or "spinnaker".
    """
    tau_m = time_constants(decay_mem, step_ms, backend)
    tau_syn = None if decay_syn is None else time_constants(decay_syn, step_ms, backend)
    above = np.maximum(ABOVE[backend] * np.abs(threshold * scale), LEAST_ABOVE[backend])
    parameters = {
        "tau_m": tau_m,
        "cm": capacitance(kind, tau_m, tau_syn, step_ms, backend),
        "v_rest": 0.0,
        "v_reset": v_reset * scale,
        "v_thresh": threshold * scale + above if spiking else UNREACHABLE[backend],
        "tau_refrac": refractory(kind, refractory_steps, backend) * step_ms,
        "i_offset": 0.0,
    }
    return parameters if tau_syn is None else {**parameters, "tau_syn_E": tau_syn, "tau_syn_I": tau_syn}


def refractory(kind: str, steps: int, backend: str) -> int:
    """Return the steps of tau_refrac: Brian2 counts the spike's own step, and its delta cells lose that step anyway."""
    if backend != "brian2" or not steps:
        return steps
    return steps + 1 if kind == "IF_curr_exp" else steps - 1


def weight_factor(kind: str, decay_mem: NDArray[Any], backend: str) -> NDArray[np.float64]:
    """Return the factor on weights into each neuron: in Brian2 a delta cell's jump decays once before it counts."""
    return 1 / decay_mem if backend == "brian2" and kind == "IF_curr_delta" else np.ones_like(decay_mem)
