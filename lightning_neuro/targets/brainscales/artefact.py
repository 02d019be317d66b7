"""Writes the artefact: scripts, weights, recorded samples and what is expected of them, calibration, placement, NIR."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from lightning_neuro import __version__
from lightning_neuro.targets.brainscales.analog import calibration_targets
from lightning_neuro.targets.brainscales.chip_network import SpikeEvents
from lightning_neuro.targets.brainscales.chip_resources import COLUMNS
from lightning_neuro.targets.brainscales.nir_profile import write_nir
from lightning_neuro.targets.brainscales.placement import CSV_COLUMNS, csv_rows
from lightning_neuro.targets.brainscales.prepared import Prepared
from lightning_neuro.targets.brainscales.readme import write_readme
from lightning_neuro.targets.brainscales.script import render_scripts

NETWORK, WEIGHTS, INPUTS, EXPECTED = "network.json", "weights.npz", "inputs.npz", "expected.npz"
CALIBRATION, PLACEMENT = "calibration_target.json", "placement.csv"


def write_artefact(prepared: Prepared, folder: Path) -> None:
    """Write everything into an empty folder.

    Args:
        prepared: the content.
        folder: existing folder.
    """
    for name, text in render_scripts(prepared).items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    np.savez_compressed(folder / WEIGHTS, **weight_arrays(prepared))
    np.savez_compressed(folder / INPUTS, **input_arrays(prepared))
    np.savez_compressed(folder / EXPECTED, **expected_arrays(prepared))
    (folder / NETWORK).write_text(json.dumps(description(prepared), indent=1) + "\n")
    (folder / CALIBRATION).write_text(json.dumps(calibration(prepared), indent=1) + "\n")
    write_placement(prepared, folder / PLACEMENT)
    write_nir(prepared.network, folder)
    write_readme(prepared, folder, {})


def weight_arrays(prepared: Prepared) -> dict[str, Any]:
    """Arrays of ``weights.npz``: int8 LSB per column, the source of each column, and LSB before rounding."""
    arrays: dict[str, Any] = {}
    for (pre, post), columns in prepared.columns.items():
        arrays[f"{pre}-{post}.weights"] = columns.weights
        arrays[f"{pre}-{post}.unrounded"] = columns.unrounded
        arrays[f"{pre}.source"] = columns.source
    return arrays


def input_arrays(prepared: Prepared) -> dict[str, Any]:
    """Arrays of ``inputs.npz``: spikes of the input lines, and labels."""
    return event_arrays(prepared.network.input, prepared.inputs) | {"labels": prepared.job.vectors.labels}


def expected_arrays(prepared: Prepared) -> dict[str, Any]:
    """Arrays of ``expected.npz``: spikes of every layer and classes on a chip without mismatch and noise."""
    arrays: dict[str, Any] = {"labels": prepared.job.vectors.labels, "classes": prepared.expected.classes}
    for name, events in prepared.expected.spikes.items():
        arrays |= event_arrays(name, events)
    return arrays


def event_arrays(name: str, events: SpikeEvents) -> dict[str, Any]:
    """Sample, neuron and time of spikes, as three arrays."""
    return {
        f"{name}.sample": events.sample.astype(np.int32),
        f"{name}.neuron": events.neuron.astype(np.int32),
        f"{name}.time_us": np.round(events.time_us, 6),
    }


def description(prepared: Prepared) -> dict[str, object]:
    """The network as plain values: what somebody needs who writes a script of their own."""
    network, analog = prepared.network, prepared.analog
    targets = {target.layer: target for target in calibration_targets(network, analog)}
    coding = prepared.job.graph.coding
    return {
        "written_by": f"lightning_neuro {__version__}",
        "source_sha256": prepared.job.source_sha256,
        "versions": {name: _version(name) for name in ("lightning-neuro", "numpy", "torch", "nir")},
        "speedup": network.speedup,
        "input": {"name": network.input, "lines": network.lines, "coding": dict(coding)},
        "sample_us": network.sample_us,
        "gap_us": network.gap_us,
        "layers": [
            {
                "name": layer.name,
                "neurons": layer.size,
                "spiking": layer.spiking,
                "tau_mem_us": layer.tau_mem_us,
                "tau_syn_us": layer.tau_syn_us,
                "refractory_us": layer.refractory_us,
                "model": {"threshold": layer.threshold, "leak": layer.v_leak, "reset": layer.v_reset},
                "cadc_lsb": {
                    "threshold": round(targets[layer.name].threshold) if layer.spiking else None,
                    "leak": round(targets[layer.name].leak),
                    "reset": round(targets[layer.name].reset),
                },
                "weight_lsb_per_model_unit": layer.weight_scale,
            }
            for layer in network.layers
        ],
        "projections": [
            {"pre": p.pre, "post": p.post, "largest_lsb": int(np.abs(p.weights).max(initial=0))}
            for p in network.projections
        ],
        "output": network.output,
        "readout": network.readout.value,
        "runs": [[{"layer": p.layer, "first": p.start, "last": p.stop} for p in run.parts] for run in prepared.runs],
        "notes": list(network.notes),
    }


def calibration(prepared: Prepared) -> dict[str, object]:
    """Targets of the calibration: what the whole chip shares, and what each layer's circuits get."""
    analog = prepared.analog
    circuits = circuits_of(prepared)
    return {
        "chip": {
            "i_synin_gm": int(analog.i_synin_gm),
            "synapse_dac_bias": int(analog.synapse_dac_bias),
            "membrane_capacitance": int(analog.membrane_capacitance),
        },
        "units": "leak, reset and threshold in LSB of the CADC; the rest in LSB of the CapMem or as the name says",
        "layers": [
            {
                "name": target.layer,
                "leak": round(target.leak),
                "reset": round(target.reset),
                "threshold": round(target.threshold),
                "tau_mem_s": target.tau_mem_us * 1e-6,
                "tau_syn_s": target.tau_syn_us * 1e-6,
                "refractory_time_s": target.refractory_us * 1e-6,
                "holdoff_time_s": target.holdoff_us * 1e-6,
                "circuits": circuits[target.layer],
            }
            for target in calibration_targets(prepared.network, analog)
        ],
    }


def circuits_of(prepared: Prepared) -> dict[str, list[int]]:
    """Circuits of each layer in any run, 256 times the hemisphere plus the column."""
    found: dict[str, set[int]] = {layer.name: set() for layer in prepared.network.layers}
    for run in prepared.runs:
        for block in run.placement.blocks:
            columns = range(block.first_column, block.stop_column)
            found[block.part.layer] |= {COLUMNS * h + c for h in block.hemispheres for c in columns}
    return {name: sorted(circuits) for name, circuits in found.items()}


def write_placement(prepared: Prepared, path: Path) -> None:
    """Write ``placement.csv``: neurons and sources of every run."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list[str](CSV_COLUMNS))
        writer.writeheader()
        for number, run in enumerate(prepared.runs):
            writer.writerows(csv_rows(number, run.placement))


def described(prepared: Prepared, folder: Path, resources: Mapping[str, object]) -> None:
    """Write the README again, with the numbers of the report."""
    write_readme(prepared, folder, resources)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
