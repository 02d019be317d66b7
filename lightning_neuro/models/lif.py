"""A classifier of fully connected layers of leaky integrate-and-fire neurons.

Per layer and step t, from zero state, with s_in the spikes of the layer before (or of the data) at that step:

    x[t] = W s_in[t] (+ b)                          drive
    i[t] = alpha i[t-1] + x[t]                      current, alpha = 1 - dt / tau_syn; delta synapse: i = x
    v[t] = beta v[t-1] + i[t]                       membrane, beta = 1 - dt / tau_mem
    s[t] = v[t] > threshold                         spike
    zero: v[t] <- 0 where s[t]; subtract: v[t] <- v[t] - threshold where s[t]; reset_delay 1: at the next step

Read-outs and losses: ``readout``. The backward pass of a layer: ``lightning_neuro.neurons.sequence``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy

from lightning_neuro.errors import ConfigError
from lightning_neuro.models.activity import Activity
from lightning_neuro.models.lif_on_chips import LIFOnChips
from lightning_neuro.models.network import NeuronOptions, build
from lightning_neuro.models.readout import MEMBRANE_READOUTS, READOUTS, decide, make_loss
from lightning_neuro.models.schedule import make_schedule
from lightning_neuro.neurons.lif import check_choice
from lightning_neuro.neurons.rounded_weights import float_weight
from lightning_neuro.parallel.ranks import mean_losses
from lightning_neuro.quantization_aware import parse_widths, train_rounded


class LIFClassifier(pl.LightningModule):
    """Layers of LIF neurons with a read-out over classes; equations in the module docstring.

    Args:
        layers: sizes, input first, classes last.
        neuron, tau_syn, dt, threshold, reset, reset_delay, learn_beta, learn_alpha, learn_threshold,
            beta_constraint, surrogate, surrogate_slope: see :class:`NeuronOptions`.
        beta: share of the membrane kept per step, one number or one per layer of neurons.
        bias: whether linear layers have one.
        readout: "spike_count", "first_spike", "membrane_max" or "membrane_last"; with the last two the last
            layer has no reset.
        loss: "cross_entropy" or "mean_square".
        loss_gain: factor on the scores before the loss.
        label_smoothing: 0..1.
        dropout: share of input and hidden spikes dropped in training (a spike train at a time), 0..1.
        lr: largest learning rate of AdamW.
        weight_decay: of AdamW, on weights alone.
        weight_clip: weights stay within +- this (unit of the threshold) after each step; None = unlimited.
        schedule: "one_cycle", "cosine" or "constant".
        quantize: widths that are trained with, ``w4``, ``w4v8`` or ``w4v8d3``; None = real numbers.
        quantize_scale: "searched" or "learned", how the LSB of rounded weights is found.
        noise, weight_step: in training, what an analogue chip does; see :class:`LIFOnChips`.

    Raises:
        ConfigError: an option is unknown or out of range.
    """

    def __init__(
        self,
        *,
        layers: Sequence[int],
        neuron: str,
        beta: float | Sequence[float],
        learn_beta: bool,
        beta_constraint: str,
        tau_syn: float | None,
        learn_alpha: bool,
        dt: float,
        threshold: float,
        learn_threshold: bool,
        reset: str,
        reset_delay: int,
        bias: bool,
        surrogate: str,
        surrogate_slope: float,
        readout: str,
        loss: str,
        loss_gain: float,
        label_smoothing: float,
        dropout: float,
        lr: float,
        weight_decay: float,
        weight_clip: float | None,
        schedule: str,
        quantize: str | None,
        quantize_scale: str,
        noise: str,
        weight_step: float | None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()  # plain numbers, strings and lists: loads with weights_only=True
        check_choice("readout", readout, tuple(READOUTS))
        options = NeuronOptions(
            neuron=neuron,
            tau_syn=tau_syn,
            dt=dt,
            threshold=threshold,
            reset=reset,
            reset_delay=reset_delay,
            learn_beta=learn_beta,
            learn_alpha=learn_alpha,
            learn_threshold=learn_threshold,
            beta_constraint=beta_constraint,
            surrogate=surrogate,
            surrogate_slope=surrogate_slope,
        )
        _check_ranges(lr=lr, weight_decay=weight_decay, dropout=dropout, weight_clip=weight_clip)
        last_reset = "none" if readout in MEMBRANE_READOUTS else reset
        self.network = build(layers, beta, bias, last_reset, options)
        if quantize is not None:
            _one_rounding(weight_step)
            self.trained_widths = parse_widths(quantize)
            train_rounded(self.network, self.trained_widths, quantize_scale)  # type: ignore[arg-type]  # checked there
        self.loss = make_loss(loss, loss_gain, label_smoothing)
        self.readout, self.lr, self.weight_decay, self.weight_clip = readout, lr, weight_decay, weight_clip
        self.schedule, self.dropout = schedule, dropout
        self.on_chips = LIFOnChips(noise=noise, weight_step=weight_step, neuron=neuron)
        self._activity = Activity()
        self.mean_loss = mean_losses()
        self.accuracy = nn.ModuleDict(
            {f"{split}_split": MulticlassAccuracy(layers[-1], average="micro") for split in ("train", "val", "test")}
        )

    def layer_outputs(self, raster: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return (spikes, membrane) of every layer of neurons, each [time, batch, neuron].

        Args:
            raster: [batch, time, n_in] uint8 spikes or float currents.
        """
        signal = self._drop(raster.transpose(0, 1))
        modules = list(self.network)
        outputs = []
        for linear, neurons in zip(modules[::2], modules[1::2], strict=True):
            on_chips = self.training and self.on_chips.acts
            outputs.append(self.on_chips.layer(linear, neurons, signal) if on_chips else neurons(linear(signal)))  # type: ignore[arg-type]
            signal = self._drop(outputs[-1][0])
        return outputs

    def forward(self, raster: Tensor) -> Tensor:
        """Return scores [batch, class] of a raster [batch, time, n_in] of uint8 spikes or float currents."""
        return READOUTS[self.readout](*self.layer_outputs(raster)[-1])

    def _drop(self, signal: Tensor) -> Tensor:
        """Drop whole spike trains without rescaling, so that spikes stay 0 or 1."""
        if not (self.training and self.dropout > 0):
            return signal
        keep = torch.rand(signal.shape[1:], device=signal.device) >= self.dropout
        return signal * keep.to(signal.dtype)

    def _step(self, batch: tuple[Tensor, Tensor], split: str) -> Tensor:
        raster, labels = batch
        outputs = self.layer_outputs(raster)
        scores = READOUTS[self.readout](*outputs[-1])
        loss = self.loss(scores, labels)
        metric = self.accuracy[f"{split}_split"]
        metric.update(decide(scores.detach()), labels)  # type: ignore[operator]
        self.log(f"{split}/accuracy", metric, on_step=False, on_epoch=True, prog_bar=True)  # type: ignore[arg-type]
        mean = self.mean_loss[f"{split}_split"]
        mean.update(loss.detach(), len(labels))  # type: ignore[operator]
        self.log(f"{split}/loss", mean, on_step=False, on_epoch=True, prog_bar=split == "val")  # type: ignore[arg-type]
        if split != "train":
            self._activity.update(raster, [spikes for spikes, _ in outputs])
        return loss

    def _start_activity(self) -> None:
        self._activity = Activity()

    def _log_activity(self, split: str) -> None:
        self.log_dict({f"{split}/{name}": value for name, value in self._activity.numbers().items()}, sync_dist=True)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch (raster [batch, time, n_in], labels [batch])."""
        return self._step(batch, "train")

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log accuracy, loss and activity."""
        self._step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log accuracy, loss and activity."""
        self._step(batch, "test")

    def on_validation_epoch_start(self) -> None:
        """Start counting spikes."""
        self._start_activity()

    def on_validation_epoch_end(self) -> None:
        """Log spike rates, dead and saturated neurons, spikes per sample."""
        self._log_activity("val")

    def on_test_epoch_start(self) -> None:
        """Start counting spikes."""
        self._start_activity()

    def on_test_epoch_end(self) -> None:
        """Log spike rates, dead and saturated neurons, spikes per sample."""
        self._log_activity("test")

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the class numbers [batch]."""
        return decide(self(batch[0]))

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Keep weights within ``weight_clip``: outliers would coarsen the grid of all rounded weights."""
        if self.weight_clip is not None:
            for module in self.network:
                if isinstance(module, nn.Linear):
                    float_weight(module).data.clamp_(-self.weight_clip, self.weight_clip)

    def configure_optimizers(self) -> Any:
        """AdamW; decay acts on weights, not on biases and neuron constants."""
        matrices = [p for p in self.network.parameters() if p.ndim > 1]
        vectors = [p for p in self.network.parameters() if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": self.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=self.lr)
        return make_schedule(self.schedule, optimizer, int(self.trainer.estimated_stepping_batches))


def _one_rounding(weight_step: float | None) -> None:
    if weight_step is not None:
        raise ConfigError(
            f"weight_step={weight_step} beside quantize",
            where="model.quantize, model.weight_step",
            why="both round the weights in training, to different grids",
            next_command="model.weight_step=null   (or model.quantize=null)",
        )


def _check_ranges(*, lr: float, weight_decay: float, dropout: float, weight_clip: float | None) -> None:
    checks = {
        "lr": (lr, lr > 0, "> 0"),
        "weight_decay": (weight_decay, weight_decay >= 0, ">= 0"),
        "dropout": (dropout, 0 <= dropout < 1, "in 0..1"),
        "weight_clip": (weight_clip, weight_clip is None or weight_clip > 0, "> 0 or null"),
    }
    for name, (value, holds, needed) in checks.items():
        if not holds:
            raise ConfigError(
                f"{name}={value} must be {needed}",
                where=f"model.{name}",
                why="it makes no sense otherwise",
                next_command=f"remove model.{name} to use the default",
            )
