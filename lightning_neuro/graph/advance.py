"""One population over a drive: the state between steps, and the golden step of its kind of neuron (``STEPS``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import CubaLif, Leak, Lif, Population, SteppedNeuron
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The golden step of a kind of neuron, which is what the kind means.

    Args:
        fresh: state of a population before the first step: (population, samples, arithmetic).
        fixed: advance it in integers over a drive [sample, step, n]: (population, drive, state, answer, first step of
            the sample); fills the answer and changes the state in place.
        real: the same in float64 with unrounded constants; fills the margin |membrane - threshold| too.
    """

    fresh: Callable[[Population, int, Arithmetic], Any]
    fixed: Callable[[Population, NDArray[Any], Any, Advanced, int], None]
    real: Callable[[Population, NDArray[Any], Any, Advanced, int], None]


def fresh_state(population: Population, samples: int, arithmetic: Arithmetic) -> Any:
    """The beginning of a sample, for ``advance``."""
    return STEPS[type(population.stepped)].fresh(population, samples, arithmetic)


def advance(population: Population, drive: NDArray[Any], state: Any, arithmetic: Arithmetic, *, first: int) -> Advanced:
    """Run a population over a drive [sample, step, n] from a state, which it leaves behind.

    Args:
        population: neurons.
        drive: weighted spikes and biases of some steps.
        state: before them, of ``fresh_state``; changes in place.
        arithmetic: ``fixed`` or ``real``.
        first: which step of the sample the drive begins with.
    """
    room = Advanced.empty(drive, arithmetic)
    steps = STEPS[type(population.stepped)]
    run = steps.fixed if arithmetic == "fixed" else steps.real
    run(population, np.ascontiguousarray(drive), state, room, first)
    return room


# -- LIF with delta or exponential synapse -------------------------------------------------------------------------


def _fresh(population: Population, samples: int, arithmetic: Arithmetic) -> State:
    """The initial membrane, current 0, no spike before."""
    v_init, shape = population.stepped.v_init, (samples, population.size)
    v = np.tile(v_init.integers() if arithmetic == "fixed" else v_init.real, (samples, 1))
    return State(v=v, i=np.zeros(shape, v.dtype), fired=np.zeros(shape, np.uint8))


def _synapse(neuron: SteppedNeuron) -> Leak | None:
    """Decay of the synaptic current; None where a spike drives the membrane itself."""
    return neuron.leak_syn if isinstance(neuron, CubaLif) else None


def _advance_fixed(population: Population, drive: NDArray[Any], state: State, room: Advanced, first: int) -> None:
    neuron, synapse = population.stepped, _synapse(population.stepped)
    assert population.state_format is not None
    syn_multiplier, syn_shift = (_NO_LEAK, 0) if synapse is None else synapse.integers()
    mem_multiplier, mem_shift = neuron.leak_mem.integers()
    resume_integers(
        drive,
        synapse is not None,
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
    neuron, synapse = population.stepped, _synapse(population.stepped)
    assert room.margin is not None
    resume_reals(
        drive,
        synapse is not None,
        _NO_DECAY if synapse is None else synapse.beta,
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

_FIVE_LINES = Steps(fresh=_fresh, fixed=_advance_fixed, real=_advance_real)

STEPS: dict[type[SteppedNeuron], Steps] = {Lif: _FIVE_LINES, CubaLif: _FIVE_LINES}
