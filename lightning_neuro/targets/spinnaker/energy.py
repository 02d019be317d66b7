"""How many cores a network takes, and what an inference costs: a model of the machine, not a measurement.

Constants of SpiNNaker's version-5 boards as sPyNNaker's own energy report uses them (SpiNNMachine 7.4.1,
``spinn_machine/version``): idle chip 0.35 W, active core 0.034 W, idle board of 48 chips 26.84 W, 1 nJ per packet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lightning_neuro.targets.spinnaker.maps import NEURONS_PER_CORE
from lightning_neuro.targets.spinnaker.plan import LINES_PER_CORE, SpinnakerPlan

CHIP_W = 0.35
CORE_W = 0.034
BOARD_W = 26.84
PACKET_J = 1e-9
CHIPS_PER_BOARD = 48
CORES_PER_CHIP = 16  # of 18: one monitors the chip, one serves input and output
CORES_PER_BOARD = CHIPS_PER_BOARD * CORES_PER_CHIP - 8  # some chips have 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What samples did on average.

    Args:
        steps: steps per sample, the silence between samples included.
        spikes: spikes per sample of all layers, the input and always-on sources included.
        chips_per_spike: chips that a packet visits.
    """

    steps: int
    spikes: float
    chips_per_spike: float


def count_cores(plan: SpinnakerPlan) -> int:
    """Cores of a network: neurons in portions of at most 256, input lines of 100, one per bias."""
    layers = sum(_cores(p.shape, p.tile) for p in plan.populations)
    tile, source = plan.input_tile, plan.input
    sources = -(-source.size // LINES_PER_CORE) if tile is None else _cores(source.shape, tile)
    return layers + sources + sum(len(p.biases) for p in plan.populations)


def _cores(shape: tuple[int, ...], tile: tuple[int, int] | None) -> int:
    if tile is None:
        return -(-math.prod(shape) // NEURONS_PER_CORE)
    channels, height, width = shape
    return channels * -(-width // tile[0]) * -(-height // tile[1])


def energy_per_inference(
    activity: Activity, *, cores: int, chips: int, boards: int, timestep_ms: float
) -> dict[str, object]:
    """Energy of one sample, in joules: idle chips and busy cores for its duration in real time, and its packets.

    Args:
        activity: of an average sample.
        cores: that run the network.
        chips: with at least one of them.
        boards: that are switched on.
        timestep_ms: step in real time, in ms.

    Returns:
        Plain values for a report; ``joules`` counts the chips in use, ``joules_boards`` whole boards.
    """
    seconds = activity.steps * timestep_ms * 1e-3
    packets = activity.spikes * activity.chips_per_spike * PACKET_J
    busy = cores * CORE_W * seconds
    return {
        "joules": chips * CHIP_W * seconds + busy + packets,
        "joules_boards": boards * BOARD_W * seconds + busy + packets,
        "seconds": seconds,
        "spikes": activity.spikes,
        "kind": "model, not measured",
        "assumptions": assumptions(activity, cores=cores, chips=chips, boards=boards, timestep_ms=timestep_ms),
    }


def assumptions(
    activity: Activity, *, cores: int, chips: int, boards: int, timestep_ms: float
) -> Mapping[str, float | int]:
    """The numbers that an energy rests on."""
    return {
        "idle_chip_W": CHIP_W,
        "active_core_W": CORE_W,
        "idle_board_W": BOARD_W,
        "packet_J": PACKET_J,
        "chips": chips,
        "cores": cores,
        "boards": boards,
        "timestep_ms": timestep_ms,
        "steps_per_inference": activity.steps,
        "chips_per_spike": activity.chips_per_spike,
    }
