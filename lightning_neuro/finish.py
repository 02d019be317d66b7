"""What happens to a checkpoint when training ends: integers are added, NIR is written and proved."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nir
import pytorch_lightning as pl

from lightning_neuro.checkpoint import KEY, NetworkRecord, load_checkpoint, record_of, write_checkpoint
from lightning_neuro.collect import Semantics, describe_module
from lightning_neuro.convert.proof import compare_conversion
from lightning_neuro.convert.result import ConversionResult
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.compare import Comparison
from lightning_neuro.graph.evaluate import accuracy
from lightning_neuro.graph.export import Description, proved, require_equal
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.graph.nir_hdf5 import write_graph
from lightning_neuro.graph.quantize import default_spec
from lightning_neuro.graph.widths import DEFAULT_SPEC, QuantizeRequest
from lightning_neuro.publish import nir_file


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedResult:
    """Accuracy of a network before and after rounding, by the golden model on the evaluation samples.

    Args:
        float_: share right in real arithmetic (continuous time: event); None without labels.
        quantized: share right in integers (continuous time: with rounded weights); None without labels.
        samples: how many.
    """

    float_: float | None
    quantized: float | None
    samples: int


def checkpoint_files(trainer: pl.Trainer) -> tuple[Path, ...]:
    """Best checkpoint first, then the last; files that exist.

    Raises:
        ConfigError: the trainer saved no checkpoint.
    """
    callback = trainer.checkpoint_callback
    names = [getattr(callback, "best_model_path", ""), getattr(callback, "last_model_path", "")]
    files = tuple(dict.fromkeys(Path(name) for name in names if name and Path(name).is_file()))
    if not files:
        raise ConfigError(
            "the run saved no checkpoint",
            where="Trainer",
            why="quantisation, export and deployment start from a checkpoint",
            next_command="Trainer(enable_checkpointing=True), or add a ModelCheckpoint callback",
        )
    return files


def quantize_checkpoint(path: Path, widths: QuantizeRequest) -> QuantizedResult:
    """Add integer weights and formats to a checkpoint and measure what rounding costs.

    Args:
        path: checkpoint written with the ParameterBuffers callback; replaced in one move.
        widths: what was asked for; the rest as the kind of network needs it.
    """
    checkpoint = load_checkpoint(path)
    record = record_of(checkpoint, path)
    graph = lower(record.graph, record.metadata)
    chosen = widths.over(default_spec(graph, DEFAULT_SPEC), [p.name for p in graph.populations])
    quantized, stored = quantize_network(graph, chosen, record.calibration)
    checkpoint[KEY]["quantized"] = stored.to_plain()
    write_checkpoint(checkpoint, path)
    inputs = record.evaluation
    if inputs is None:
        return QuantizedResult(float_=None, quantized=None, samples=0)
    if isinstance(inputs, SpikeTimeSet):
        return QuantizedResult(
            float_=accuracy(graph, inputs, "event"), quantized=accuracy(quantized, inputs, "event"), samples=len(inputs)
        )
    return QuantizedResult(
        float_=accuracy(graph, inputs, "real"),
        quantized=accuracy(quantized, inputs, "fixed"),
        samples=len(inputs),
    )


def export_checkpoint(
    path: Path, out: Path, trainer: pl.Trainer, module: pl.LightningModule, semantics: Semantics
) -> Comparison:
    """Write a checkpoint's network as NIR, read the file back, and compare its spikes with torch's.

    The module gets the checkpoint's weights for the comparison and its own back afterwards. The file appears only
    when every spike agreed.

    Args:
        path: checkpoint.
        out: NIR file to write.
        trainer, module: the run; one of its batches is compared.
        semantics: dt and read-out that the module does not state.

    Raises:
        NirError: torch and the file disagree about a spike.
    """
    checkpoint = load_checkpoint(path)
    record = record_of(checkpoint, path)
    own = {name: value.clone() for name, value in module.state_dict().items()}
    try:
        module.load_state_dict(checkpoint["state_dict"])
        description = _with_formats(describe_module(trainer, module, semantics, dict(record.metadata.coding)), record)
    finally:
        module.load_state_dict(own)
    return _kept_if_equal(out, lambda temporary: proved(description, temporary))


def export_conversion(path: Path, out: Path, conversion: ConversionResult) -> Comparison:
    """Write a converted network as NIR, read the file back, and compare its spikes with those of the conversion.

    Args:
        path: checkpoint that the conversion wrote.
        out: NIR file to write; it appears only when all spikes agreed.
        conversion: what came out of it.

    Raises:
        NirError: conversion and file disagree about a number of spikes.
    """
    record = record_of(load_checkpoint(path), path)
    graph = _graph_with_formats(record.graph, record.metadata, record)

    def write(temporary: Path) -> Comparison:
        write_graph(temporary, graph)
        return compare_conversion(lower(*read_nir(temporary, dt_s=None)), record, conversion)

    return _kept_if_equal(out, write)


def _kept_if_equal(out: Path, write: Callable[[Path], Comparison]) -> Comparison:
    """Let ``write`` write a file under another name and compare it; move it to its place when all was equal."""
    with nir_file(out, "free some disk space or choose another folder") as temporary:
        comparison = write(temporary)
        require_equal(comparison, str(out))
    return comparison


def _with_formats(description: Description, record: NetworkRecord) -> Description:
    """The description with the number formats of the checkpoint, so that the file rounds to the same integers."""
    if record.quantized is None:
        return description
    graph = _graph_with_formats(description.graph, description.metadata, record)
    metadata = dataclasses.replace(description.metadata, formats=record.quantized.to_json())
    return dataclasses.replace(description, graph=graph, metadata=metadata)


def _graph_with_formats(graph: nir.NIRGraph, metadata: Metadata, record: NetworkRecord) -> nir.NIRGraph:
    formats = "" if record.quantized is None else record.quantized.to_json()
    plain = dataclasses.replace(metadata, formats=formats).to_dict()
    return nir.NIRGraph(nodes=graph.nodes, edges=graph.edges, metadata=plain, type_check=False)
