"""Write and prove the artefact when training ends; the same function as the command ``deploy``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
from typing_extensions import override

from lightning_neuro.finish import checkpoint_files
from lightning_neuro.report import Report


class Deploy(pl.Callback):
    """Deploy the best checkpoint at the end of ``fit``.

    Place it after ParameterBuffers and Quantize in the list of callbacks.

    Args:
        target: name of the target, as in ``deploy PATH target=NAME``.
        overrides: further ``key=value`` strings, for example ``("target.lanes=16", "verify.samples=5")``.

    Attributes:
        report: what was proved; None before.
        folder: where the artefact is; None before.

    Raises:
        NeuroError: the network is refused.

    Example:
        >>> Deploy(target="fpga", overrides=("target.lanes=16",)).overrides
        ('target=fpga', 'target.lanes=16')
    """

    def __init__(self, target: str, overrides: Sequence[str] = ()) -> None:
        self.overrides = (f"target={target}", *overrides)
        self.report: Report | None = None
        self.folder: Path | None = None

    @override
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        from lightning_neuro.commands.deploy import deploy_and_show  # imported late: only this callback deploys

        self.report, self.folder = deploy_and_show(checkpoint_files(trainer)[0], self.overrides)
