"""What the plan says must be found on a board: every 16-bit weight with its sign and delay, every shift."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.targets.spinnaker import synapses
from lightning_neuro.targets.spinnaker.board_problems import BoardExpectation
from lightning_neuro.targets.spinnaker.readback import Synapses
from lightning_neuro.targets.spinnaker.reference import synapse_list
from lightning_neuro.targets.spinnaker.scaling import ScaledPlan, stored_weights
from lightning_neuro.targets.spinnaker.script import bias_label
from lightning_neuro.targets.spinnaker.timing import Backend

BIAS_DELAY = 1  # steps


def expect_board(scaled: ScaledPlan, spikes: NDArray[Any], boards: int) -> BoardExpectation:
    """What the plan says must be found.

    Args:
        scaled: the network.
        spikes: input of recorded samples, [sample, step, line].
        boards: most boards of 48 chips.
    """
    plan = scaled.plan
    expected: dict[tuple[str, str], list[Synapses]] = {}
    for population in plan.populations:
        shifts = scaled.buffers[population.name].shifts
        for edge in plan.into(population.name):
            found = synapse_list(edge.connection, edge.connection.weight.real)
            pair = plan.labels[edge.pre], population.label
            delay = edge.delay[Backend.SPINNAKER]
            expected.setdefault(pair, []).append(as_stored(found, population.scale, shifts, delay))
        for bias in population.biases:
            found = synapses.dense(bias.values[:, None])
            pair = bias_label(population, bias), population.label
            expected.setdefault(pair, []).append(as_stored(found, population.scale, shifts, BIAS_DELAY))
    return BoardExpectation(
        boards=boards,
        shifts={p.label: scaled.buffers[p.name].shifts for p in plan.populations},
        synapses={pair: _joined(parts) for pair, parts in expected.items()},
        biases=frozenset(bias_label(p, bias) for p in plan.populations for bias in p.biases),
        most_spikes={plan.labels[plan.input.name]: busiest_step(spikes)},
    )


def as_stored(found: synapses.Synapses, scale: float, shifts: tuple[int, int], delay: int) -> Synapses:
    """Synapses with weights in the unit of their receptor; one that needs more than 16 bits keeps them all."""
    pre, post, weight = found
    counts = stored_weights(weight * scale, shifts)
    return Synapses(
        pre=np.asarray(pre, np.int64),
        post=np.asarray(post, np.int64),
        receptor=(weight < 0).astype(np.int64),
        delay=np.full(len(pre), delay, np.int64),
        weight=np.abs(counts),
    )


def _joined(parts: list[Synapses]) -> Synapses:
    def column(name: str) -> NDArray[np.int64]:
        return np.concatenate([getattr(part, name) for part in parts])

    return Synapses(
        pre=column("pre"),
        post=column("post"),
        receptor=column("receptor"),
        delay=column("delay"),
        weight=column("weight"),
    )


def busiest_step(raster: NDArray[Any]) -> int:
    """Most spikes of one step of one sample, raster [sample, step, neuron]."""
    return int(raster.sum(axis=2, dtype=np.int64).max(initial=0))
