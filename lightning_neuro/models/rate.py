"""An ANN classifier whose activations become firing rates: trained as usual, converted when training ends.

    a[l] = h(W[l] a[l-1] + b[l])        h = max(0, z), or QCFS: lambda / L clip(ceil(z L / lambda - 1/2), 0, L)

After T steps an integrate-and-fire neuron with threshold theta, reset by subtraction and N spikes has, summed over its
steps, theta N / T = W (theta N / T of the layer before) + b - (v[T] - v[0]) / T: its rate is the ANN's activation up to
what is left in the membrane. The conversion is ``lightning_neuro.convert``, the callback ``ConvertAtFitEnd``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from lightning_neuro.convert.plan import ConversionPlan
from lightning_neuro.errors import ConfigError
from lightning_neuro.models.rate_network import AnnOptions, build_ann
from lightning_neuro.models.schedule import SCHEDULES, make_schedule
from lightning_neuro.neurons.lif import check_choice
from lightning_neuro.parallel.ranks import mean_losses


class RateClassifier(pl.LightningModule):
    """An ANN on intensities, to be converted to a spiking network; equations in the module docstring.

    Args:
        input_shape: of one sample, (channels, rows, columns) or (inputs,).
        classes: how many.
        network: layers as plain mappings, see :func:`build_ann`.
        norm, activation, levels, clip, dropout: see :class:`AnnOptions`.
        label_smoothing: 0..1.
        lr: largest learning rate of AdamW.
        weight_decay: of AdamW, on weights alone.
        schedule: "one_cycle", "cosine" or "constant".
        conversion: fields of :class:`ConversionPlan` that differ from its defaults, as plain values.

    Raises:
        ConfigError: an option is unknown or out of range, or a layer does not fit the one before.
    """

    input_kind = "intensity"

    def __init__(
        self,
        *,
        input_shape: Sequence[int],
        classes: int,
        network: Sequence[Mapping[str, Any]],
        norm: bool,
        activation: str,
        levels: int,
        clip: float,
        dropout: float,
        label_smoothing: float,
        lr: float,
        weight_decay: float,
        schedule: str,
        conversion: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.save_hyperparameters()  # plain numbers, strings, lists and mappings: loads with weights_only=True
        check_choice("schedule", schedule, tuple(SCHEDULES))
        _check_ranges(lr=(lr, lr > 0, "> 0"), weight_decay=(weight_decay, weight_decay >= 0, ">= 0"))
        self.input_shape = tuple(input_shape)
        self.ann = build_ann(
            self.input_shape,
            classes,
            network,
            AnnOptions(activation=activation, levels=levels, clip=clip, norm=norm, dropout=dropout),
        )
        self.conversion = ConversionPlan.of(conversion)  # refused now, not when training has ended
        self.lr, self.weight_decay, self.schedule = lr, weight_decay, schedule
        self.loss = nn.CrossEntropyLoss(label_smoothing=label_smoothing)
        self.mean_loss = mean_losses()
        self.accuracy = nn.ModuleDict(
            {f"{split}_split": MulticlassAccuracy(classes, average="micro") for split in ("train", "val", "test")}
        )

    def ann_inputs(self, batch: Tensor) -> Tensor:
        """Return a batch of the data module [batch, 1, n] as the ANN takes it, [batch, *input_shape]."""
        return batch.reshape(-1, *self.input_shape)

    def forward(self, intensities: Tensor) -> Tensor:
        """Return scores [batch, class] of intensities [batch, 1, n], [batch, n] or [batch, *input_shape]."""
        return self.ann(self.ann_inputs(intensities))

    def _step(self, batch: tuple[Tensor, Tensor], split: str) -> Tensor:
        intensities, labels = batch
        scores = self(intensities)
        loss = self.loss(scores, labels)
        metric = self.accuracy[f"{split}_split"]
        metric.update(scores.detach().argmax(1), labels)  # type: ignore[operator]
        self.log(f"{split}/accuracy", metric, on_step=False, on_epoch=True, prog_bar=True)  # type: ignore[arg-type]
        mean = self.mean_loss[f"{split}_split"]
        mean.update(loss.detach(), len(labels))  # type: ignore[operator]
        self.log(f"{split}/loss", mean, on_step=False, on_epoch=True, prog_bar=split == "val")  # type: ignore[arg-type]
        return loss

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch (intensities [batch, 1, n], labels [batch])."""
        return self._step(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log accuracy and loss."""
        self._step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log accuracy and loss."""
        self._step(batch, "test")

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the class numbers [batch]."""
        return self(batch[0]).argmax(1)

    def configure_optimizers(self) -> Any:
        """AdamW; decay acts on weights, not on biases, normalisation and clipping levels."""
        groups = [
            {"params": [p for p in self.parameters() if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in self.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.lr, fused=True)
        return make_schedule(self.schedule, optimizer, int(self.trainer.estimated_stepping_batches))


def _check_ranges(**checks: tuple[float, bool, str]) -> None:
    for name, (value, holds, needed) in checks.items():
        if not holds:
            raise ConfigError(
                f"{name}={value} must be {needed}",
                where=f"model.{name}",
                why="it makes no sense otherwise",
                next_command=f"remove model.{name} to use the default",
            )
