"""Neurons of other libraries in the place of :class:`~lightning_neuro.neurons.lif.LIF`.

Same input, output, ``constants()``, ``reset``, ``reset_delay`` and ``size``. Where a library computes something
else under the same name, the combination is refused.
"""

from __future__ import annotations

from typing import Any

from lightning_neuro.neurons.lif import nearest_shift, per_neuron
from lightning_neuro.neurons.norse_neurons import NorseNeurons
from lightning_neuro.neurons.refusal import refuse
from lightning_neuro.neurons.snntorch_neurons import SnnTorchNeurons

__all__ = ["NorseNeurons", "SnnTorchNeurons", "make"]


def make(
    library: str,
    size: int,
    *,
    beta: float,
    alpha: float | None,
    threshold: float,
    reset: str,
    reset_delay: int,
    learn_beta: bool,
    learn_alpha: bool,
    learn_threshold: bool,
    beta_constraint: str,
    surrogate: str,
    surrogate_slope: float,
    dt: float,
) -> SnnTorchNeurons | NorseNeurons:
    """Return a layer of ``library`` with one constant per neuron.

    Args:
        library: "snntorch" or "norse".
        size: number of neurons.
        beta, alpha, threshold: one number for all neurons; alpha None = delta synapse.
        reset: "zero", "subtract" or "none".
        reset_delay: 0 or 1 steps.
        learn_beta, learn_alpha, learn_threshold: make the constant a parameter.
        beta_constraint: "shift" rounds beta once, here; these libraries cannot keep a learned beta on shifts.
        surrogate: name of the surrogate derivative.
        surrogate_slope: its steepness.
        dt: length of a step in seconds.

    Raises:
        ConfigError: the library computes something else under this name.
    """
    if beta_constraint == "shift" and learn_beta:
        refuse("a learned beta on bit shifts exists for native neurons alone", "model.neuron=native")
    betas = per_neuron("beta", beta, size, upper=1.0)
    arguments: dict[str, Any] = {
        "beta": nearest_shift(betas) if beta_constraint == "shift" else betas,
        "alpha": None if alpha is None else per_neuron("alpha", alpha, size, upper=1.0),
        "threshold": per_neuron("threshold", threshold, size, upper=None),
        "reset": reset,
        "reset_delay": reset_delay,
        "learn_beta": learn_beta,
        "learn_alpha": learn_alpha,
        "learn_threshold": learn_threshold,
        "surrogate": surrogate,
        "surrogate_slope": surrogate_slope,
    }
    if library == "norse":
        return NorseNeurons(size, dt=dt, **arguments)
    return SnnTorchNeurons(size, **arguments)
