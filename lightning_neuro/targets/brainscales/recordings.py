"""Spikes recorded on a chip, with the network and the inputs that they came from: files of two kinds.

* ``result.npz`` in the folder of an artefact: what its scripts wrote; network and inputs lie beside it.
* an ``.npz`` file of a chain of first-spike layers: ``inputs`` [sample, line] and ``chip_spike_times`` [sample, neuron]
  of the last layer, in units of tau_syn, inf = silent; ``w0``, ``w1``, ... [input, neuron]; ``threshold``,
  ``weight_lsb`` (weight of one LSB), ``tau_us`` (tau_mem = tau_syn).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.errors import DataError, first_line
from lightning_neuro.graph.hardware_graph import ReadoutKind
from lightning_neuro.targets.brainscales.chip_network import ChipLayer, ChipNetwork, ChipProjection, SpikeEvents
from lightning_neuro.targets.brainscales.recording import events_of

LARGEST = 63
SAMPLE_TAUS = 30.0
"""Time constants between two samples of fastAndDeep."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChipRecording:
    """What ran on a chip and what came out.

    Args:
        network: what ran.
        inputs: what it got.
        spikes: recorded, by layer.
    """

    network: ChipNetwork
    inputs: SpikeEvents
    spikes: Mapping[str, SpikeEvents]

    def take(self, samples: NDArray[np.int64]) -> ChipRecording:
        """Some of the samples, numbered anew."""
        return ChipRecording(
            network=self.network,
            inputs=_taken(self.inputs, samples),
            spikes={name: _taken(events, samples) for name, events in self.spikes.items()},
        )


def read_recording(path: Path) -> ChipRecording:
    """Read a recording of either kind.

    Raises:
        DataError: a file is missing, or is not what the module's docstring says.
    """
    beside = path.parent / "network.json"
    try:
        with np.load(path) as file:
            arrays = dict(file)
        return _artefact(arrays, path.parent) if beside.is_file() and "inputs" not in arrays else _chain(arrays)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise DataError(
            f"{path} is no recording of a chip",
            where=str(path),
            why=f"missing or of another form ({first_line(error)})",
            next_command="python run_pynn.py   (in the folder of the artefact, with a chip; writes result.npz)",
        ) from None


def _chain(arrays: Mapping[str, NDArray[Any]]) -> ChipRecording:
    tau, lsb = float(arrays["tau_us"]), float(np.ravel(arrays["weight_lsb"])[0])
    weights = [arrays[f"w{k}"] for k in range(sum(key[:1] == "w" and key[1:].isdigit() for key in arrays))]
    names = ["input", *(f"layer{k}" for k in range(1, len(weights) + 1))]
    layers = tuple(
        ChipLayer(
            name=name,
            size=weight.shape[1],
            spiking=True,
            tau_mem_us=tau,
            tau_syn_us=tau,
            threshold=float(arrays["threshold"]),
            v_leak=0.0,
            v_reset=0.0,
            refractory_us=SAMPLE_TAUS * tau,
            weight_scale=1 / lsb,
        )
        for name, weight in zip(names[1:], weights, strict=True)
    )
    network = ChipNetwork(
        input="input",
        lines=weights[0].shape[0],
        layers=layers,
        projections=tuple(
            ChipProjection(pre=pre, post=post, weights=np.clip(np.rint(weight.T / lsb), -LARGEST, LARGEST))
            for pre, post, weight in zip(names, names[1:], weights, strict=False)
        ),
        output=names[-1],
        readout=ReadoutKind.FIRST_SPIKE,
        sample_us=SAMPLE_TAUS * tau,
        gap_us=0.0,
        speedup=1000.0,
        notes=(),
    )
    spikes = {names[-1]: events_of(arrays["chip_spike_times"] * tau)}
    return ChipRecording(network=network, inputs=events_of(arrays["inputs"] * tau), spikes=spikes)


def _artefact(result: Mapping[str, NDArray[Any]], folder: Path) -> ChipRecording:
    described = json.loads((folder / "network.json").read_text())
    with np.load(folder / "weights.npz") as file:
        weights = dict(file)
    with np.load(folder / "inputs.npz") as file:
        inputs = dict(file)
    network = _described(described, weights)
    samples = len(result["labels"])
    recorded = {layer.name: layer.size for layer in network.layers if f"{layer.name}.time_us" in result}
    return ChipRecording(
        network=network,
        inputs=_taken(_events(inputs, network.input, len(inputs["labels"]), network.lines), np.arange(samples)),
        spikes={name: _events(result, name, samples, size) for name, size in recorded.items()},
    )


def _described(described: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> ChipNetwork:
    sizes = {described["input"]["name"]: described["input"]["lines"]}
    sizes |= {layer["name"]: layer["neurons"] for layer in described["layers"]}
    layers = tuple(
        ChipLayer(
            name=layer["name"],
            size=layer["neurons"],
            spiking=layer["spiking"],
            tau_mem_us=layer["tau_mem_us"],
            tau_syn_us=layer["tau_syn_us"],
            threshold=layer["model"]["threshold"],
            v_leak=layer["model"]["leak"],
            v_reset=layer["model"]["reset"],
            refractory_us=layer["refractory_us"],
            weight_scale=layer["weight_lsb_per_model_unit"],
        )
        for layer in described["layers"]
    )
    return ChipNetwork(
        input=described["input"]["name"],
        lines=described["input"]["lines"],
        layers=layers,
        projections=tuple(_projection(p["pre"], p["post"], weights, sizes) for p in described["projections"]),
        output=described["output"],
        readout=ReadoutKind(described["readout"]),
        sample_us=described["sample_us"],
        gap_us=described["gap_us"],
        speedup=described["speedup"],
        notes=(),
    )


def _projection(pre: str, post: str, weights: Mapping[str, NDArray[Any]], sizes: Mapping[str, int]) -> ChipProjection:
    """All columns of a source added up."""
    total = np.zeros((sizes[post], sizes[pre]), np.int64)
    np.add.at(total.T, weights[f"{pre}.source"].astype(int), weights[f"{pre}-{post}.weights"].T.astype(np.int64))
    return ChipProjection(pre=pre, post=post, weights=total)


def _events(arrays: Mapping[str, NDArray[Any]], name: str, samples: int, size: int) -> SpikeEvents:
    sample, neuron, time = (arrays[f"{name}.{key}"] for key in ("sample", "neuron", "time_us"))
    return SpikeEvents(sample=sample, neuron=neuron, time_us=time, samples=samples, size=size)


def _taken(events: SpikeEvents, samples: NDArray[np.int64]) -> SpikeEvents:
    number = np.full(events.samples, -1)
    number[samples] = np.arange(len(samples))
    kept = number[events.sample] >= 0
    return SpikeEvents(
        sample=number[events.sample[kept]],
        neuron=events.neuron[kept],
        time_us=events.time_us[kept],
        samples=len(samples),
        size=events.size,
    )
