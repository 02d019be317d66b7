"""PyNN parameters of a layer, by backend. Numpy only: ``network.py`` carries everything below the line verbatim.

A step of the network is ``i <- B i + x``, ``v <- A v + i``, spike where ``v > threshold``. Simulators advance the
same equations exactly over one step; what differs is how far a weight of 1 pushes the membrane. The capacitance is
chosen such that it pushes it by 1, so that weights stay as they were trained.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.targets.spinnaker.machine_constants import machine_capacitance, machine_tau

# -- Cells -------------------------------------------------------------------------------------------------------

NO_LEAK_STEPS = 1e20  # a time constant that does not decay in float64
ONE_STEP = 1 / 64  # and one that decays to nothing within a step
UNREACHABLE = {"nest": 1e30, "brian2": 1e30, "spinnaker": 65535.0}  # threshold of a read-out
ABOVE = {"nest": 2.0**-36, "brian2": 2.0**-36, "spinnaker": 0.0}  # simulators spike at v >= v_thresh, networks above
LEAST_ABOVE = {"nest": 0.0, "brian2": 0.0, "spinnaker": 2.0**-15}  # one digit of the machine's numbers


def time_constants(decay: NDArray[Any], step_ms: float) -> NDArray[np.float64]:
    """Return tau in ms with ``exp(-step/tau) = decay``; a decay of 1 keeps everything, one of 0 nothing."""
    inside = np.clip(decay, 1e-28, 1 - 1e-16)
    tau = -step_ms / np.log(inside)
    tau = np.where(decay >= 1, NO_LEAK_STEPS * step_ms, tau)
    return np.where(decay <= 0, ONE_STEP * step_ms, tau)


def dynamics(decay_mem: NDArray[Any], decay_syn: NDArray[Any] | None, step_ms: float, backend: str) -> dict[str, Any]:
    """Return tau_m and tau_syn in ms, and the cm in nF with which a spike of weight 1 moves the membrane by 1.

    SpiNNaker:  v <- A v + (1 - A) (tau_m / cm) i,  a spike adds w tau_syn (1 - B) / step to i (delta cell: w / step)
    NEST, Brian2:  v <- A v + P i,  P = tau_m tau_syn (A - B) / (cm (tau_m - tau_syn))  (delta cell: v <- A v + w)
    """
    tau_syn = kept_syn = None
    if backend == "spinnaker":
        tau_m, kept_mem = machine_tau(decay_mem, step_ms, membrane=True)
        if decay_syn is not None:
            tau_syn, kept_syn = machine_tau(decay_syn, step_ms, membrane=False)
        cm = machine_capacitance(tau_m, kept_mem, tau_syn, kept_syn, step_ms)
    else:
        tau_m = time_constants(decay_mem, step_ms)
        tau_syn = None if decay_syn is None else time_constants(decay_syn, step_ms)
        cm = np.ones_like(tau_m) if tau_syn is None else push(tau_m, tau_syn, step_ms)
    found = {"tau_m": tau_m, "cm": cm}
    return found if tau_syn is None else {**found, "tau_syn_E": tau_syn, "tau_syn_I": tau_syn}


def push(tau_m: NDArray[Any], tau_syn: NDArray[Any], step_ms: float) -> NDArray[Any]:
    """Return P cm: how far NEST's and Brian2's exponential cell moves by a spike of weight 1, at a cm of 1 nF."""
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
    above = np.maximum(ABOVE[backend] * np.abs(threshold * scale), LEAST_ABOVE[backend])
    return {
        **dynamics(decay_mem, decay_syn, step_ms, backend),
        "v_rest": 0.0,
        "v_reset": v_reset * scale,
        "v_thresh": threshold * scale + above if spiking else UNREACHABLE[backend],
        "tau_refrac": refractory(kind, refractory_steps, backend) * step_ms,
        "i_offset": 0.0,
    }


def refractory(kind: str, steps: int, backend: str) -> int:
    """Return the steps of tau_refrac: Brian2 counts the spike's own step, and its delta cells lose that step anyway."""
    if backend != "brian2" or not steps:
        return steps
    return steps + 1 if kind == "IF_curr_exp" else steps - 1


def weight_factor(kind: str, decay_mem: NDArray[Any], backend: str) -> NDArray[np.float64]:
    """Return the factor on weights into each neuron: in Brian2 a delta cell's jump decays once before it counts."""
    return 1 / decay_mem if backend == "brian2" and kind == "IF_curr_delta" else np.ones_like(decay_mem)
