"""One population over a drive: the state between steps, and the kernel of its arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import CubaLif, Lif, Population
from lightning_neuro.graph.kernels import RESET_CODES, resume_integers, resume_reals

Arithmetic = Literal["fixed", "real"]
Raster = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class State:
    """Membrane, synaptic current and last spike of a population, [sample, n]; changes in place."""

    v: NDArray[Any]
    i: NDArray[Any]
    fired: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Advanced:
    """What a population did, [sample, step, n]; the margin only in real arithmetic."""

    spikes: Raster
    membrane: NDArray[Any]
    margin: NDArray[np.float64] | None

    @staticmethod
    def empty(drive: NDArray[Any], arithmetic: Arithmetic) -> Advanced:
        """Room for the answer to a drive."""
        return Advanced(
            spikes=np.empty(drive.shape, np.uint8),
            membrane=np.empty(drive.shape, drive.dtype),
            margin=np.empty(drive.shape, np.float64) if arithmetic == "real" else None,
        )

    def put(self, step: int, now: Advanced) -> None:
        """Note one step."""
        self.spikes[:, step], self.membrane[:, step] = now.spikes[:, 0], now.membrane[:, 0]
        if self.margin is not None and now.margin is not None:
            self.margin[:, step] = now.margin[:, 0]


def fresh_state(population: Population, samples: int, arithmetic: Arithmetic) -> State:
    """The beginning of a sample: the initial membrane, current 0, no spike before."""
    neuron, shape = population.neuron, (samples, population.size)
    assert isinstance(neuron, Lif | CubaLif)
    v_init = neuron.v_init.integers() if arithmetic == "fixed" else neuron.v_init.real
    v = np.tile(v_init, (samples, 1))
    return State(v=v, i=np.zeros(shape, v.dtype), fired=np.zeros(shape, np.uint8))


def advance(
    population: Population, drive: NDArray[Any], state: State, arithmetic: Arithmetic, *, first: int
) -> Advanced:
    """Run a population over a drive [sample, step, n] from a state, which it leaves behind.

    Args:
        population: neurons.
        drive: weighted spikes and biases of some steps.
        state: before them; changes in place.
        arithmetic: ``fixed`` or ``real``.
        first: which step of the sample the drive begins with.
    """
    room = Advanced.empty(drive, arithmetic)
    run = _advance_fixed if arithmetic == "fixed" else _advance_real
    run(population, np.ascontiguousarray(drive), state, room, first)
    return room


def _advance_fixed(population: Population, drive: NDArray[Any], state: State, room: Advanced, first: int) -> None:
    neuron = population.neuron
    assert isinstance(neuron, Lif | CubaLif) and population.state_format is not None
    syn_multiplier, syn_shift = neuron.leak_syn.integers() if isinstance(neuron, CubaLif) else (_NO_LEAK, 0)
    mem_multiplier, mem_shift = neuron.leak_mem.integers()
    resume_integers(
        drive,
        isinstance(neuron, CubaLif),
        syn_multiplier,
        syn_shift,
        mem_multiplier,
        mem_shift,
        neuron.threshold.integers(),
        neuron.v_reset.integers(),
        RESET_CODES[neuron.reset.kind],
        neuron.reset.delay,
        first,
        population.fires_from,
        _NEVER if population.fires_until is None else population.fires_until,
        population.state_format.low,
        population.state_format.high,
        state.v,
        state.i,
        state.fired,
        room.spikes,
        room.membrane,
    )


def _advance_real(population: Population, drive: NDArray[Any], state: State, room: Advanced, first: int) -> None:
    neuron = population.neuron
    assert isinstance(neuron, Lif | CubaLif) and room.margin is not None
    resume_reals(
        drive,
        isinstance(neuron, CubaLif),
        neuron.leak_syn.beta if isinstance(neuron, CubaLif) else _NO_DECAY,
        neuron.leak_mem.beta,
        neuron.threshold.real,
        neuron.v_reset.real,
        RESET_CODES[neuron.reset.kind],
        neuron.reset.delay,
        first,
        population.fires_from,
        _NEVER if population.fires_until is None else population.fires_until,
        state.v,
        state.i,
        state.fired,
        room.spikes,
        room.membrane,
        room.margin,
    )


_NEVER = 2**62  # no sample is as long
_NO_LEAK = np.zeros(1, np.int64)
_NO_DECAY = np.zeros(1, np.float64)
