"""The virtual chip behind the stand-ins, and the one place that says how a weight moves its membranes."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lightning_neuro.graph.hardware_graph import ReadoutKind
from lightning_neuro.neurons.chip_profiles import chip_profile
from lightning_neuro.targets.brainscales.analog import PUBLISHED
from lightning_neuro.targets.brainscales.chip_network import ChipLayer, ChipNetwork, ChipProjection, SpikeEvents
from lightning_neuro.targets.brainscales.emulator import emulate
from lightning_neuro.targets.brainscales.recording import Recording
from lightning_neuro.targets.brainscales.virtual_chip import draw_chips

SETTINGS = "LIGHTNING_NEURO_STAND_IN"
"""Environment variable with the path of a JSON file of :class:`StandIn`."""
CYCLE_US = 0.008
SILENT = 1e9  # threshold of a neuron that never spikes


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """Which virtual chip answers.

    Args:
        profile: of the chip's mismatch and noise.
        seed, chip: which chip of the profile.
        weight_scale: LSB of weight that let the current jump by ``distance``.
        distance: CADC LSB.
        i_synin_gm, synapse_dac_bias: where that was measured; other values scale with their product.
    """

    profile: str = "ideal"
    seed: int = 0
    chip: int = 0
    weight_scale: float = PUBLISHED.weight_scale
    distance: float = PUBLISHED.distance
    i_synin_gm: float = PUBLISHED.i_synin_gm
    synapse_dac_bias: float = PUBLISHED.synapse_dac_bias

    def lsb_per_unit(self, i_synin_gm: float, synapse_dac_bias: float) -> float:
        """LSB of weight that let the current jump by one LSB of the CADC."""
        strength = i_synin_gm * synapse_dac_bias / (self.i_synin_gm * self.synapse_dac_bias)
        return self.weight_scale / self.distance / strength


def stand_in() -> StandIn:
    """The chip that the environment names; the ideal one at the published operating point where it names none."""
    path = os.environ.get(SETTINGS)
    return StandIn(**json.loads(Path(path).read_text())) if path else StandIn()


@dataclass(frozen=True, slots=True, kw_only=True)
class Neurons:
    """One population as the calibration was told, potentials in LSB of the CADC, times in microseconds."""

    size: int
    v_rest: float
    v_reset: float
    v_thresh: float
    tau_m: float
    tau_syn: float
    tau_refrac: float
    i_synin_gm: float
    synapse_dac_bias: float
    fires: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wires:
    """Signed weights [post, pre] between two populations."""

    pre: str
    post: str
    weights: Any


def answer(
    lines: int,
    events: tuple[Any, Any, Any, int],
    neurons: Mapping[str, Neurons],
    wires: list[Wires],
    *,
    end_us: float,
    run: int,
) -> Recording:
    """Run populations, in topological order, on the virtual chip.

    Args:
        lines: of the input, which is called "".
        events: sample, line, time in microseconds, number of samples.
        neurons: populations by name.
        wires: synapses.
        end_us: length of a sample.
        run: number of the run.
    """
    chip = stand_in()
    layers = tuple(
        ChipLayer(
            name=name,
            size=n.size,
            spiking=True,
            tau_mem_us=n.tau_m,
            tau_syn_us=n.tau_syn,
            threshold=n.v_thresh if n.fires else SILENT,
            v_leak=n.v_rest,
            v_reset=n.v_reset,
            refractory_us=n.tau_refrac,
            weight_scale=chip.lsb_per_unit(n.i_synin_gm, n.synapse_dac_bias),
        )
        for name, n in neurons.items()
    )
    network = ChipNetwork(
        input="",
        lines=lines,
        layers=layers,
        projections=tuple(ChipProjection(pre=w.pre, post=w.post, weights=w.weights) for w in wires),
        output=layers[-1].name,
        readout=ReadoutKind.SPIKE_COUNT,
        sample_us=end_us,
        gap_us=0.0,
        speedup=1000.0,
        notes=(),
    )
    virtual = draw_chips(network, chip_profile(chip.profile, SETTINGS), chips=chip.chip + 1, seed=chip.seed)[-1]
    sample, line, time_us, samples = events
    spikes = SpikeEvents(
        sample=np.asarray(sample), neuron=np.asarray(line), time_us=np.asarray(time_us), samples=samples, size=lines
    )
    on_grid = dataclasses.replace(virtual, grid_us=CYCLE_US)  # no spike enters or leaves between two cycles
    return emulate(network, spikes, [on_grid], run=run)[0]
