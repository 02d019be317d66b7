"""Numbers about an artefact that need no emulation: what it uses, its weights, time, energy, and what to beware of."""

from __future__ import annotations

import numpy as np

from lightning_neuro.targets.brainscales.cautions import readout_cautions, warnings_of
from lightning_neuro.targets.brainscales.chip_resources import LARGEST_WEIGHT, SAFE_EVENT_US
from lightning_neuro.targets.brainscales.input_rules import events_per_us
from lightning_neuro.targets.brainscales.placement import uses
from lightning_neuro.targets.brainscales.prepared import Prepared

CHIP_W = 0.2
"""Power of the chip: below 200 mW (Cramer et al. 2022, PNAS, abstract). The board and its host are not in it."""
ENERGY_SOURCE = (
    "energy of a sample is an upper estimate: 200 mW for the chip (Cramer et al. 2022: below that), times its time "
    "on the chip, silence included; board and host are not counted"
)


def resource_numbers(prepared: Prepared) -> dict[str, object]:
    """What a run uses and has, weights by layer, time and energy of a sample.

    Args:
        prepared: the artefact's content.
    """
    return {
        "chip": fit_table(prepared),
        "weights": weight_numbers(prepared),
        "time": time_numbers(prepared),
    }


def fit_table(prepared: Prepared) -> dict[str, object]:
    """Used and available, the fullest run where there are several."""
    table: dict[str, object] = {}
    if len(prepared.runs) > 1:
        table["runs"] = len(prepared.runs)
    fullest: dict[str, tuple[int, int]] = {}
    for run in prepared.runs:
        for use in uses(run.placement):
            used, available = fullest.get(use.what, (0, use.available))
            fullest[use.what] = (max(used, use.used), available)
    return table | {what: f"{used} of {available}" for what, (used, available) in fullest.items()}


def weight_numbers(prepared: Prepared) -> dict[str, object]:
    """Weights by pair of layers: largest, zeros, those that need copies of their source."""
    found: dict[str, object] = {}
    for projection in prepared.network.projections:
        weights = projection.weights
        columns = prepared.columns[projection.pre, projection.post]
        off = np.abs(columns.unrounded - weights)
        clipped = np.abs(columns.unrounded) > np.abs(weights) + 0.5 + 1e-9
        found[f"{projection.pre} to {projection.post}"] = {
            "largest LSB": int(np.abs(weights).max(initial=0)),
            "zero": f"{100 * float((weights == 0).mean()):.1f} %",
            f"beyond {LARGEST_WEIGHT} LSB (source repeated)": f"{100 * _share_above(weights):.1f} %",
            "clipped": f"{100 * float(clipped.mean()):.1f} %",
            "rounding error (LSB)": float(np.sqrt((off**2).mean())),
        }
    return found


def _share_above(weights: np.ndarray) -> float:
    return float((np.abs(weights) > LARGEST_WEIGHT).mean())


def time_numbers(prepared: Prepared) -> dict[str, object]:
    """Hardware time and an upper estimate of the energy of a sample, and the rate of input spikes."""
    network = prepared.network
    period_us = (network.sample_us + network.gap_us) * len(prepared.runs)
    rate = events_per_us(network, prepared.inputs)
    return {
        "sample_us": network.sample_us,
        "silence after it_us": network.gap_us,
        "samples per second of the chip": 1e6 / period_us,
        "energy of a sample_j": CHIP_W * period_us * 1e-6,
        "input spikes per us, busiest sample": rate,
        "input spikes per us that are safe": 1 / SAFE_EVENT_US,
    }


def cautions(prepared: Prepared) -> tuple[str, ...]:
    """Sentences on what is allowed but should be known."""
    said = warnings_of(prepared.network, prepared.runs, prepared.analog, prepared.inputs)
    return (*said, *readout_cautions(prepared.network, prepared.analog, prepared.expected.membranes))
