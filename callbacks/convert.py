"""Convert the trained ANN to a spiking network when training ends."""

from __future__ import annotations

import dataclasses

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_info
from typing_extensions import override

from lightning_neuro.callbacks.quantize import Quantize
from lightning_neuro.convert.checkpoints import check_convertible, convert_checkpoints
from lightning_neuro.convert.plan import ConversionPlan
from lightning_neuro.convert.result import ConversionResult
from lightning_neuro.finish import checkpoint_files


class ConvertAtFitEnd(pl.Callback):
    """Convert the ANN in the best and the last checkpoint at the end of ``fit``, and measure the spiking network.

    Normalisation is folded, thresholds come from training data, and the spiking network is written into the
    checkpoints, from where Quantize, ExportNIR, Deploy and the command ``deploy`` take it: place it before them. The
    ANN is ``module.ann`` where the LightningModule has that (with ``module.ann_inputs``, which turns the first element
    of a batch into its inputs), else the module itself.

    Args:
        plan: the conversion and what is measured; None takes the module's ``conversion``, else the recommended one.
        dt: length of a step in seconds; None takes 1 ms, which only names the unit of time.

    Attributes:
        result: networks, accuracies and statistics of the best checkpoint after ``fit``; None before.

    Raises:
        GraphError: operations of the ANN have no spiking form; raised before training starts.

    Example:
        >>> from lightning_neuro.convert import DEFAULT
        >>> ConvertAtFitEnd(ConversionPlan(options=DEFAULT.replace(steps=4))).plan.options.steps
        4
    """

    def __init__(self, plan: ConversionPlan | None = None, dt: float | None = None) -> None:
        self.plan, self.dt = plan, dt
        self.result: ConversionResult | None = None

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        check_convertible(trainer, pl_module, self._plan(trainer, pl_module))

    @override
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        plan = self._plan(trainer, pl_module)
        self.result = convert_checkpoints(checkpoint_files(trainer), trainer, pl_module, plan, self.dt)
        numbers = self.result.numbers()
        for logger in trainer.loggers:
            logger.log_metrics(numbers, step=trainer.global_step)
        rank_zero_info(f"converted {checkpoint_files(trainer)[0]} in {self.result.seconds:.1f} s")

    def _plan(self, trainer: pl.Trainer, module: pl.LightningModule) -> ConversionPlan:
        """The plan, with channels scaled for the width of weights that the run's Quantize callback names."""
        found = self.plan or getattr(module, "conversion", None)
        plan = found if isinstance(found, ConversionPlan) else ConversionPlan()
        bits = [c.widths.weight_bits for c in trainer.callbacks if isinstance(c, Quantize)]  # type: ignore[attr-defined]
        if not bits or bits[0] is None:
            return plan
        named = bits[0] if isinstance(bits[0], int) else max(bits[0])
        return dataclasses.replace(plan, options=plan.options.replace(weight_bits=named))


def conversion_of(trainer: pl.Trainer) -> ConversionResult | None:
    """What the run's ConvertAtFitEnd callback found; None without one."""
    found = [c.result for c in trainer.callbacks if isinstance(c, ConvertAtFitEnd)]  # type: ignore[attr-defined]
    return found[0] if found else None
