"""Choose the number widths when training ends; the same function as the command ``lightning-neuro search``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytorch_lightning as pl
from typing_extensions import override

from lightning_neuro.finish import checkpoint_files

if TYPE_CHECKING:
    from lightning_neuro.search.run import Found


class Search(pl.Callback):
    """Search the widths of the best checkpoint at the end of ``fit`` and keep the recommended ones in it.

    Place it after ParameterBuffers, Quantize and ExportNIR, and before ``Deploy(..., ("quantize=recommended",))``, in
    the list of callbacks.

    Args:
        overrides: ``key=value`` strings, for example ``("space.weight_bits=[3,4,5]", "tolerance=0.01")``.

    Attributes:
        found: points, front and recommendation; None before.
        folder: where table and picture are; None before.

    Raises:
        NeuroError: an override is refused, or the checkpoint holds no labelled samples.

    Example:
        >>> Search(("tolerance=0.01",)).overrides
        ('tolerance=0.01',)
    """

    def __init__(self, overrides: Sequence[str] = ()) -> None:
        self.overrides = tuple(overrides)
        self.found: Found | None = None
        self.folder: Path | None = None

    @override
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        from lightning_neuro.commands.search import search_and_show  # imported late: only this callback needs searches

        self.found, self.folder = search_and_show(checkpoint_files(trainer)[0], self.overrides)
