"""Quantise a float HardwareGraph: choose formats, round every constant once, prove the current never overflows.

A population is unchanged when its weights, bias, threshold and reset potential are scaled together, so the
weight LSB is any real number: the one that rounds the weights with the least squared error. The membrane's LSB
is that LSB divided by a power of two, as small as the membrane's range allows.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.connections import drive_of, input_size, with_weight
from lightning_neuro.graph.fixed import Format, leak_constants, round_half_even, to_raw
from lightning_neuro.graph.hardware_graph import (
    CubaLif,
    HardwareGraph,
    Input,
    Leak,
    Lif,
    Population,
    Projection,
    ResetKind,
    SteppedNeuron,
    TimeBase,
    Values,
    constants_of,
    frozen,
)
from lightning_neuro.graph.widths import FIRST_SPIKE_SPEC, RATE_SPEC, QuantizeSpec, Widths, widths_of

# Membrane range wanted, in thresholds: wide enough for inhibition to be remembered, narrow enough for resolution.
HEADROOM = 4.0
# Ranges below this would saturate excitation before it is compared.
LEAST_HEADROOM = 2.0
# Range wanted over the largest membrane on calibration data.
MARGIN = 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """Number formats of one population and of the weights into it.

    Args:
        weight: of what a spike drives: the weights', except behind an input of integers, whose LSB is divided out.
        state: of the membrane; None in continuous time, where membranes are real numbers.
        leak_bits: largest shift of a leak.
    """

    weight: Format
    state: Format | None
    leak_bits: int


def default_spec(graph: HardwareGraph, stepped: QuantizeSpec) -> QuantizeSpec:
    """Widths that nobody named: ``stepped``, but no less than a first-spike or a converted network needs."""
    if graph.time is TimeBase.STEPPED and not counts(graph):
        return stepped
    least = RATE_SPEC if graph.time is TimeBase.STEPPED else FIRST_SPIKE_SPEC
    names = [field.name for field in dataclasses.fields(QuantizeSpec)]
    return QuantizeSpec(**{name: max(getattr(stepped, name), getattr(least, name)) for name in names})


def counts(graph: HardwareGraph) -> bool:
    """Whether all neurons integrate without leak: they count spikes, as those of a converted network do."""
    return all(isinstance(p.neuron, Lif) and bool((p.neuron.leak_mem.beta == 1.0).all()) for p in graph.populations)


def choose_formats(
    graph: HardwareGraph,
    widths: Widths,
    *,
    membrane_range: Mapping[str, float],
    weight_lsb: Mapping[str, float] | None = None,
) -> dict[str, Formats]:
    """Formats of every population, by name.

    Args:
        graph: graph in real numbers.
        widths: of all populations, or of each.
        membrane_range: largest |membrane| of read-out populations (no threshold) seen on calibration data, in
            model units; where it is missing a worst case is used, which costs resolution.
        weight_lsb: LSBs of the weights by population that are fixed already; None searches for the best.
    """
    fixed = weight_lsb or {}
    return {
        p.name: _formats(
            p,
            _drives(graph, p.name),
            widths_of(widths, p.name),
            graph.steps,
            membrane_range.get(p.name),
            fixed.get(p.name),
        )
        for p in graph.populations
    }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Drive:
    """Synapses and what one LSB of their source is worth: 1 for spikes."""

    projection: Projection
    unit: float
    largest: float  # value of the source, in its unit's multiples of the model

    @property
    def weight(self) -> NDArray[np.float64]:
        """Weights per LSB of the source."""
        return self.projection.connection.weight.real * self.unit


def _drives(graph: HardwareGraph, name: str) -> list[_Drive]:
    source = graph.input
    unit, largest = (1.0, 1.0) if source.format is None else (source.format.lsb, -source.format.low * source.format.lsb)
    return [
        _Drive(
            projection=p,
            unit=unit if p.pre == source.name else 1.0,
            largest=largest if p.pre == source.name else 1.0,
        )
        for p in graph.into(name)
    ]


def with_input_format(graph: HardwareGraph, format: Format | None) -> HardwareGraph:
    """The graph with currents of a format at its input, or with spikes (None)."""
    return dataclasses.replace(graph, input=dataclasses.replace(graph.input, format=format))


def quantize(graph: HardwareGraph, formats: Mapping[str, Formats]) -> HardwareGraph:
    """Round a float graph to integers; of a network in continuous time, its weights.

    Args:
        graph: graph in real numbers.
        formats: of every population.

    Returns:
        The same network with raw integers and formats; real values of weights become the rounded ones.
    """
    populations, projections = [], []
    for population in graph.populations:
        chosen = formats[population.name]
        rounded = [_round_projection(drive, chosen.weight) for drive in _drives(graph, population.name)]
        projections += rounded
        populations.append(_round_population(population, rounded, chosen, graph.input))
    order = {p.name: k for k, p in enumerate(graph.projections)}
    projections.sort(key=lambda p: order[p.name])
    return dataclasses.replace(graph, populations=tuple(populations), projections=tuple(projections))


def _formats(
    population: Population,
    incoming: list[_Drive],
    spec: QuantizeSpec,
    steps: int | None,
    membrane_range: float | None,
    weight_lsb: float | None,
) -> Formats:
    """Formats of one population.

    The weight LSB minimises the squared rounding error (clipping included); it grows when the membrane could
    not hold ``LEAST_HEADROOM`` thresholds otherwise. The membrane LSB is ``weight_lsb / 2**g`` with the largest
    g that keeps ``HEADROOM`` thresholds (or the calibrated range of a read-out) inside ``state_bits``.
    """
    weights = np.concatenate([drive.weight.ravel() for drive in incoming] or [np.zeros(1)])
    if not isinstance(population.neuron, SteppedNeuron):
        best = best_lsb(weights, spec.weight_bits) if weight_lsb is None else weight_lsb
        return Formats(weight=Format(bits=spec.weight_bits, lsb=best), state=None, leak_bits=spec.leak_bits)
    reach, least = _needed_range(population, incoming, steps, membrane_range)
    if weight_lsb is None:
        lsb = max(best_lsb(weights, spec.weight_bits), _least_lsb(spec.state_bits, least))
    else:
        lsb = weight_lsb
        _check_room(population.name, spec, least / lsb)
    return Formats(
        weight=Format(bits=spec.weight_bits, lsb=lsb),
        state=_state_format(lsb, spec.state_bits, reach),
        leak_bits=spec.leak_bits,
    )


def state_format(weight_lsb: float, state_bits: int, threshold: float) -> Format:
    """Format of the membranes of a layer that spikes and resets to 0 or by subtraction.

    Args:
        weight_lsb: LSB of the weights into the layer.
        state_bits: width, sign included.
        threshold: the largest of the layer.
    """
    return _state_format(weight_lsb, state_bits, HEADROOM * threshold)


def least_weight_lsb(state_bits: int, threshold: float) -> float:
    """Smallest LSB of weights into a layer that spikes: membranes count in parts of it and must hold thresholds.

    Args:
        state_bits: width of the membrane, sign included.
        threshold: the largest of the layer.
    """
    return _least_lsb(state_bits, LEAST_HEADROOM * threshold)


def _least_lsb(state_bits: int, least: float) -> float:
    return least / ((1 << (state_bits - 1)) - 1)


def _state_format(weight_lsb: float, state_bits: int, reach: float) -> Format:
    half_range = float(1 << (state_bits - 1))
    guard = max(0, math.floor(math.log2(half_range * weight_lsb / reach))) if reach > 0 else 0
    return Format(bits=state_bits, lsb=weight_lsb / 2.0 ** min(guard, 15))


def _check_room(name: str, spec: QuantizeSpec, least: float) -> None:
    """Refuse membranes too narrow for thresholds that fixed weight LSBs count out.

    Args:
        name: population.
        spec: widths.
        least: range that must fit, in weight LSBs.
    """
    needed = math.ceil(math.log2(least + 1)) + 1
    if needed > spec.state_bits:
        raise ConfigError(
            f"membranes of {spec.state_bits} bits are too narrow for weights of {spec.weight_bits}",
            where=f"population {name!r}",
            why=f"a step adds so little that the threshold is {least / LEAST_HEADROOM:.0f} weight LSBs: "
            f"{needed} bits are needed, and a few more keep slow leaks from stalling",
            next_command=f"quantize.state_bits={min(needed + 8, 32)}",
        )


def best_lsb(weights: NDArray[np.float64], bits: int) -> float:
    """The LSB that rounds weights to ``bits`` with the least squared error, by search over clipping points.

    Weights that lie on a grid already, trained with it, keep it: the largest of them is a whole number of LSBs.
    """
    largest = float(np.abs(weights).max(initial=0.0))
    if largest == 0.0:
        return 1.0
    high = max(1, (1 << (bits - 1)) - 1)
    steps = (largest / n for n in range(1, high + 2))  # the range holds one negative number more
    grid = next((step for step in steps if on_grid(weights, step) and weights.max() < (high + 0.5) * step), None)
    if grid is not None:
        return grid
    candidates = largest / high * np.linspace(0.25, 1.0, 76)
    errors = [_squared_error(weights, Format(bits=bits, lsb=float(lsb))) for lsb in candidates]
    return float(candidates[int(np.argmin(errors))])


def on_grid(weights: NDArray[np.float64], step: float) -> bool:
    """Whether all weights are whole numbers of steps, up to rounding in float32."""
    for part in (weights[:64], weights):  # the first few tell most grids apart
        steps = part / step
        if np.abs(steps - np.rint(steps)).max() > 1e-6:
            return False
    return True


def _squared_error(weights: NDArray[np.float64], format: Format) -> float:
    return float(np.square(to_raw(weights, format) * format.lsb - weights).sum())


def _needed_range(
    population: Population, incoming: list[_Drive], steps: int | None, calibrated: float | None
) -> tuple[float, float]:
    """Membrane range to aim at and range that must fit, in model units."""
    neuron = population.stepped
    fixed_points = float(np.abs(neuron.v_reset.real).max(initial=0.0))
    if neuron.reset.kind is not ResetKind.NONE:
        threshold = max(float(np.abs(neuron.threshold.real).max(initial=0.0)), fixed_points)
        return max(HEADROOM * threshold, MARGIN * (calibrated or 0.0)), LEAST_HEADROOM * threshold
    if calibrated is not None:
        return MARGIN * calibrated, MARGIN * calibrated
    per_step = sum(
        (_drive_of_all(d.projection, np.abs(d.projection.connection.weight.real)) * d.largest for d in incoming),
        np.sum([np.abs(b) for b in _biases(population)], axis=0),
    )
    leaks = [value.beta for value in constants_of(neuron).values() if isinstance(value, Leak)]
    gain = np.prod([_integration_gain(beta, steps) for beta in leaks], axis=0)  # one state integrates the other
    worst = float((per_step * gain).max(initial=0.0))
    return worst, worst


def _integration_gain(beta: NDArray[np.float64], steps: int | None) -> NDArray[np.float64]:
    """Largest sum of a decaying constant drive: ``1 / (1 - beta)``, at most the number of steps."""
    cap = float(steps or 1024)
    return np.minimum(1.0 / np.maximum(1.0 - beta, 1.0 / cap), cap)


def _round_projection(drive: _Drive, of_drive: Format) -> Projection:
    """Weights whose products with an LSB of their source are whole LSBs of the drive."""
    projection, format = drive.projection, Format(bits=of_drive.bits, lsb=of_drive.lsb / drive.unit)
    raw = to_raw(projection.connection.weight.real, format)
    rounded = Values(real=raw * format.lsb, raw=raw, format=format)
    return dataclasses.replace(projection, connection=with_weight(projection.connection, rounded))


def _drive_of_all(projection: Projection, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Drive [post] when every input line spikes, with the given weights in place of the projection's."""
    lines = np.ones((1, input_size(projection.connection)))
    return drive_of(projection.connection, weight, lines)[0]


def _biases(population: Population) -> list[NDArray[np.float64]]:
    return [population.bias.real, *(late.values.real for late in population.late_biases)]


def _round_population(
    population: Population, incoming: list[Projection], formats: Formats, source: Input
) -> Population:
    weight_format, state_format, leak_bits = formats.weight, formats.state, formats.leak_bits
    if not isinstance(population.neuron, SteppedNeuron):
        return population  # only its weights are rounded
    assert state_format is not None
    guard = round(math.log2(weight_format.lsb / state_format.lsb))

    def whole(values: Values) -> Values:
        raw = round_half_even(values.real / state_format.lsb)
        return Values(real=raw * state_format.lsb, raw=raw, format=Format(bits=32, lsb=state_format.lsb))

    bias = whole(population.bias)
    late = tuple(dataclasses.replace(x, values=whole(x.values)) for x in population.late_biases)
    neuron = _round_neuron(population.neuron, state_format, leak_bits)
    if isinstance(neuron, CubaLif):
        raw_biases = [bias.integers(), *(x.values.integers() for x in late)]
        bits = current_bits(incoming, raw_biases, guard, neuron.leak_syn, source)
        neuron = dataclasses.replace(neuron, current_format=Format(bits=bits, lsb=state_format.lsb))
    return dataclasses.replace(
        population,
        neuron=neuron,
        bias=bias,
        late_biases=late,
        state_format=state_format,
    )


def _round_neuron(neuron: SteppedNeuron, state_format: Format, leak_bits: int) -> SteppedNeuron:
    """Every leak as multiplier and shift, every other constant in LSBs of the membrane."""
    rounded = {
        name: _round_leak(value, leak_bits) if isinstance(value, Leak) else _round_constant(value, state_format)
        for name, value in constants_of(neuron).items()
    }
    return dataclasses.replace(neuron, **rounded)


def _round_constant(values: Values, format: Format) -> Values:
    return Values(real=values.real, raw=to_raw(values.real, format), format=format)


def _round_leak(leak: Leak, leak_bits: int) -> Leak:
    multiplier, shift = leak_constants(leak.beta, leak_bits)
    return Leak(beta=leak.beta, multiplier=frozen(multiplier, np.int64), shift=shift)


def current_bits(
    incoming: list[Projection], biases: list[NDArray[np.int64]], guard: int, leak_syn: Leak, source: Input
) -> int:
    """Width that holds every reachable synaptic current exactly.

    With drive at most X per step and leak floor(i L / 2**d), |i| never exceeds ``(X + 1) 2**d / L``: beyond it
    a step loses at least as much as it gains. Integers at the input count with the largest that their format holds,
    of either sign. Without leak the current is unbounded, and a width is refused.
    """
    positive = np.sum([np.maximum(b, 0) for b in biases], axis=0).astype(np.float64)
    negative = np.sum([np.maximum(-b, 0) for b in biases], axis=0).astype(np.float64)
    for projection in incoming:
        raw = (projection.connection.weight.integers() << guard).astype(np.float64)
        up, down = (_drive_of_all(projection, np.maximum(part, 0)) for part in (raw, -raw))
        if projection.pre == source.name and source.format is not None:
            low, high = float(-source.format.low), float(source.format.high)
            up, down = up * high + down * low, down * high + up * low
        positive, negative = positive + up, negative + down
    multiplier, shift = leak_syn.integers()
    if (multiplier <= 0).any():
        raise ConfigError(
            "a synaptic current without decay cannot be held in any number of bits",
            where="tau_syn",
            why="its integer leak rounds to zero, so the current grows without bound",
            next_command="model.tau_syn=SMALLER, or quantize.leak_bits=LARGER",
        )
    bound = float(((np.maximum(positive, negative) + 1) * 2.0**shift / multiplier).max(initial=1.0))
    return math.ceil(math.log2(bound + 1)) + 1
