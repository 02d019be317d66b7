"""What can be wrong on a board although sPyNNaker maps the network: found by comparing with the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.targets.spinnaker.board_image import BoardImage
from lightning_neuro.targets.spinnaker.readback import Synapses

ROUTER_ENTRIES = 1023  # of one chip's table
TOGETHER = 100
"""Spikes that one source core can be trusted to send in one step (sPyNNaker warns above it)."""
_WEIGHT_LIMIT = 0xFFFF
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoardExpectation:
    """What must be found on the board.

    Args:
        boards: most boards of 48 chips.
        shifts: ring-buffer shift of the excitatory and the inhibitory receptor, by population.
        synapses: every synapse, by names of the two populations; a weight that needs more than 16 bits is given in
            full, so that it cannot pass for the one that is left after the cut.
        most_spikes: spikes of a source of spikes in its busiest step, by population.
        biases: sources of which the first neuron alone ever spikes; synapses of others do not count.
    """

    boards: int
    shifts: Mapping[str, tuple[int, int]]
    synapses: Mapping[tuple[str, str], Synapses]
    most_spikes: Mapping[str, int]
    biases: frozenset[str]


def mapping_problems(image: BoardImage, expected: BoardExpectation) -> list[str]:
    """Missing programs, too many boards, full routing tables, sources that send too much at once."""
    problems = [f"the program {name} is not installed: this cell cannot be used" for name in image.missing_binaries]
    if image.boards > expected.boards:
        problems.append(f"the machine grew to {image.boards} boards, target.boards allows {expected.boards}")
    if image.routing_entries_most > ROUTER_ENTRIES:
        problems.append(f"{image.routing_entries_most} routing entries on a chip that holds {ROUTER_ENTRIES}")
    cores = {name: sum(core.layer == name for core in image.cores) for name in expected.most_spikes}
    for name, spikes in expected.most_spikes.items():
        if spikes > TOGETHER * max(1, cores[name]):
            problems.append(
                f"{name} sends {spikes} spikes in one step from {cores[name]} core(s), {TOGETHER} each is safe"
            )
    return problems


def shift_differences(image: BoardImage, expected: Mapping[str, tuple[int, int]]) -> list[str]:
    """Populations whose weights have another unit on the board than in the emulator."""
    found = [population for population in image.populations.values() if population.shifts]
    problems = [f"{name} is not on the board" for name in sorted(expected.keys() - {p.layer for p in found})]
    for population in found:
        shifts = expected.get(population.layer)
        if population.shifts != shifts:
            wanted = "not in the plan" if shifts is None else f"{list(shifts)} in the emulator"
            problems.append(f"{population.name}: shifts {list(population.shifts)} on the board, {wanted}")
    return problems


def synapse_differences(
    found: Mapping[tuple[str, str], Synapses], expected: Mapping[tuple[str, str], Synapses]
) -> list[str]:
    """Synapses that are missing, not wanted, or have another weight, sign or delay."""
    problems = []
    for pair in sorted({*found, *expected}):
        words = _pair_differences(found.get(pair, NO_SYNAPSES), expected.get(pair, NO_SYNAPSES))
        problems.extend(f"{pair[0]} -> {pair[1]}: {word}" for word in words)
    return problems


_EMPTY = np.zeros(0, np.int64)
NO_SYNAPSES = Synapses(pre=_EMPTY, post=_EMPTY, receptor=_EMPTY, delay=_EMPTY, weight=_EMPTY)


def _pair_differences(found: Synapses, expected: Synapses) -> list[str]:
    problems = []
    too_large = int((expected.weight > _WEIGHT_LIMIT).sum())
    if too_large:
        problems.append(f"{too_large} weight(s) do not fit 16 bits and lose their high bits")
    (present, loaded), (wanted, planned) = _strengths(found), _strengths(expected)
    for words, missing in (("missing", np.setdiff1d(wanted, present)), ("not wanted", np.setdiff1d(present, wanted))):
        if len(missing):
            shown = ", ".join(_describe(key) for key in missing[:_SHOWN].tolist())
            problems.append(f"{len(missing)} synapse(s) {words}, the first: {shown}")
    common, here, there = np.intersect1d(present, wanted, assume_unique=True, return_indices=True)
    differ = np.flatnonzero(loaded[here] != planned[there])
    if len(differ):
        first = int(differ[0])
        where = f"{_describe(int(common[first]))}: {loaded[here][first]} on the board, {planned[there][first]} planned"
        problems.append(f"{len(differ)} of {len(common)} weights differ, the first: {where}")
    return problems


_NEURON_BITS, _DELAY_BITS = 21, 12


def _strengths(synapses: Synapses) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One number for who reaches whom with which sign and when, and the sum of such weights; none where it is 0."""
    key = (synapses.post << _NEURON_BITS) | synapses.pre
    key = (key << (_DELAY_BITS + 1)) | (synapses.delay << 1) | synapses.receptor
    keys, place = np.unique(key, return_inverse=True)
    sums = np.zeros(len(keys), np.int64)
    np.add.at(sums, place, synapses.weight)
    return keys[sums != 0], sums[sums != 0]


def _describe(key: int) -> str:
    ends, timing = divmod(int(key), 1 << (_DELAY_BITS + 1))
    post, pre = divmod(ends, 1 << _NEURON_BITS)
    sign = "inhibitory" if timing & 1 else "excitatory"
    return f"{sign} {pre} -> {post} after {timing >> 1} step(s)"


def heard(found: Synapses, only_first: bool) -> Synapses:
    """Synapses that a spike can reach."""
    if not only_first:
        return found
    first = found.pre == 0
    return Synapses(
        pre=found.pre[first],
        post=found.post[first],
        receptor=found.receptor[first],
        delay=found.delay[first],
        weight=found.weight[first],
    )
