"""From continuous time to steps: first-spike neurons become current-based LIF neurons that spike once.

A step of dt gives ``i <- alpha i + g w s`` and ``v <- beta v + i``. With exact decays exp(-dt / tau) the membrane at
the end of step n is the analytic one at (n + 1) dt of the inputs moved to the beginnings of their steps: only times
are rounded. With shift decays 1 - dt / tau, powers of two where dt is such a fraction of tau, hardware needs no
multiplier; the postsynaptic potential is then a little faster. Either way the gain g gives it the peak of the analytic
one, which for exact decays makes the two the same. (Among the gains tried on Yin-Yang networks, peak, least squares
and charge, the peak kept most answers.)

With shift decays an input spike at t acts at the beginning of its step, floor(t / dt); with exact ones at the nearest
beginning of a step, which keeps lines that lie on the grid, like those of a bias, together with the others. A delay
is the nearest number of whole steps. A spike inside the network happens within its step and acts at its beginning.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.event import Times
from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    Dense,
    FirstSpike,
    HardwareGraph,
    Leak,
    Population,
    Projection,
    Reset,
    ResetKind,
    TimeBase,
    Values,
    zeros,
)

RASTER, NEAREST, OWN = "raster", "nearest", "own"
"""Key of a coding: input spikes act at the nearest beginning of a step, or at that of the step they are in."""

MOST_STEPS = 100_000  # per sample; more is a unit mixed up
_WHOLE = 1e-9  # steps; a time this close below a grid point is on it


class Decay(str, Enum):
    """How a state decays in a step."""

    SHIFT = "shift"  # by 1 - dt / tau: a bit shift where dt is a power-of-two fraction of tau
    EXACT = "exact"  # by exp(-dt / tau)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discretisation:
    """How a target that advances in steps takes a network in continuous time.

    Args:
        decay: of membranes and currents.
        dt_s: step in seconds; None takes a fraction of tau_mem.
        steps_per_tau: steps in the shortest time constant where ``dt_s`` is None.
        relays: whether a projection that skips layers goes through relay neurons, for targets that take chains.
    """

    decay: Decay
    dt_s: float | None
    steps_per_tau: int
    relays: bool


def step_length(graph: HardwareGraph, how: Discretisation, asked_s: float | None) -> float:
    """The step in seconds: what the user asks for, else what the target wants.

    Args:
        graph: continuous graph.
        how: the target's wish.
        asked_s: ``dt=`` of the user; None where there is none.

    Raises:
        ConfigError: dt does not divide the time constants as shift decays need it, or is too long or too short.
    """
    neurons = [_neuron(p) for p in graph.populations]
    tau = min(float(tau_s.min()) for n in neurons for tau_s in (n.tau_syn_s, n.tau_mem_s))
    default = how.dt_s or tau / how.steps_per_tau
    dt = asked_s or default
    if how.decay is Decay.SHIFT:
        digits = round(np.log2(tau / dt))
        if digits < 1 or not np.isclose(tau / 2.0**digits, dt, rtol=1e-6):
            raise ConfigError(
                f"dt={dt:g} s is not a power-of-two fraction of the shortest time constant, {tau:g} s",
                where="dt",
                why="states leak by bit shifts: a step must be a half, a quarter, an eighth ... of it",
                next_command=f"dt={tau / 2.0 ** min(max(digits, 4), 10):.12g}",
            )
        dt = tau / 2.0**digits
    if dt > tau / 2 or (graph.horizon_s or tau) / dt > MOST_STEPS:
        raise ConfigError(
            f"dt={dt:g} s, with a shortest time constant of {tau:g} s and samples of {graph.horizon_s or tau:g} s",
            where="dt",
            why=f"a step is at most half the shortest time constant, a sample at most {MOST_STEPS} steps",
            next_command=f"dt={default:.12g}",
        )
    return dt


def discretise_first_spike(graph: HardwareGraph, dt_s: float, decay: Decay) -> HardwareGraph:
    """The same network in steps.

    Args:
        graph: continuous graph with a horizon; weights rounded or not, only their real values are used.
        dt_s: step in seconds.
        decay: how states decay.

    Returns:
        Stepped graph of ``CubaLif`` neurons with reset ``once``, gains inside the weights, delays in whole steps
        (one projection for each distinct delay), ``ceil(horizon / dt)`` steps.
    """
    assert graph.time is TimeBase.CONTINUOUS and graph.horizon_s is not None
    gains = {p.name: gain(_neuron(p), dt_s, decay) for p in graph.populations}
    return dataclasses.replace(
        graph,
        populations=tuple(_population(p, dt_s, decay) for p in graph.populations),
        projections=tuple(part for p in graph.projections for part in _projections(p, gains[p.post], dt_s)),
        time=TimeBase.STEPPED,
        dt_s=dt_s,
        steps=int(np.ceil(graph.horizon_s / dt_s - _WHOLE)),
        horizon_s=None,
        coding={**graph.coding, RASTER: NEAREST if decay is Decay.EXACT else OWN},
    )


def decays(tau_s: NDArray[np.float64], dt_s: float, decay: Decay) -> NDArray[np.float64]:
    """Factor that a state keeps per step.

    >>> decays(np.array([16.0]), 1.0, Decay.SHIFT).tolist()
    [0.9375]
    """
    return 1.0 - dt_s / tau_s if decay is Decay.SHIFT else np.exp(-dt_s / tau_s)


def gain(neuron: FirstSpike, dt_s: float, decay: Decay) -> NDArray[np.float64]:
    """Factor on the weights, [n], that gives the stepped postsynaptic potential the peak of the analytic one."""
    pairs = np.stack([neuron.tau_syn_s, neuron.tau_mem_s], axis=1)
    distinct, index = np.unique(pairs, axis=0, return_inverse=True)
    return np.array([_gain(syn, mem, dt_s, decay) for syn, mem in distinct])[index.ravel()]


def _gain(tau_syn: float, tau_mem: float, dt_s: float, decay: Decay) -> float:
    """Ratio of the two peaks, each of a sum of two exponentials as a function of a real number of steps n."""
    alpha, beta = decays(np.array([tau_syn, tau_mem]), dt_s, decay)
    if tau_syn == tau_mem:
        n = -1.0 / np.log(beta)
        peak, stepped = np.exp(-1.0), n * beta ** (n - 1.0)
    else:
        peak = (tau_mem / tau_syn) ** (tau_syn / (tau_syn - tau_mem))
        n = np.log(np.log(alpha) / np.log(beta)) / np.log(beta / alpha)
        stepped = (beta**n - alpha**n) / (beta - alpha)
    return float(peak / stepped)


def rasterise(times: Times, dt_s: float, steps: int, *, nearest: bool = False) -> NDArray[np.uint8]:
    """Spike times [sample, line] as a raster [sample, step, line]; spikes after the last step are lost.

    Args:
        times: seconds, inf = silent.
        dt_s: step.
        steps: of a sample.
        nearest: a spike acts at the beginning of the step that begins nearest to it, not of its own.

    >>> rasterise(np.array([[0.25, np.inf]]), 0.1, 4)[0, :, 0].tolist()
    [0, 0, 1, 0]
    """
    raster = np.zeros((len(times), steps, times.shape[1]), np.uint8)
    with np.errstate(invalid="ignore"):
        step = np.floor(times / dt_s + (0.5 if nearest else 0.0) + _WHOLE)
    sample, line = np.nonzero(step < steps)
    raster[sample, step[sample, line].astype(np.int64), line] = 1
    return raster


def times_of(raster: NDArray[np.uint8], dt_s: float) -> Times:
    """First spikes of a raster [sample, step, neuron] as times: the ends of their steps; inf where there is none.

    A membrane seen above its threshold at the end of a step has crossed it within the step.
    """
    first = raster.argmax(axis=1)
    return np.where(raster.any(axis=1), (first + 1) * dt_s, np.inf)


def _neuron(population: Population) -> FirstSpike:
    assert isinstance(population.neuron, FirstSpike)
    return population.neuron


def _population(population: Population, dt_s: float, decay: Decay) -> Population:
    neuron = _neuron(population)
    return dataclasses.replace(
        population,
        neuron=CubaLif(
            leak_syn=Leak(beta=decays(neuron.tau_syn_s, dt_s, decay)),
            leak_mem=Leak(beta=decays(neuron.tau_mem_s, dt_s, decay)),
            threshold=Values(real=neuron.threshold.real),
            v_reset=zeros(population.size),
            v_init=zeros(population.size),
            reset=Reset(kind=ResetKind.ONCE, delay=0),
        ),
    )


def _projections(projection: Projection, factor: NDArray[np.float64], dt_s: float) -> list[Projection]:
    weight = projection.connection.weight.real * factor[:, None]
    if projection.delays_s is None:
        return [dataclasses.replace(projection, connection=Dense(weight=Values(real=weight)))]
    steps = np.rint(projection.delays_s / dt_s).astype(np.int64)
    used = projection.connection.weight.real != 0
    return [
        Projection(
            pre=projection.pre,
            post=projection.post,
            connection=Dense(weight=Values(real=np.where(used & (steps == delay), weight, 0.0))),
            delay=int(delay),
        )
        for delay in np.unique(steps[used])
    ]
