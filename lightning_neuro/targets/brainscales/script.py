"""Renders the scripts: one template each, the network written out where a reader sees it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from lightning_neuro.graph.hardware_graph import ReadoutKind
from lightning_neuro.targets.brainscales.analog import CalibrationTarget, calibration_target
from lightning_neuro.targets.brainscales.chip_network import ChipLayer
from lightning_neuro.targets.brainscales.chip_resources import CYCLE_US, LARGEST_WEIGHT, RUNTIME_CYCLES
from lightning_neuro.targets.brainscales.placement import LayerPart
from lightning_neuro.targets.brainscales.prepared import Prepared

TEMPLATES = Environment(
    loader=PackageLoader("lightning_neuro.targets.brainscales"), undefined=StrictUndefined, keep_trailing_newline=True
)
TEMPLATES.filters["quoted"] = json.dumps
PYNN, HXTORCH, CALIBRATE = "run_pynn.py", "run_hxtorch.py", "calibrate.py"
BY_MEMBRANE = (ReadoutKind.MEMBRANE_MAX, ReadoutKind.MEMBRANE_LAST)
MOST_SAMPLES = 500  # in one run of the chip


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerBlock:
    """One layer as a script writes it; model units beside the chip's."""

    name: str
    size: int
    spiking: bool
    tau_mem_us: str
    tau_syn_us: str
    refractory_us: str
    leak: int
    reset: int
    threshold: int
    weight_scale: str
    model_threshold: str
    model_reset: str
    circuits: int
    horizontal: bool


def render_scripts(prepared: Prepared) -> dict[str, str]:
    """Texts of the scripts by file name.

    Args:
        prepared: the artefact's content.
    """
    context = _context(prepared)
    texts = {name: TEMPLATES.get_template(f"{name}.j2").render(**context) for name in (PYNN, HXTORCH, CALIBRATE)}
    return {name: re.sub(r"\n{4,}", "\n\n\n", text) for name, text in texts.items()}


def _context(prepared: Prepared) -> dict[str, object]:
    network, analog = prepared.network, prepared.analog
    by_membrane = network.readout in BY_MEMBRANE
    return {
        "title": prepared.title,
        "speedup": f"{network.speedup:g}",
        "input": network.input,
        "lines": network.lines,
        "layers": [_block(prepared, layer) for layer in network.layers],
        "synapses": [(p.pre, p.post) for p in network.projections],
        **_runs("pynn", pynn_runs(prepared)),
        **_runs("hxtorch", hxtorch_runs(prepared)),
        "output": network.output,
        "readout": network.readout.value,
        "by_membrane": by_membrane,
        "sample_us": number(network.sample_us),
        "gap_us": number(network.gap_us),
        "i_synin_gm": int(analog.i_synin_gm),
        "synapse_dac_bias": int(analog.synapse_dac_bias),
        "capacitance": int(analog.membrane_capacitance),
        "holdoff_us": number(analog.holdoff_us),
        "largest": LARGEST_WEIGHT,
        "cycle_us": CYCLE_US,
        "batch": batch_size(prepared),
        "merged": any(block.circuits_per_neuron > 1 for run in prepared.runs for block in run.placement.blocks),
    }


Runs = list[tuple[int, list[LayerPart]]]
"""Run of the placement, and what of it is on the chip together."""


def _runs(prefix: str, runs: Runs) -> dict[str, object]:
    parts = [[(part.layer, part.start, part.stop) for part in parts] for _, parts in runs]
    return {f"{prefix}_runs": parts, f"{prefix}_placed": [number for number, _ in runs]}


def pynn_runs(prepared: Prepared) -> Runs:
    """Runs without layers that PyNN cannot read: it records one membrane at a time."""
    spiking = {layer.name for layer in prepared.network.layers if layer.spiking}
    kept = [(k, [part for part in run.parts if part.layer in spiking]) for k, run in enumerate(prepared.runs)]
    return [(k, parts) for k, parts in kept if parts]


def hxtorch_runs(prepared: Prepared) -> Runs:
    """Runs cut before layers that hxtorch cannot feed on the chip.

    Its neurons take one projection, and of a neuron's spikes one pair of rows: where a layer has several sources, or
    a neuron's weight exceeds 63 LSB, spikes are recorded and played to it from outside, on as many lines as needed.
    """
    found: Runs = []
    for number, run in enumerate(prepared.runs):
        together: list[LayerPart] = []
        for part in run.parts:
            incoming = prepared.network.into(part.layer)
            inside = {p.pre for p in incoming} & {before.layer for before in together}
            columns = [prepared.columns[p.pre, p.post].source for p in incoming]
            if inside and (len(incoming) > 1 or any(len(np.unique(c)) < len(c) for c in columns)):
                found.append((number, together))
                together = []
            together = [*together, part]
        found.append((number, together))
    return found


def _block(prepared: Prepared, layer: ChipLayer) -> LayerBlock:
    target: CalibrationTarget = calibration_target(layer, prepared.analog)
    blocks = (b for run in prepared.runs for b in run.placement.blocks if b.part.layer == layer.name)
    block = next(blocks)
    return LayerBlock(
        name=layer.name,
        size=layer.size,
        spiking=layer.spiking,
        tau_mem_us=number(target.tau_mem_us),
        tau_syn_us=number(target.tau_syn_us),
        refractory_us=number(target.refractory_us),
        leak=round(target.leak),
        reset=round(target.reset),
        threshold=round(target.threshold),
        weight_scale=number(layer.weight_scale),
        model_threshold=number(layer.threshold - layer.v_leak),
        model_reset=number(layer.v_reset - layer.v_leak),
        circuits=block.circuits_per_neuron,
        horizontal=len(block.hemispheres) == 1,
    )


def batch_size(prepared: Prepared) -> int:
    """Samples in one run of the chip: as many as its timer allows, at most ``MOST_SAMPLES``."""
    period = prepared.network.sample_us + prepared.network.gap_us
    return max(1, min(MOST_SAMPLES, int(RUNTIME_CYCLES * CYCLE_US / period)))


def number(value: float) -> str:
    """A number as a script shows it, without digits that say nothing.

    >>> number(6.000000000001), number(0.3333333333333)
    ('6.0', '0.333333333333')
    """
    return repr(float(f"{value:.12g}"))
