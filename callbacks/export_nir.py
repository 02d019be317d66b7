"""Write the best network as NIR when training ends, after comparing its spikes with torch's."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_info
from typing_extensions import override

from lightning_neuro.callbacks.convert import conversion_of
from lightning_neuro.collect import Semantics
from lightning_neuro.finish import checkpoint_files, export_checkpoint, export_conversion
from lightning_neuro.graph.compare import Comparison


class ExportNIR(pl.Callback):
    """Write ``best.nir`` beside the best checkpoint at the end of ``fit``.

    The file is read back and run in the golden model on one batch; it is kept only when every spike equals torch's.

    Args:
        path: file to write; None puts it beside the checkpoint, with its name.

    Attributes:
        file: the file written; None before.
        comparison: outcome of the read-back check; None before.

    Raises:
        NirError: the network cannot be said in NIR, or the file does not repeat its spikes.

    Example:
        >>> ExportNIR(path="lif.nir").path.name
        'lif.nir'
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = None if path is None else Path(path)
        self.file: Path | None = None
        self.comparison: Comparison | None = None

    @override
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        best = checkpoint_files(trainer)[0]
        out = self.path or best.with_suffix(".nir")
        conversion = conversion_of(trainer)
        if conversion is None:
            self.comparison = export_checkpoint(best, out, trainer, pl_module, semantics_of(trainer))
        else:
            self.comparison = export_conversion(best, out, conversion)
        self.file = out
        rank_zero_info(f"wrote {out}: {self.comparison}")


def semantics_of(trainer: pl.Trainer) -> Semantics:
    """What the run's ParameterBuffers callback was told about the network."""
    from lightning_neuro.callbacks.parameter_buffers import ParameterBuffers

    found = [c for c in trainer.callbacks if isinstance(c, ParameterBuffers)]  # type: ignore[attr-defined]
    return found[0].semantics if found else Semantics(dt_s=None, readout=None)
