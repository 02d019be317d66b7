"""A kind of neuron that lightning_neuro does not have: LIF whose threshold rises with every spike and sinks again.

    v <- v - leak(v) + x;   s = v > threshold + a;   v <- v_reset where s;   a <- a - leak(a) + jump s

(Bellec et al., Long short-term memory and learning-to-learn in networks of spiking neurons, 2018.) This file is all
that the kind costs: a dataclass, a golden step, a NIR node with its entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.advance import Advanced, Arithmetic, Steps
from lightning_neuro.graph.discretise import AT_ONCE, NeuronNode, Stepped
from lightning_neuro.graph.fixed import leak, saturate
from lightning_neuro.graph.hardware_graph import Leak, Population, Reset, SteppedNeuron, Values, zeros

# -- the dataclass -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AdaptiveLif(SteppedNeuron):
    leak_mem: Leak
    leak_adapt: Leak
    jump: Values
    threshold: Values
    v_reset: Values
    v_init: Values
    reset: Reset


# -- the golden step -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    v: NDArray[Any]
    a: NDArray[Any]


def _fresh(population: Population, samples: int, arithmetic: Arithmetic) -> State:
    v_init = population.stepped.v_init
    v = np.tile(v_init.integers() if arithmetic == "fixed" else v_init.real, (samples, 1))
    return State(v=v, a=np.zeros_like(v))


def _fixed(population: Population, drive: NDArray[Any], state: State, room: Advanced, first: int) -> None:
    neuron, format = population.neuron, population.state_format
    assert isinstance(neuron, AdaptiveLif) and format is not None
    threshold, jump = neuron.threshold.integers(), neuron.jump.integers()
    for t in range(drive.shape[1]):
        v = saturate(state.v - leak(state.v, *neuron.leak_mem.integers()) + drive[:, t], format)
        fired = v > threshold + state.a
        state.v[:] = np.where(fired, neuron.v_reset.integers(), v)
        state.a[:] = state.a - leak(state.a, *neuron.leak_adapt.integers()) + jump * fired
        room.spikes[:, t], room.membrane[:, t] = fired, state.v


def _real(population: Population, drive: NDArray[Any], state: State, room: Advanced, first: int) -> None:
    neuron = population.neuron
    assert isinstance(neuron, AdaptiveLif) and room.margin is not None
    for t in range(drive.shape[1]):
        v = neuron.leak_mem.beta * state.v + drive[:, t]
        over = v - neuron.threshold.real - state.a
        state.v[:] = np.where(over > 0, neuron.v_reset.real, v)
        state.a[:] = neuron.leak_adapt.beta * state.a + neuron.jump.real * (over > 0)
        room.spikes[:, t], room.membrane[:, t], room.margin[:, t] = over > 0, state.v, np.abs(over)


STEPS = Steps(fresh=_fresh, fixed=_fixed, real=_real)


# -- the NIR entry -------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class AdaptiveLIF(nir.NIRNode):
    tau: NDArray[Any]
    tau_adapt: NDArray[Any]
    jump: NDArray[Any]
    v_threshold: NDArray[Any]

    def __post_init__(self) -> None:
        self.input_type = {"input": np.array(self.tau.shape)}
        self.output_type = {"output": np.array(self.tau.shape)}


def _in_steps(name: str, node: AdaptiveLIF, dt_s: float, reset: Reset) -> Stepped:
    size = node.tau.size
    neuron = AdaptiveLif(
        leak_mem=Leak(beta=1 - dt_s / node.tau),
        leak_adapt=Leak(beta=1 - dt_s / node.tau_adapt),
        jump=Values(real=node.jump),
        threshold=Values(real=node.v_threshold),
        v_reset=zeros(size),
        v_init=zeros(size),
        reset=reset,
    )
    return Stepped(neuron=neuron, gain=np.ones(size))


ENTRY = NeuronNode(in_steps=_in_steps, reset=AT_ONCE, means="LIF with an adaptive threshold")
