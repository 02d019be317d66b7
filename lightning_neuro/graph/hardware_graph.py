"""HardwareGraph: the network between NIR and the targets, frozen, with every field that can change a spike.

Populations hold neurons, projections hold weights; both carry real values in the model's units and, once
quantised, the raw integers and their format. Nothing in here computes: ``golden.run`` says what a graph means.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, fields
from enum import Enum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.fixed import Format


class ResetKind(str, Enum):
    """What a spike does to the membrane."""

    NONE = "none"  # a read-out: spikes are not used
    ZERO = "zero"  # v <- v_reset
    SUBTRACT = "subtract"  # v <- v - threshold
    CLAMP = "clamp"  # v <- v_reset during the whole following step (snnTorch Synaptic's "zero"); delay 1 only
    ONCE = "once"  # v <- v_reset from the first spike to the sample's end: at most one spike; delay 0 only


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


class Neuron:
    """Dynamics with constants per neuron: a frozen dataclass for each kind, below or in another package.

    A kind that advances in steps is known everywhere once it has a golden step (``advance.STEPS``) and a NIR node
    (``discretise.NEURONS``): its ``Leak`` and ``Values`` fields are quantised, hashed and stored by their types.
    Targets list the kinds they take and refuse others by name.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    threshold: Values


class SteppedNeuron(Neuron):
    """A neuron that advances in steps: membrane, threshold, reset. ``graph.fixed`` says how its constants are rounded.

    Attributes:
        leak_mem: membrane decay.
        threshold: spike where membrane > threshold, shape [n]; ignored when the reset kind is ``none``.
        v_reset: membrane after a reset to value, shape [n].
        v_init: membrane before the first step of every sample, shape [n].
        reset: kind and delay.
    """

    __slots__ = ()
    leak_mem: Leak
    v_reset: Values
    v_init: Values
    reset: Reset


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lif(SteppedNeuron):
    """Leaky integrate-and-fire with a delta synapse; without leak (beta 1) an integrate-and-fire neuron.

    Args:
        leak_mem: membrane decay.
        threshold: spike where membrane > threshold, shape [n]; ignored when the reset kind is ``none``.
        v_reset: membrane after a reset to value, shape [n].
        v_init: membrane before the first step of every sample, shape [n].
        reset: kind and delay.
    """

    leak_mem: Leak
    threshold: Values
    v_reset: Values
    v_init: Values
    reset: Reset


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CubaLif(SteppedNeuron):
    """Current-based leaky integrate-and-fire: an exponential synaptic current drives the membrane.

    Args:
        leak_syn: decay of the synaptic current.
        leak_mem: membrane decay.
        threshold: spike where membrane > threshold, shape [n].
        v_reset: membrane after a reset to value, shape [n].
        v_init: membrane before the first step of every sample, shape [n]; the current starts at 0.
        reset: kind and delay.
        current_format: width that provably holds the current without saturation; None before quantisation.
    """

    leak_syn: Leak
    leak_mem: Leak
    threshold: Values
    v_reset: Values
    v_init: Values
    reset: Reset
    current_format: Format | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FirstSpike(Neuron):
    """Continuous-time current-based neuron that spikes at most once (analytic spike times).

    A spike that arrives at t_i over a synapse of weight w adds ``w K(t - t_i)`` to the membrane, with
    ``K(s) = tau_mem / (tau_mem - tau_syn) (exp(-s / tau_mem) - exp(-s / tau_syn))``, or ``s / tau exp(-s / tau)``
    where both time constants are the same; the neuron spikes when the membrane first passes the threshold.

    Args:
        tau_syn_s, tau_mem_s: time constants in seconds, shape [n].
        threshold: membrane threshold, above 0, shape [n].
    """

    tau_syn_s: NDArray[np.float64]
    tau_mem_s: NDArray[np.float64]
    threshold: Values

    def __post_init__(self) -> None:
        object.__setattr__(self, "tau_syn_s", frozen(self.tau_syn_s, np.float64))
        object.__setattr__(self, "tau_mem_s", frozen(self.tau_mem_s, np.float64))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LateBias:
    """A bias in a part of the sample: behind a delay a branch is silent at first, its bias included.

    Args:
        values: drive added in every step of the window, shape [n]; integers as in ``Population.bias``.
        onset: first step, 0 or more.
        until: first step without the bias again, above ``onset``; None lasts to the end of the sample.
    """

    values: Values
    onset: int
    until: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Population:
    """Neurons of one kind.

    Args:
        name: unique in the graph; the name of the NIR node.
        shape: neurons along each axis, channels first; rasters number them row by row (C order).
        neuron: dynamics with per-neuron constants.
        bias: drive added in every step, shape [n]; raw integers count state LSBs.
        fires_from, fires_until: steps (first, end) in which the neurons may spike; in others they integrate, but
            neither spike nor reset. 0 and None for all steps.
        state_format: width and lsb of the membrane; None before quantisation.
        late_biases: biases of delayed branches, and those of a window.
    """

    name: str
    shape: tuple[int, ...]
    neuron: Neuron
    bias: Values
    fires_from: int
    fires_until: int | None
    state_format: Format | None = None
    late_biases: tuple[LateBias, ...] = ()

    @property
    def size(self) -> int:
        """Number of neurons."""
        return int(np.prod(self.shape))

    @property
    def stepped(self) -> SteppedNeuron:
        """The neuron of a population that advances in steps."""
        assert isinstance(self.neuron, SteppedNeuron), f"{self.name} is solved in continuous time"
        return self.neuron


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """Where spikes or, with direct coding, real values enter.

    Args:
        name: of the NIR node.
        shape: lines along each axis, channels first.
        format: each step carries a signed integer per line, ``raw * lsb`` in the model's units; None where lines
            carry spikes, and for real values before quantisation.
    """

    name: str
    shape: tuple[int, ...]
    format: Format | None

    @property
    def size(self) -> int:
        """Number of input lines."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dense:
    """All-to-all connection: ``x = W s``; weight shape [post, pre]."""

    weight: Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window that slides over one or two axes, channels first.

    Args:
        input_shape: (channels, positions along each axis).
        kernel, stride, dilation: one number per axis.
        padding: zeros (before, after) each axis.
    """

    input_shape: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @property
    def positions(self) -> tuple[int, ...]:
        """Places of the window along each axis."""
        axes = zip(self.input_shape[1:], self.kernel, self.stride, self.padding, self.dilation, strict=True)
        return tuple((n + sum(pad) - d * (k - 1) - 1) // step + 1 for n, k, step, pad, d in axes)

    @property
    def taps(self) -> int:
        """Positions under the window."""
        return int(np.prod(self.kernel))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Convolution:
    """Shared weights under a sliding window (a cross-correlation, as ``torch.nn.Conv1d`` and ``Conv2d``).

    Args:
        weight: [channels out, channels in / groups, kernel...]; stored and rounded once for all positions.
        window: geometry.
        groups: channels in and out are split into this many independent parts.
    """

    weight: Values
    window: Window
    groups: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pooled:
    """Sum pooling of the input, then another connection: ``x = then(sum of spikes under each window)``.

    The sum is exact; the divisor of an average pooling is part of the weights, which are rounded once anyway, so
    that pooling itself never rounds.

    Args:
        pool: windows of the sum, the same for every channel.
        then: connection that takes the sums.
    """

    pool: Window
    then: Dense | Convolution | Pooled

    @property
    def weight(self) -> Values:
        """Weights of the connection behind the pooling."""
        return self.then.weight


Connection = Dense | Convolution | Pooled


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Projection:
    """Synapses from one population (or the input) to another.

    Args:
        pre, post: names.
        connection: weights and their arrangement.
        delay: whole steps; 0 on feed-forward edges, 1 or more on edges that close a loop. 0 in continuous time.
        delays_s: delay of every synapse of a dense connection in seconds, [post, pre], in continuous time only;
            None where there are none.
    """

    pre: str
    post: str
    connection: Connection
    delay: int
    delays_s: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.delays_s is not None:
            object.__setattr__(self, "delays_s", frozen(self.delays_s, np.float64))

    @property
    def name(self) -> str:
        """Readable identity, unique in a graph: "pre -> post", with the delay where there is one."""
        return f"{self.pre} -> {self.post}" + (f" (delay {self.delay})" if self.delay else "")


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
        dt_s: step in seconds; 0 in continuous time.
        steps: steps per sample, when the input coding fixes them; None when unknown (a foreign file).
        coding: how data became input spikes, plain values; empty when unknown.
        horizon_s: when a sample is over for hardware that advances in steps, in seconds; continuous time only.
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
    horizon_s: float | None = None

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


def constants_of(neuron: Neuron) -> dict[str, Leak | Values]:
    """Leaks and values of a neuron, by field."""
    found = {field.name: getattr(neuron, field.name) for field in fields(neuron)}
    return {name: value for name, value in found.items() if isinstance(value, Leak | Values)}


def zeros(size: int) -> Values:
    """Real zeros, shape [size], before quantisation."""
    return Values(real=np.zeros(size))


def frozen(array: NDArray[Any], dtype: type) -> NDArray[Any]:
    """A contiguous read-only copy, so that a graph cannot change after its hash was taken."""
    copy = np.array(array, dtype=dtype, order="C")
    copy.setflags(write=False)
    return copy
