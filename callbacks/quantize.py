"""Round the trained network to integers when training ends, and say what that costs."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_info
from typing_extensions import override

from lightning_neuro.finish import QuantizedResult, checkpoint_files, quantize_checkpoint
from lightning_neuro.graph.widths import QuantizeRequest
from lightning_neuro.quantization_aware import trained_or


class Quantize(pl.Callback):
    """Add integer weights and number formats to the best and the last checkpoint at the end of ``fit``.

    Lightning calls ``on_fit_end`` after the last checkpoint was written, so the files themselves are rewritten, each
    in one move. Training is not touched.

    Args:
        weight_bits: bits of a weight, sign included, 2..16; None takes 6, or 10 for a network of spike times.
        state_bits: bits of a membrane, sign included, 4..32; None takes 12, or 28 for a network of spike times.
        leak_bits: largest shift of a leak that is not 1 - 2**-k, 1..16; None takes 8, or 16 for a network
            of spike times.

    What is left open comes from training with rounding (``model.quantize``, ``QuantizationAware``) where there was any.
    Each is one number, or a list with one number per population, in order.

    A network in continuous time has its weights rounded and nothing else; its membranes become integers when it is
    deployed to hardware that advances in steps, with ``state_bits``.

    Attributes:
        result: accuracies of the best checkpoint after ``fit``; None before.

    Raises:
        ConfigError: a width is out of range.

    Example:
        >>> Quantize(weight_bits=4).widths.weight_bits
        4
    """

    def __init__(
        self,
        weight_bits: int | Sequence[int] | None = None,
        state_bits: int | Sequence[int] | None = None,
        leak_bits: int | Sequence[int] | None = None,
    ) -> None:
        self.widths = QuantizeRequest(weight_bits=weight_bits, state_bits=state_bits, leak_bits=leak_bits)
        self.widths.check()  # refuses widths out of range now, not when training has ended
        self.result: QuantizedResult | None = None

    @override
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        best, *others = checkpoint_files(trainer)
        widths = trained_or(self.widths, pl_module)
        self.result = quantize_checkpoint(best, widths)
        for path in others:
            quantize_checkpoint(path, widths)
        rank_zero_info(f"quantised {best}: {self.result}")
