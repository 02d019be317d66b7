"""The constants of every neuron of a real chip, fitted to spike times that were recorded on it.

Unknown are, for each neuron, the gains of its excitatory and inhibitory synapses (over its threshold) and its two time
constants, for each synapse its strength, and for each layer the latency. With r the differences of recorded and
modelled first spikes and p the logarithms of the factors, the fit minimises

    sum rho(r / noise) + sum (p / prior)^2 / 2,      rho: Huber's function, |r| / noise > 2 counts linearly,

by steps of Levenberg and Marquardt; the prior keeps what the recording does not determine near the nominal value. Late
steps hardly change the cost, but trade the output neurons off against each other: of all values that cost next to the
least, the fit returns those with which most samples of the recording have the recorded class.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lightning_neuro.targets.brainscales.chip_network import ChipNetwork, SpikeEvents
from lightning_neuro.targets.brainscales.emulator import emulate
from lightning_neuro.targets.brainscales.fit_checks import check_fittable
from lightning_neuro.targets.brainscales.fit_model import Array, chip_of, jacobian, modelled_spikes, places, start
from lightning_neuro.targets.brainscales.recording import first_spikes, read_classes
from lightning_neuro.targets.brainscales.virtual_chip import VirtualChip

_NORMAL = 1.4826  # standard deviation of a normal distribution over its median absolute deviation
_LINEAR = 2.0  # noises from which a difference counts linearly
_LOST = 5.0  # noises that a spike which only one of the two has counts for
_DAMPING = (1e-3, 3.0, 5.0)  # first one, its divisor after a step that helped, its factor after one that did not
_NEXT_TO = 1.05  # costs up to so many times the least one are next to it
_UNSURE = 1.0  # 1 / variance of the logarithm of a latency
_CHUNK = 1000  # samples whose derivatives are kept at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How to minimise.

    Args:
        steps: at most.
        prior: standard deviation of the logarithms of a neuron's factors that is expected.
        synapse_prior: and of those of synapses.
        noise_us: standard deviation of the differences that is expected.
    """

    steps: int
    prior: float
    synapse_prior: float
    noise_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FitScore:
    """How well a virtual chip foretells a recording.

    Args:
        same_class: share of samples with the recorded class, 0..1.
        mean_us, std_us: of recorded minus modelled output spike times, where both spiked.
        robust_us: standard deviation from the median absolute deviation.
        missing: share of output (sample, neuron) pairs where one spiked and the other did not.
    """

    same_class: float
    mean_us: float
    std_us: float
    robust_us: float
    missing: float


def fit_chip(
    network: ChipNetwork,
    inputs: SpikeEvents,
    recorded: Mapping[str, SpikeEvents],
    options: FitOptions,
    *,
    grid_us: float,
    progress: Callable[[int], None] | None = None,
) -> VirtualChip:
    """Fit a virtual chip to a recording.

    Its jitter is the one that makes output spikes as uncertain as what the fit leaves: an upper bound, because errors
    of the model are in it.

    Args:
        network: what ran: neurons that spike once.
        inputs: what it got, at most one spike per line and sample.
        recorded: spikes by layer, the output at least; more layers say more.
        options: of the minimiser.
        grid_us: of the recorded times.
        progress: called with the number of steps just finished.

    Raises:
        GraphError: not a network whose neurons spike once.
        DataError: the recording does not fit the network.
    """
    check_fittable(network, inputs, recorded)
    problem = _Problem(
        network=network,
        times=first_spikes(inputs),
        targets={name: first_spikes(events) for name, events in recorded.items()},
        options=options,
    )
    values, (damping, easier, harder) = start(network), _DAMPING
    cost, agreement = _cost(problem, values)
    gradient, curvature = _slopes(problem, values)
    found = [(cost, agreement, values)]
    for _ in range(options.steps):
        tried = values + np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), -gradient)
        new, agreement = _cost(problem, tried)
        found.append((new, agreement, tried))
        if new < cost:
            values, cost, damping = tried, new, damping / easier
            gradient, curvature = _slopes(problem, values)
        else:
            damping *= harder
        if progress is not None:
            progress(1)
    values = max((f for f in found if f[0] <= _NEXT_TO * cost), key=lambda f: f[1])[2]
    return _with_jitter(network, inputs, recorded[network.output], chip_of(network, values, grid_us))


def score_chip(network: ChipNetwork, inputs: SpikeEvents, recorded: SpikeEvents, chip: VirtualChip) -> FitScore:
    """Compare a recording of the output layer with a virtual chip without its noise."""
    quiet = dataclasses.replace(chip, jitter_us=0.0, threshold_run_std=0.0)
    answer = emulate(network, inputs, [quiet], run=0)[0]
    model, real = first_spikes(answer.spikes[network.output]), first_spikes(recorded)
    left = _differences(real, model)
    return FitScore(
        same_class=float((answer.classes == read_classes(network.readout, recorded)).mean()),
        mean_us=float(left.mean()),
        std_us=float(left.std()),
        robust_us=_robust(left),
        missing=float((np.isfinite(model) != np.isfinite(real)).mean()),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Problem:
    network: ChipNetwork
    times: Array
    targets: Mapping[str, Array]
    options: FitOptions

    def expected(self) -> Array:
        """1 / variance of each unknown; next to none for latencies."""
        where, count = places(self.network)
        result = np.full(count, _UNSURE)
        for place in where.values():
            result[place.factors] = self.options.prior**-2
            result[place.synapses] = self.options.synapse_prior**-2
        return result

    def parts(self, values: Array) -> Iterator[tuple[dict[str, Array], str, Array]]:
        """For some samples at a time: modelled spikes of all populations, a recorded layer, and what was recorded."""
        for first in range(0, len(self.times), _CHUNK):
            part = slice(first, first + _CHUNK)
            known = modelled_spikes(self.network, self.times[part], values)
            for name, target in self.targets.items():
                yield known, name, target[part]


def _cost(problem: _Problem, values: Array) -> tuple[float, int]:
    """Cost, and the number of samples with the recorded class."""
    noise_us = problem.options.noise_us
    agreement = 0
    cost = 0.5 * float(problem.expected() @ (values - start(problem.network)) ** 2)
    for known, name, target in problem.parts(values):
        left = _differences(target, known[name]) / noise_us
        weight = _weights(left)
        lost = np.isfinite(target) != np.isfinite(known[name])
        cost += float((weight * left**2 * (1 - weight / 2)).sum()) + _LOST**2 / 2 * int(lost.sum())
        if name == problem.network.output:
            agreement += int((known[name].argmin(1) == target.argmin(1)).sum())
    return cost, agreement


def _slopes(problem: _Problem, values: Array) -> tuple[Array, Array]:
    """Gradient of the cost, and the Gauss-Newton approximation of its second derivatives."""
    expected, noise_us = problem.expected(), problem.options.noise_us
    gradient, curvature = expected * (values - start(problem.network)), np.diag(expected)
    for known, name, target in problem.parts(values):
        left = _differences(target, known[name]) / noise_us
        both = np.isfinite(known[name]) & np.isfinite(target)
        slopes = jacobian(problem.network, known, values, name)[both] / noise_us
        weighted = slopes * _weights(left)[:, None]
        gradient -= weighted.T @ left
        curvature += weighted.T @ slopes
    return gradient, curvature


def _weights(left: Array) -> Array:
    """Of differences in noises: those of Huber's function."""
    return np.minimum(1.0, _LINEAR / np.maximum(np.abs(left), _LINEAR))


def _differences(real: Array, model: Array) -> Array:
    both = np.isfinite(real) & np.isfinite(model)
    return real[both] - model[both]


def _robust(values: Array) -> float:
    return float(_NORMAL * np.median(np.abs(values - np.median(values)))) if values.size else 0.0


def _with_jitter(network: ChipNetwork, inputs: SpikeEvents, recorded: SpikeEvents, chip: VirtualChip) -> VirtualChip:
    """Add the jitter of every layer's spikes that makes those of the output as uncertain as they are."""
    left = score_chip(network, inputs, recorded, chip).robust_us
    noisy = dataclasses.replace(chip, jitter_us=left)
    still, moving = emulate(network, inputs, [chip, noisy], run=0)
    quiet, shaken = (first_spikes(r.spikes[network.output]) for r in (still, moving))
    caused = _robust(_differences(shaken, quiet))
    return dataclasses.replace(chip, jitter_us=left * left / caused if caused > 0 else 0.0)
