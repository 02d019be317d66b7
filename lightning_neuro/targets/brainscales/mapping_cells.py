"""From a population of a hardware graph to the chip's neuron: time constants, and what a weight becomes.

The chip has one neuron, ``tau_mem v' = -v + i``, ``tau_syn i' = -i``, and a spike over a synapse adds J to i. So a
postsynaptic potential is ``J tau_syn / (tau_mem - tau_syn) (exp(-t / tau_mem) - exp(-t / tau_syn))``. Here stands, for
every neuron of a graph, the factor J / w that gives the potential the network was trained with:

* first-spike neurons ``w tau_mem / (tau_mem - tau_syn) (...)``: J / w = tau_mem / tau_syn, exact;
* current-based neurons in steps, ``i <- alpha i + w s``, ``v <- beta v + i``: with ``tau_syn = -dt / ln alpha`` and
  ``tau_mem = -dt / ln beta`` the membrane at the end of step n is the analytic one at (n + 1) dt of a spike at the
  step's beginning, J / w = (tau_mem - tau_syn) / (tau_syn (beta - alpha)), or tau / (dt beta) if both are equal;
* neurons with delta synapses, ``v <- beta v + w s``: a short tau_syn instead, J / w = tau_mem / tau_syn, which
  gives the potential the same charge; it rises late and is lower at its peak.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    FirstSpike,
    HardwareGraph,
    Lif,
    Neuron,
    Population,
    Reset,
    ResetKind,
)
from lightning_neuro.targets.brainscales.analog import RANGES, AnalogParameters
from lightning_neuro.targets.brainscales.chip_resources import HEMISPHERES, LARGEST_WEIGHT, SIGNED_FAN_IN

REFRACTORY_TAUS = 0.1
"""Refractory time in tau_syn, of neurons trained in steps, which spike once a step at most and forget what is above
the threshold. On the chip the current goes on after a spike: the longer it lasts, the longer must the membrane be held.
Of five networks of digits and MNIST half a step cost up to 4 points of accuracy with short tau_syn and a tenth of a
step up to 6 with long ones; a tenth of tau_syn, at most half a step, none more than 2 on chips without mismatch."""

READOUT_SHARE = 0.25
"""tau_syn over tau_mem of a read-out whose delta synapses are approximated: short, but not so short that a spike is
lost in the resolution of the converter."""

_EQUAL = 1e-9  # time constants that differ by less, relatively, are the same


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingOptions:
    """How a graph becomes a chip network.

    Args:
        speedup: how much faster than the model's time the chip's runs; 1000 is what the chip was built for, but
            networks in continuous time only know ratios of times.
        delta_tau_syn_us: hardware microseconds, synaptic time constant that stands for delta synapses; None takes
            the shortest with which the largest weight of a layer fits into the rows there are, and for read-outs,
            whose weights have no scale, ``READOUT_SHARE`` of tau_mem.
        refractory_us: hardware microseconds, of neurons that may spike repeatedly; None is ``REFRACTORY_TAUS``
            tau_syn, at most half a step. (Neurons that spike once per sample are refractory for the length of a
            sample.)
        sample_us: hardware microseconds; None is the network's own length of a sample.
        gap_us: silence between samples in hardware microseconds; None is ``GAP_TAUS`` time constants.
        analog: operating point.
    """

    speedup: float
    delta_tau_syn_us: float | None
    refractory_us: float | None
    sample_us: float | None
    gap_us: float | None
    analog: AnalogParameters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cell:
    """A population in the chip's terms.

    Args:
        tau_mem_us, tau_syn_us: hardware microseconds, [n].
        jump: J / w, [n].
        threshold, v_reset: model units, [n].
        refractory_us: hardware microseconds.
        spiking: False for a read-out of the membrane.
    """

    tau_mem_us: NDArray[np.float64]
    tau_syn_us: NDArray[np.float64]
    jump: NDArray[np.float64]
    threshold: NDArray[np.float64]
    v_reset: NDArray[np.float64]
    refractory_us: float
    spiking: bool


def cell_of(graph: HardwareGraph, population: Population, options: MappingOptions) -> Cell:
    """A population as neurons of the chip; nothing is refused here, only converted.

    Args:
        graph: of the population.
        population: any.
        options: settings.
    """
    return CELLS[type(population.neuron)](graph, population, options)


def sample_length_us(graph: HardwareGraph, options: MappingOptions) -> float | None:
    """Length of a sample in hardware microseconds; None where neither the network nor the settings tell."""
    if options.sample_us is not None:
        return options.sample_us
    if graph.horizon_s is not None:
        return hardware_us(graph.horizon_s, options)
    return None if graph.steps is None else graph.steps * step_us(graph, options)


def hardware_us(seconds: float, options: MappingOptions) -> float:
    """Model seconds as hardware microseconds."""
    return seconds * 1e6 / options.speedup


def step_us(graph: HardwareGraph, options: MappingOptions) -> float:
    """A step of the network in hardware microseconds."""
    return hardware_us(graph.dt_s, options)


def decay_us(beta: NDArray[np.float64], dt_us: float) -> NDArray[np.float64]:
    """Time constant of a decay by ``beta`` per step: exact, ``-dt / ln beta``; 0 for 0, inf for 1 or more.

    >>> decay_us(np.array([0.0, np.exp(-0.5), 1.0]), 1.0).tolist()
    [0.0, 2.0, inf]
    """
    with np.errstate(divide="ignore"):
        rate = -np.log(np.clip(beta, 0.0, 1.0))
        return np.where(rate == 0, np.inf, dt_us / rate)


def stepped_jump(
    alpha: NDArray[np.float64], beta: NDArray[np.float64], tau_syn: NDArray[np.float64], tau_mem: NDArray[np.float64]
) -> NDArray[np.float64]:
    """J / w of current-based neurons in steps, [n].

    Args:
        alpha, beta: decays per step of current and membrane, [n].
        tau_syn, tau_mem: the same as time constants, in steps, [n].
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        equal = np.abs(tau_mem - tau_syn) <= _EQUAL * tau_mem
        return np.where(equal, tau_mem / beta, (tau_mem - tau_syn) / (tau_syn * (beta - alpha)))


def shortest_delta_tau_us(
    tau_mem_us: float, largest_weight: float, threshold: float, repeats: int, analog: AnalogParameters
) -> float:
    """Shortest tau_syn for delta synapses: a weight w is ``w tau_mem / tau_syn`` on the chip, and must fit.

    Args:
        tau_mem_us: membrane time constant of the layer.
        largest_weight: largest ``|w|`` of the layer, model units.
        threshold: of the layer, model units.
        repeats: how often each source may be repeated.
        analog: operating point.
    """
    needed = largest_weight / threshold * analog.weight_scale * tau_mem_us / (LARGEST_WEIGHT * repeats)
    return float(np.clip(needed, RANGES["tau_syn_us"].low, max(RANGES["tau_syn_us"].low, tau_mem_us)))


# -- kinds of neurons --------------------------------------------------------------------------------------------


def _first_spike(graph: HardwareGraph, population: Population, options: MappingOptions) -> Cell:
    neuron = population.neuron
    assert isinstance(neuron, FirstSpike)
    return Cell(
        tau_mem_us=neuron.tau_mem_s * 1e6 / options.speedup,
        tau_syn_us=neuron.tau_syn_s * 1e6 / options.speedup,
        jump=neuron.tau_mem_s / neuron.tau_syn_s,
        threshold=neuron.threshold.real,
        v_reset=np.zeros(population.size),
        refractory_us=sample_length_us(graph, options) or 0.0,
        spiking=True,
    )


def _current_based(graph: HardwareGraph, population: Population, options: MappingOptions) -> Cell:
    neuron = population.neuron
    assert isinstance(neuron, CubaLif)
    alpha, beta = neuron.leak_syn.beta, neuron.leak_mem.beta
    tau_syn, tau_mem = decay_us(alpha, 1.0), decay_us(beta, 1.0)
    dt_us = step_us(graph, options)
    return Cell(
        tau_mem_us=tau_mem * dt_us,
        tau_syn_us=tau_syn * dt_us,
        jump=stepped_jump(alpha, beta, tau_syn, tau_mem),
        threshold=neuron.threshold.real,
        v_reset=neuron.v_reset.real,
        refractory_us=_refractory_us(graph, neuron.reset, float(tau_syn.max()) * dt_us, options),
        spiking=neuron.reset.kind is not ResetKind.NONE,
    )


def _delta(graph: HardwareGraph, population: Population, options: MappingOptions) -> Cell:
    neuron = population.neuron
    assert isinstance(neuron, Lif)
    tau_mem = decay_us(neuron.leak_mem.beta, step_us(graph, options))
    spiking = neuron.reset.kind is not ResetKind.NONE
    tau_syn = options.delta_tau_syn_us
    if tau_syn is None:
        tau_syn = _delta_tau_us(graph, population, float(tau_mem.max()), options.analog)
    with np.errstate(invalid="ignore"):
        jump = tau_mem / tau_syn
    return Cell(
        tau_mem_us=tau_mem,
        tau_syn_us=np.full(population.size, tau_syn),
        jump=jump,
        threshold=neuron.threshold.real,
        v_reset=neuron.v_reset.real,
        refractory_us=_refractory_us(graph, neuron.reset, tau_syn, options),
        spiking=spiking,
    )


def _delta_tau_us(graph: HardwareGraph, population: Population, tau_mem_us: float, analog: AnalogParameters) -> float:
    """What stands for delta synapses where nobody says so, hardware microseconds."""
    neuron = population.neuron
    assert isinstance(neuron, Lif)
    if neuron.reset.kind is ResetKind.NONE:
        return max(RANGES["tau_syn_us"].low, READOUT_SHARE * tau_mem_us)
    incoming = [p.connection.weight.real for p in graph.into(population.name)]
    largest = max((float(np.abs(w).max(initial=0.0)) for w in incoming), default=0.0)
    repeats = _repeats(graph, sum(w.shape[-1] for w in incoming))
    return shortest_delta_tau_us(tau_mem_us, largest, float(np.mean(neuron.threshold.real)), repeats, analog)


def _repeats(graph: HardwareGraph, sources: int) -> int:
    """How often a layer's sources can be repeated when its hemisphere's rows are shared fairly among the layers."""
    layers_per_hemisphere = -(-len(graph.populations) // HEMISPHERES)
    return max(1, SIGNED_FAN_IN // layers_per_hemisphere // max(sources, 1))


def _refractory_us(graph: HardwareGraph, reset: Reset, tau_syn_us: float, options: MappingOptions) -> float:
    """Once: a sample. Clamped: the step in which the membrane is held. Otherwise see ``REFRACTORY_TAUS``."""
    if reset.kind is ResetKind.ONCE:
        return sample_length_us(graph, options) or 0.0
    if reset.kind is ResetKind.CLAMP:
        return step_us(graph, options)
    if options.refractory_us is not None:
        return options.refractory_us
    wanted = min(REFRACTORY_TAUS * tau_syn_us, 0.5 * step_us(graph, options))
    return float(np.clip(wanted, RANGES["refractory_us"].low, RANGES["refractory_us"].high))


CELLS: dict[type[Neuron], Callable[[HardwareGraph, Population, MappingOptions], Cell]] = {
    FirstSpike: _first_spike,
    CubaLif: _current_based,
    Lif: _delta,
}
