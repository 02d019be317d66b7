"""Train anybody's module with integers: weights are rounded in every forward pass, as deployment will round them."""

from __future__ import annotations

import pytorch_lightning as pl
from typing_extensions import override

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons.rounded_weights import Scale
from lightning_neuro.quantization_aware import Rounded, parse_widths, train_rounded


class QuantizationAware(pl.Callback):
    """Round the weights of all linear and convolutional layers of a module while it is trained and after.

    The float weights stay the parameters (``torch.nn.utils.parametrize``); gradients pass the rounding straight
    through. Membranes of our own LIF layers are integers in training too where their bits are named; neurons of other
    libraries keep real membranes. When training has ended, ``Quantize`` and ``deploy`` find the weights on their grid
    and keep them.

    Args:
        widths: ``w4``, ``w4v8`` or ``w4v8d3``: bits of a weight, of a membrane, largest shift of a leak.
        scale: "searched" or "learned", how the LSB of the weights is found.

    Raises:
        ConfigError: the widths have another form or are out of range, or the module is trained with others already.

    Example:
        >>> QuantizationAware("w4v8").widths.weight_bits
        4
    """

    def __init__(self, widths: str, scale: Scale = "searched") -> None:
        self.widths = parse_widths(widths)
        self.scale: Scale = scale

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if not isinstance(pl_module, Rounded):  # in every stage: checkpoints of rounded layers fit rounded layers only
            train_rounded(pl_module, self.widths, self.scale)
            pl_module.trained_widths = self.widths  # type: ignore[assignment]  # a plain attribute
        elif pl_module.trained_widths != self.widths:
            raise ConfigError(
                f"the module is trained with {pl_module.trained_widths} already, not with {self.widths}",
                where="QuantizationAware",
                why="its weights can be rounded in one way only",
                next_command="a module made anew, or the same widths again",
            )
