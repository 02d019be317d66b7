"""Run a spiking network for many numbers of steps at once.

Synchronous and pipelined networks pass through the same states, the pipeline only later: a layer at depth d works one
step after the layer before it, with its bias on from step d to d + T, and the read-out is read when it has worked T
steps. So one run over the largest T holds the answer for every smaller one. In a layer-sequential network a layer
fires after it has summed up T steps; the spikes of one T say nothing about another, but only their number matters,
so one pass per T computes with counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lightning_neuro.convert.folded import INPUT
from lightning_neuro.convert.kernels import fire
from lightning_neuro.convert.spiking import SpikingLayer, SpikingNetwork
from lightning_neuro.convert.stages import apply, cast
from lightning_neuro.data.coding import Coding, encode
from lightning_neuro.errors import DataError

CODINGS = {"analog": "direct", "deterministic": "rate_deterministic", "bernoulli": "rate"}
"""Name of each input of a conversion among the codings of ``lightning_neuro.data.coding``."""

_CHUNK_VALUES = 1_000_000  # spikes of the widest layer per chunk: what stays in the cache


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What a network did, at each number of steps T that was asked.

    Args:
        scores: accumulated read-out, [sample, T, class]: membrane in units of the ANN's scores times T, or spikes.
        counts: spikes of every spiking layer within T steps, [sample, T, neuron], by layer.
        input_counts: spikes that entered within T steps, [sample, T]; zeros for analog input.
    """

    scores: Tensor
    counts: dict[str, Tensor]
    input_counts: Tensor

    def classes(self) -> Tensor:
        """First largest score, [sample, T]."""
        return self.scores.argmax(dim=2)


def simulate(
    network: SpikingNetwork,
    values: Tensor,
    steps: Sequence[int],
    *,
    first_id: int,
    dtype: torch.dtype,
    layers: int | None,
    count: bool,
) -> Run:
    """Run a network on a batch.

    Args:
        network: converted.
        values: [sample, *input shape]; 0..1 for spiking inputs.
        steps: numbers of time steps T, rising.
        first_id: number of the first sample in its data set, which random input spikes depend on.
        dtype: float32, or float64 to compare with the golden model.
        layers: simulate only so many layers (the front of a hybrid); the scores are then empty. None = all.
        count: count the spikes of every layer; else only of those that the read-out needs.

    Raises:
        DataError: values that cannot be coded as spikes.
    """
    marks = tuple(steps)
    shown = network.layers[:layers]
    counted = frozenset(layer.name for layer in shown) if count else _before_readout(network)
    rows = max(1, _CHUNK_VALUES // (max(layer.size for layer in shown) * max(marks)))
    rule = _one_after_another if _sequential(network) else _together
    with torch.no_grad():
        parts = [
            rule(network, shown, values[start : start + rows].to(dtype), marks, first_id + start, counted)
            for start in range(0, len(values), rows)
        ]
    return Run(
        scores=torch.cat([part.scores for part in parts]),
        counts={name: torch.cat([part.counts[name] for part in parts]) for name in parts[0].counts},
        input_counts=torch.cat([part.input_counts for part in parts]),
    )


def _before_readout(network: SpikingNetwork) -> frozenset[str]:
    last = network.layers[-1]
    return frozenset({last.name, *(path.source for path in last.paths)})


def input_spikes(network: SpikingNetwork, values: Tensor, steps: int, first_id: int) -> Tensor:
    """Input of a batch over the steps, [sample, step, *input shape]; one step for analog input, which never changes.

    Raises:
        DataError: values outside 0..1 for a spiking input.
    """
    options = network.options
    if options.input == "analog":
        return values[:, None]
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 1:
        raise DataError(
            f"inputs from {low:.3g} to {high:.3g} cannot be spike rates",
            where=f"conversion.input={options.input}",
            why="a line spikes between never (0) and in every step (1); negative or larger values have no rate",
            next_command="conversion.input=analog, or scale the data to 0..1 without subtracting a mean",
        )
    coding = Coding(kind=CODINGS[options.input], steps=steps, seed=options.seed, gain=1.0, offset=0.0, scale=1.0)
    flat = values.flatten(1).float().cpu().numpy()
    raster = encode(flat, coding, np.arange(first_id, first_id + len(flat)), None)
    return torch.from_numpy(raster).to(values).reshape(len(values), steps, *values.shape[1:])


def entering(network: SpikingNetwork, values: Tensor, steps: int, first_id: int) -> Tensor:
    """What the first layers take in: input of every step, or in a layer-sequential network its sum over T steps."""
    raster = input_spikes(network, values, steps, first_id)
    return _input_sums(raster, (steps,)) if _sequential(network) else raster


def drive(layer: SpikingLayer, signals: Mapping[str, Tensor]) -> Tensor:
    """Weighted input without the bias, [sample, step, neuron]; one step where nothing changes from step to step.

    Args:
        layer: that is driven.
        signals: spikes [sample, step, *shape] of the layers before it.
    """
    total: Tensor | None = None
    for path in layer.paths:
        signal = signals[path.source]
        rows = apply(cast(path.stages, signal.dtype, signal.device), signal.flatten(0, 1))
        part = rows.reshape(*signal.shape[:2], layer.size)
        total = part if total is None else total + part
    assert total is not None, "a layer without paths"
    return total


def respond(network: SpikingNetwork, layer: SpikingLayer, arriving: Tensor, steps: int) -> Tensor:
    """Spikes of a layer, [sample, step, neuron]; their number [sample, 1, neuron] in a layer-sequential network."""
    if _sequential(network):
        return _burst(network, layer, arriving, steps)
    neurons = layer.neurons(network.options, arriving.dtype, arriving.device)
    return fire(arriving, neurons, steps, ()).spikes


def _sequential(network: SpikingNetwork) -> bool:
    return network.options.schedule == "layer_sequential"


# -- synchronous and pipelined -----------------------------------------------------------------------------------


def _together(
    network: SpikingNetwork,
    shown: Sequence[SpikingLayer],
    values: Tensor,
    marks: Sequence[int],
    first_id: int,
    counted: frozenset[str],
) -> Run:
    """All layers in the same step (of a pipeline: in the same step after their own first)."""
    if network.options.input == "deterministic" and len(marks) > 1:  # its spikes are spaced for one T
        return _joined([_together(network, shown, values, (mark,), first_id, counted) for mark in marks])
    raster = input_spikes(network, values, marks[-1], first_id)
    signals, counts = {INPUT: raster}, {}
    scores = values.new_zeros(len(values), len(marks), 0)
    for layer in shown:
        if layer.threshold is None:
            scores = _membranes(network, layer, counts, raster, marks)
            continue
        neurons = layer.neurons(network.options, values.dtype, values.device)
        fired = fire(drive(layer, signals), neurons, marks[-1], marks if layer.name in counted else ())
        signals[layer.name] = fired.spikes.reshape(len(values), marks[-1], *layer.shape)
        if layer.name in counted:
            counts[layer.name] = fired.counts
        if layer is network.layers[-1]:
            scores = fired.counts
    return Run(scores=scores, counts=counts, input_counts=_input_counts(network, raster, marks))


def _membranes(
    network: SpikingNetwork, layer: SpikingLayer, counts: Mapping[str, Tensor], raster: Tensor, marks: Sequence[int]
) -> Tensor:
    """Membrane of a read-out after T steps: it only adds up, so counts of spikes are enough."""
    sums = {name: count.reshape(*count.shape[:2], *network.shape_of(name)) for name, count in counts.items()}
    sums[INPUT] = _input_sums(raster, marks)
    times = torch.tensor(marks, dtype=raster.dtype, device=raster.device)
    return drive(layer, sums) + times[:, None] * layer.bias.flatten().to(raster)


def _input_sums(raster: Tensor, marks: Sequence[int]) -> Tensor:
    if raster.shape[1] == 1:  # analog: the same in every step
        times = torch.tensor(marks, dtype=raster.dtype, device=raster.device)
        return raster * times.reshape(1, -1, *(1,) * (raster.ndim - 2))
    return raster.cumsum(dim=1)[:, [mark - 1 for mark in marks]]


def _input_counts(network: SpikingNetwork, raster: Tensor, marks: Sequence[int]) -> Tensor:
    if network.options.input == "analog":
        return raster.new_zeros(len(raster), len(marks))
    return _input_sums(raster, marks).flatten(2).sum(dim=2)


# -- layer-sequential --------------------------------------------------------------------------------------------


def _one_after_another(
    network: SpikingNetwork,
    shown: Sequence[SpikingLayer],
    values: Tensor,
    marks: Sequence[int],
    first_id: int,
    counted: frozenset[str],
) -> Run:
    """A layer sums up its input over T steps; then it spikes in step after step while the membrane is above."""
    if len(marks) > 1:
        return _joined([_one_after_another(network, shown, values, (mark,), first_id, counted) for mark in marks])
    raster = input_spikes(network, values, marks[0], first_id)
    sums, counts = {INPUT: _input_sums(raster, marks)}, {}
    scores = values.new_zeros(len(values), 1, 0)
    for layer in shown:
        arriving = drive(layer, sums)
        if layer.threshold is None:
            scores = arriving + marks[0] * layer.bias.flatten().to(values)
            continue
        burst = _burst(network, layer, arriving, marks[0])
        sums[layer.name] = burst.reshape(len(values), 1, *layer.shape)
        if layer.name in counted:
            counts[layer.name] = burst
        if layer is network.layers[-1]:
            scores = burst
    return Run(scores=scores, counts=counts, input_counts=_input_counts(network, raster, marks))


def _burst(network: SpikingNetwork, layer: SpikingLayer, arriving: Tensor, steps: int) -> Tensor:
    """Number of spikes that leave a membrane at or below the threshold, at most one in each of T steps."""
    assert layer.threshold is not None, "a read-out does not fire"
    membrane = arriving + steps * layer.bias.flatten().to(arriving)
    threshold = layer.spread(layer.threshold).to(arriving)
    return torch.ceil(membrane / threshold + (network.options.v_init - 1)).clamp(0, steps)


def _joined(runs: Sequence[Run]) -> Run:
    """Runs of one T each as one."""
    return Run(
        scores=torch.cat([run.scores for run in runs], dim=1),
        counts={name: torch.cat([run.counts[name] for run in runs], dim=1) for name in runs[0].counts},
        input_counts=torch.cat([run.input_counts for run in runs], dim=1),
    )
