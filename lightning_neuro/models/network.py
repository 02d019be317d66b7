"""Builds the network of linear layers and neurons from plain numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch import nn

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons.lif import LIF, check_choice
from lightning_neuro.neurons.spike_matmul import EventLinear
from lightning_neuro.neurons.surrogate import make_surrogate


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuronOptions:
    """What every layer of neurons has in common.

    Args:
        neuron: library: "native", "snntorch" or "norse".
        tau_syn: synaptic time constant in seconds; None = delta synapse.
        dt: length of a step in seconds.
        threshold: firing threshold in the unit of the weights.
        reset: "zero", "subtract" or "none".
        reset_delay: 0 or 1 steps.
        learn_beta: make beta a parameter of each neuron; likewise learn_alpha, learn_threshold.
        beta_constraint: "none" or "shift".
        surrogate: name of the surrogate derivative.
        surrogate_slope: its steepness, 1 / (unit of the membrane).
    """

    neuron: str
    tau_syn: float | None
    dt: float
    threshold: float
    reset: str
    reset_delay: int
    learn_beta: bool
    learn_alpha: bool
    learn_threshold: bool
    beta_constraint: str
    surrogate: str
    surrogate_slope: float

    @property
    def alpha(self) -> float | None:
        """Share of the synaptic current kept per step, 1 - dt / tau_syn; None for delta synapses."""
        if self.tau_syn is None:
            return None
        if not 0 < self.dt <= self.tau_syn:
            raise ConfigError(
                f"tau_syn {self.tau_syn} s is shorter than the step of {self.dt} s",
                where="model.tau_syn",
                why="alpha = 1 - dt / tau_syn must lie in 0..1",
                next_command="model.tau_syn=null",
            )
        return 1 - self.dt / self.tau_syn


def build(
    layers: Sequence[int], beta: float | Sequence[float], bias: bool, last_reset: str, options: NeuronOptions
) -> nn.Sequential:
    """Return linear, neurons, linear, neurons, ... for whole sequences [time, batch, n].

    Args:
        layers: sizes, input first, classes last.
        beta: share of the membrane kept per step, one number or one per layer of neurons.
        bias: whether linear layers have one.
        last_reset: reset of the last layer ("none" for membrane read-outs).
        options: everything else about the neurons.

    Raises:
        ConfigError: sizes, number of betas or a neuron option are not possible.
    """
    check_choice("neuron", options.neuron, tuple(_MAKERS))
    sizes = layer_sizes(layers)
    betas = _per_layer(beta, len(sizes) - 1)
    modules: list[nn.Module] = []
    for index, (fan_in, size) in enumerate(pairwise(sizes)):
        reset = last_reset if index == len(sizes) - 2 else options.reset
        modules += [
            EventLinear(fan_in, size, bias=bias),
            _MAKERS[options.neuron](size, betas[index], reset, options),
        ]
    return nn.Sequential(*modules)


def layer_sizes(layers: Sequence[int]) -> list[int]:
    """Return the sizes, input first.

    Raises:
        ConfigError: there are fewer than two, or one is no positive integer.
    """
    if len(layers) < 2 or not all(isinstance(size, int) and size > 0 for size in layers):
        raise ConfigError(
            f"layers {list(layers)} are not at least two positive integers",
            where="model.layers",
            why="sizes go from the input to the classes; null first and last are filled from the data",
            next_command="model.layers='[null,128,null]'",
        )
    return list(layers)


def _per_layer(beta: float | Sequence[float], layers: int) -> list[float]:
    betas = [float(beta)] * layers if isinstance(beta, (int, float)) else [float(b) for b in beta]
    if len(betas) != layers:
        raise ConfigError(
            f"{len(betas)} betas for {layers} layers of neurons",
            where="model.beta",
            why="give one number for all layers, or one per layer",
            next_command="model.beta=0.875",
        )
    return betas


def _native(size: int, beta: float, reset: str, options: NeuronOptions) -> nn.Module:
    return LIF(
        size,
        beta=beta,
        alpha=options.alpha,
        threshold=options.threshold,
        reset=reset,  # type: ignore[arg-type]  # strings of a configuration; LIF checks them
        reset_delay=options.reset_delay,  # type: ignore[arg-type]
        learn_beta=options.learn_beta,
        learn_alpha=options.learn_alpha,
        learn_threshold=options.learn_threshold,
        beta_constraint=options.beta_constraint,  # type: ignore[arg-type]
        surrogate=make_surrogate(options.surrogate, options.surrogate_slope),
    )


def _library(name: str) -> Callable[[int, float, str, NeuronOptions], nn.Module]:
    def make(size: int, beta: float, reset: str, options: NeuronOptions) -> nn.Module:
        from lightning_neuro.neurons import libraries  # imported late: the libraries take seconds

        arguments: dict[str, Any] = {
            "beta": beta,
            "alpha": options.alpha,
            "threshold": options.threshold,
            "dt": options.dt,
            "reset": reset,
            "reset_delay": options.reset_delay,
            "learn_beta": options.learn_beta,
            "learn_alpha": options.learn_alpha,
            "learn_threshold": options.learn_threshold,
            "beta_constraint": options.beta_constraint,
            "surrogate": options.surrogate,
            "surrogate_slope": options.surrogate_slope,
        }
        return libraries.make(name, size, **arguments)

    return make


_MAKERS: dict[str, Callable[[int, float, str, NeuronOptions], nn.Module]] = {
    "native": _native,
    "snntorch": _library("snntorch"),
    "norse": _library("norse"),
}
