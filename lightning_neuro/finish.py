"""What happens to a checkpoint when training ends: integers are added, NIR is written and proved."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

import nir
import pytorch_lightning as pl

from lightning_neuro.checkpoint import KEY, NetworkRecord, load_checkpoint, record_of, write_checkpoint
from lightning_neuro.collect import Semantics, describe_module
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.errors import ConfigError, NirError
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.compare import Comparison
from lightning_neuro.graph.evaluate import accuracy
from lightning_neuro.graph.export import Description, proved, require_equal
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.quantize import DEFAULT_SPEC, QuantizeRequest, default_spec


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizedResult:
    """Accuracy of a network before and after rounding, by the golden model on the evaluation samples.

    Args:
        float_: share right in real arithmetic (continuous time: event); None without labels.
        quantized: share right in integers (continuous time: with rounded weights); None without labels or with
            analog inputs.
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
    spiking = inputs.spikes.dtype.kind == "u"
    return QuantizedResult(
        float_=accuracy(graph, inputs, "real"),
        quantized=accuracy(quantized, inputs, "fixed") if spiking else None,
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
    temporary = out.with_name(f".{out.name}.partial")
    try:
        comparison = proved(description, temporary)
        require_equal(comparison, str(out))
        os.replace(temporary, out)
    except OSError as error:
        raise NirError(
            "the NIR file could not be written",
            where=str(out),
            why=str(error),
            next_command="free some disk space or choose another folder",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return comparison


def _with_formats(description: Description, record: NetworkRecord) -> Description:
    """The description with the number formats of the checkpoint, so that the file rounds to the same integers."""
    if record.quantized is None:
        return description
    metadata = dataclasses.replace(description.metadata, formats=record.quantized.to_json())
    nodes, edges = description.graph.nodes, description.graph.edges
    graph = nir.NIRGraph(nodes=nodes, edges=edges, metadata=metadata.to_dict(), type_check=False)
    return dataclasses.replace(description, graph=graph, metadata=metadata)
