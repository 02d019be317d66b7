"""HardwareGraph: the network between NIR and the targets, frozen, with every field that can change a spike.

Populations hold neurons, projections hold weights; both carry real values in the model's units and, once
quantised, the raw integers and their format. Nothing in here computes: ``golden.run`` says what a graph means.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.fixed import Format


class ResetKind(str, Enum):
    """What a spike does to the membrane."""

    NONE = "none"  # a read-out: spikes are not used
    ZERO = "zero"  # v <- v_reset
    SUBTRACT = "subtract"  # v <- v - threshold
    CLAMP = "clamp"  # v <- v_reset during the whole following step (snnTorch Synaptic's "zero"); delay 1 only


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """Reset kind and the step in which it acts (0: the spike's own, 1: the next)."""

    kind: ResetKind
    delay: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Values:
    """Real numbers and, in a quantised graph, the integers that stand for them.

    Args:
        real: values in the model's units, float64. For weights and biases of a quantised graph these are
            ``raw * format.lsb``; thresholds and reset potentials stay unrounded.
        raw: integers, int64, same shape; None before quantisation.
        format: meaning of ``raw``; None before quantisation.
    """

    real: NDArray[Any]
    raw: NDArray[Any] | None = None
    format: Format | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "real", frozen(self.real, np.float64))
        if self.raw is not None:
            object.__setattr__(self, "raw", frozen(self.raw, np.int64))

    def integers(self) -> NDArray[np.int64]:
        """The raw integers of a quantised graph."""
        assert self.raw is not None, "integers() asked of a graph that was not quantised"
        return self.raw


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leak:
    """Decay of one state variable per step, for each neuron.

    Args:
        beta: ``v <- beta v`` in real arithmetic, shape [n]; 1 means no leak.
        multiplier: L of ``v <- v - ((v L) >> shift)`` in integers, shape [n]; None before quantisation.
        shift: d, one per population.
    """

    beta: NDArray[Any]
    multiplier: NDArray[Any] | None = None
    shift: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", frozen(self.beta, np.float64))
        if self.multiplier is not None:
            object.__setattr__(self, "multiplier", frozen(self.multiplier, np.int64))

    def integers(self) -> tuple[NDArray[np.int64], int]:
        """Multiplier [n] and shift of a quantised graph."""
        assert self.multiplier is not None and self.shift is not None, "leak was not quantised"
        return self.multiplier, self.shift


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lif:
    """Leaky integrate-and-fire with a delta synapse; without leak (beta 1) an integrate-and-fire neuron.

    Args:
        leak_mem: membrane decay.
        threshold: spike where membrane > threshold, shape [n]; ignored when the reset kind is ``none``.
        v_reset: membrane after a reset to value, shape [n].
        reset: kind and delay.
    """

    leak_mem: Leak
    threshold: Values
    v_reset: Values
    reset: Reset


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CubaLif:
    """Current-based leaky integrate-and-fire: an exponential synaptic current drives the membrane.

    Args:
        leak_syn: decay of the synaptic current.
        leak_mem: membrane decay.
        threshold: spike where membrane > threshold, shape [n].
        v_reset: membrane after a reset to value, shape [n].
        reset: kind and delay.
        current_format: width that provably holds the current without saturation; None before quantisation.
    """

    leak_syn: Leak
    leak_mem: Leak
    threshold: Values
    v_reset: Values
    reset: Reset
    current_format: Format | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FirstSpike:
    """Continuous-time current-based neuron that spikes at most once (analytic spike times).

    Args:
        tau_syn_s, tau_mem_s: time constants in seconds, shape [n].
        threshold: membrane threshold, shape [n].
    """

    tau_syn_s: NDArray[np.float64]
    tau_mem_s: NDArray[np.float64]
    threshold: Values


Neuron = Lif | CubaLif | FirstSpike


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Population:
    """Neurons of one kind.

    Args:
        name: unique in the graph; the name of the NIR node.
        shape: neurons along each axis.
        neuron: dynamics with per-neuron constants.
        bias: drive added in every step, shape [n]; raw integers count state LSBs and are whole weight LSBs.
        state_format: width and lsb of the membrane; None before quantisation.
    """

    name: str
    shape: tuple[int, ...]
    neuron: Neuron
    bias: Values
    state_format: Format | None = None

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Where spikes (or, with direct coding, real values) enter."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of input lines."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dense:
    """All-to-all connection: ``x = W s``; weight shape [post, pre]."""

    weight: Values


Connection = Dense


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projection:
    """Synapses from one population (or the input) to another.

    Args:
        pre, post: names.
        connection: weights and their arrangement.
        delay: whole steps; 0 on feed-forward edges, 1 or more on edges that close a loop.
    """

    pre: str
    post: str
    connection: Connection
    delay: int

    @property
    def name(self) -> str:
        """Readable identity, "pre -> post"."""
        return f"{self.pre} -> {self.post}"


class TimeBase(str, Enum):
    """Whether a graph advances in steps or is solved in continuous time."""

    STEPPED = "stepped"
    CONTINUOUS = "continuous"


class ReadoutKind(str, Enum):
    """How a class is read from the output population; ties go to the lowest index."""

    SPIKE_COUNT = "spike_count"
    FIRST_SPIKE = "first_spike"
    MEMBRANE_MAX = "membrane_max"
    MEMBRANE_LAST = "membrane_last"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HardwareGraph:
    """Everything a target needs to know about a network.

    Args:
        input: the one input.
        populations: in topological order (loops broken at delayed projections).
        projections: synapses.
        output: name of the population that is read out.
        readout: how the class is read.
        time: stepped or continuous.
        dt_s: step in seconds.
        steps: steps per sample, when the input coding fixes them; None when unknown (a foreign file).
        coding: how data became input spikes, plain values; empty when unknown.
    """

    input: Input
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    output: str
    readout: ReadoutKind
    time: TimeBase
    dt_s: float
    steps: int | None
    coding: dict[str, str | int | float]

    def population(self, name: str) -> Population:
        """Population by name."""
        return next(p for p in self.populations if p.name == name)

    def into(self, name: str) -> tuple[Projection, ...]:
        """Projections that end in a population."""
        return tuple(p for p in self.projections if p.post == name)

    @property
    def quantized(self) -> bool:
        """Whether every population has integer formats."""
        return all(p.state_format is not None for p in self.populations)


def frozen(array: NDArray[Any], dtype: type) -> NDArray[Any]:
    """A contiguous read-only copy, so that a graph cannot change after its hash was taken."""
    copy = np.array(array, dtype=dtype, order="C")
    copy.setflags(write=False)
    return copy
