"""The checkpoint border: what deployment needs, as plain values beside Lightning's own state.

A Lightning checkpoint gets one more key, ``lightning_neuro``: the network as NIR with its metadata, the evaluation
spikes, and the integers of the quantised network. Everything in it loads with ``torch.load(weights_only=True)``.
"""

from __future__ import annotations

import dataclasses
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch

from lightning_neuro import __version__
from lightning_neuro.data.spike_set import Packed, SpikeSet
from lightning_neuro.data.spike_time_set import KIND as TIMES
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.errors import CheckpointError, DataError, first_line
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.stored import StoredQuantization
from lightning_neuro.publish import whole_file
from lightning_neuro.schemas import CHECKPOINT as SCHEMA
from lightning_neuro.schemas import refuse_newer

KEY = "lightning_neuro"
CURVE = "curve"  # of what a conversion adds

Plain = dict[str, Any]

Inputs = SpikeSet | SpikeTimeSet
"""Recorded network inputs: rasters, or in continuous time the spike times of the input lines in seconds."""


def first_samples(inputs: Inputs, count: int) -> Inputs:
    """The first samples of a set."""
    if isinstance(inputs, SpikeTimeSet):
        return inputs.take(slice(count))
    return SpikeSet(spikes=inputs.spikes[:count], labels=inputs.labels[:count])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkRecord:
    """A network as a checkpoint or a NIR file holds it.

    Args:
        graph: NIR graph in real numbers.
        metadata: dt, resets, read-out, coding.
        evaluation: encoded test samples; None in a foreign file.
        calibration: encoded training samples for ranges of read-out membranes; None in a foreign file.
        quantized: formats and integers chosen at fit end; None when the network was not quantised.
        recommended: those that a search found cheapest within its tolerance; None where nobody searched.
        curve: accuracy against time steps of a network converted from an ANN; None for others.
    """

    graph: nir.NIRGraph
    metadata: Metadata
    evaluation: Inputs | None
    calibration: Inputs | None
    quantized: StoredQuantization | None
    recommended: StoredQuantization | None = None
    curve: AccuracyCurve | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyCurve:
    """Accuracy of a network converted from an ANN, on the evaluation samples.

    Args:
        steps: numbers of time steps T, rising.
        accuracy: at each of them, 0..1.
        ann: accuracy of the ANN, 0..1.
        chosen: T that the network was converted for.
    """

    steps: tuple[int, ...]
    accuracy: tuple[float, ...]
    ann: float
    chosen: int

    def to_plain(self) -> Plain:
        """Plain values."""
        return {**dataclasses.asdict(self), "steps": list(self.steps), "accuracy": list(self.accuracy)}

    @staticmethod
    def from_plain(values: Mapping[str, Any]) -> AccuracyCurve:
        """Rebuild what ``to_plain`` wrote."""
        return AccuracyCurve(
            steps=tuple(int(step) for step in values["steps"]),
            accuracy=tuple(float(value) for value in values["accuracy"]),
            ann=float(values["ann"]),
            chosen=int(values["chosen"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InputSets:
    """Inputs that travel in the checkpoint.

    Args:
        evaluation: test samples.
        calibration: training samples.
        coding: how data became spikes, plain values.
    """

    evaluation: Inputs
    calibration: Inputs
    coding: dict[str, str | int | float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedInputs:
    """Evaluation and calibration inputs packed once, for all checkpoints of a run.

    Args:
        evaluation, calibration: ``SpikeSet.pack()``; None when there are none.
        coding: input coding as plain values.
    """

    evaluation: Packed | None
    calibration: Packed | None
    coding: dict[str, str | int | float]

    @staticmethod
    def of(inputs: InputSets) -> PackedInputs:
        """Pack the sets of a run."""
        return PackedInputs(
            evaluation=inputs.evaluation.pack(), calibration=inputs.calibration.pack(), coding=inputs.coding
        )


def to_plain(
    graph: nir.NIRGraph, metadata: Metadata, inputs: PackedInputs, quantized: StoredQuantization | None
) -> Plain:
    """A network as tensors, strings and numbers, for the key ``KEY`` of a checkpoint."""
    return {
        "schema": SCHEMA,
        "version": __version__,
        "nir": nir_to_plain(graph),
        "metadata": metadata.to_dict(),
        "evaluation": inputs.evaluation,
        "calibration": inputs.calibration,
        "quantized": None if quantized is None else quantized.to_plain(),
    }


def unconverted() -> Plain:
    """The record of an ANN that is still in training: a spiking network is written when training ends."""
    return {"schema": SCHEMA, "version": __version__, "nir": None}


def from_plain(values: Mapping[str, Any], where: str) -> NetworkRecord:
    """Rebuild a record from what ``to_plain`` wrote.

    Raises:
        CheckpointError: a part is missing, damaged or newer than this program.
    """
    refuse_newer(values.get("schema"), SCHEMA, kind=CheckpointError, what="checkpoint", where=where)
    if "nir" in values and values["nir"] is None:
        raise CheckpointError(
            "this checkpoint holds an ANN that was not converted to a spiking network",
            where=where,
            why="its training was stopped; the conversion comes when training ends",
            next_command=f"python train.py ckpt_path={where}   (with the run's own options: trains on, then converts)",
        )
    try:
        packed = {name: values[name] for name in ("evaluation", "calibration")}
        stored, recommended = values["quantized"], values.get("recommended")  # not in files nobody searched
        return NetworkRecord(
            graph=nir_from_plain(values["nir"]),
            metadata=Metadata.from_dict(values["metadata"], where),
            evaluation=_unpacked(packed["evaluation"]),
            calibration=_unpacked(packed["calibration"]),
            quantized=None if stored is None else StoredQuantization.from_plain(stored),
            recommended=None if recommended is None else StoredQuantization.from_plain(recommended),
            curve=AccuracyCurve.from_plain(values[CURVE]) if values.get(CURVE) else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError, AssertionError, DataError) as error:
        raise CheckpointError(
            f"the network description in the checkpoint is damaged: {type(error).__name__}: {error}",
            where=where,
            why="weights, neuron constants, evaluation spikes and formats are all needed to prove an artefact",
            next_command="train again: python train.py model=lif",
        ) from error


def _unpacked(packed: Mapping[str, Any] | None) -> Inputs | None:
    if packed is None:
        return None
    return (SpikeTimeSet if packed["kind"] == TIMES else SpikeSet).unpack(packed)


def load_record(path: Path) -> NetworkRecord:
    """Read the record from a checkpoint file.

    Raises:
        CheckpointError: missing, damaged, foreign, or written without the callbacks.
    """
    return record_of(load_checkpoint(path), path)


def record_of(checkpoint: Plain, path: Path) -> NetworkRecord:
    """The record in a loaded checkpoint; ``path`` names it in messages.

    Raises:
        CheckpointError: foreign, damaged, or written without the callbacks.
    """
    if KEY not in checkpoint:
        raise CheckpointError(
            f"no network description (key {KEY!r}) in this checkpoint",
            where=str(path),
            why="it was saved without the ParameterBuffers callback, or with save_weights_only=True, which leaves out "
            "what callbacks add; neuron constants, dt and resets are not in it",
            next_command="add lightning_neuro.callbacks.ParameterBuffers() to Trainer(callbacks=[...]) and save again",
        )
    return from_plain(checkpoint[KEY], str(path))


def load_checkpoint(path: Path) -> Plain:
    """Load a checkpoint file without running any code from it.

    Raises:
        CheckpointError: the file is absent, not a torch file, truncated, or holds objects beyond plain values.
    """
    if not path.is_file():
        raise CheckpointError(
            "no such checkpoint",
            where=str(path),
            why=_what_is_there(path),
            next_command="python train.py model=lif trainer.max_epochs=50",
        )
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if zipfile.is_zipfile(path):
            raise _unsafe(path, error) from error
        raise _damaged(path, error) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error
    if not isinstance(checkpoint, dict):
        raise _damaged(path, TypeError(f"holds a {type(checkpoint).__name__}, not a dictionary"))
    return checkpoint


def write_checkpoint(checkpoint: Plain, path: Path) -> None:
    """Replace a checkpoint file in one move, so that a crash or a full disk leaves the old one.

    Raises:
        CheckpointError: the file cannot be written.
    """
    try:
        with whole_file(path) as temporary:
            torch.save(checkpoint, temporary)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            "the checkpoint could not be written",
            where=str(path),
            why=first_line(error),
            next_command="free some disk space or choose another folder; the previous checkpoint is untouched",
        ) from error


def _damaged(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        "this is not a readable checkpoint",
        where=str(path),
        why=f"truncated or not written by torch.save ({first_line(error)})",
        next_command="use another checkpoint of the run (last.ckpt), or train again",
    )


def _unsafe(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        "this checkpoint holds objects other than tensors and plain values",
        where=str(path),
        why=f"loading them would run code from the file ({first_line(error)})",
        next_command="save hyperparameters as plain numbers, strings, lists and dictionaries and train again",
    )


def _what_is_there(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"the folder {folder} does not exist"
    found = sorted(p.name for p in folder.glob("*.ckpt"))
    return f"checkpoints in {folder}: {', '.join(found) or 'none'}"


def nir_to_plain(graph: nir.NIRGraph) -> Plain:
    """A flat NIR graph as tensors, strings and lists."""
    nodes = {name: _node_to_plain(node.to_dict()) for name, node in graph.nodes.items()}
    return {"nodes": nodes, "edges": [list(edge) for edge in graph.edges]}


def _node_to_plain(node: Mapping[str, Any]) -> Plain:
    return {key: _plain(value) for key, value in node.items() if key != "metadata" and value is not None}


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.array(value))
    return value.item() if isinstance(value, np.generic) else value


def nir_from_plain(values: Mapping[str, Any]) -> nir.NIRGraph:
    """Rebuild what ``nir_to_plain`` wrote."""
    nodes = {
        name: nir.dict2NIRNode({k: v.numpy() if isinstance(v, torch.Tensor) else v for k, v in node.items()})
        for name, node in values["nodes"].items()
    }
    return nir.NIRGraph(nodes=nodes, edges=[(str(a), str(b)) for a, b in values["edges"]], type_check=False)
