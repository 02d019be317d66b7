"""A classifier whose neurons spike at most once: exact first-spike times, learned with analytic gradients.

In units of tau_syn, with a spike of input i at t[i] (inf = none) and tau_mem = tau_ratio tau_syn, a neuron has

    v(t) = sum_i w[i] K(t - t[i] - d[i]),   K(s) = tau_ratio / (tau_ratio - 1) (exp(-s / tau_ratio) - exp(-s)),
    K(s) = s exp(-s) for tau_ratio = 1,     T = first t with v(t) = threshold;  inf where there is none.

The first class to spike wins. After Goeltz, Kriener et al. 2021 (doi:10.1038/s42256-021-00388-x); delays d after
DelGrad (Goeltz et al. 2025, arXiv:2404.19165). Solver and gradients: ``lightning_neuro.neurons.first_spike``; losses:
``spike_time_loss``; silent neurons: ``weight_bumping``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_neuro.data.module import ValuesModule
from lightning_neuro.data.spike_time_coding import KIND
from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.export import Description
from lightning_neuro.models.network import layer_sizes
from lightning_neuro.models.schedule import SCHEDULES, make_schedule
from lightning_neuro.models.silent import LEAD, with_virtual_label
from lightning_neuro.models.spike_time_export import describe_network, input_lines
from lightning_neuro.models.spike_time_loss import LossOptions, make_time_loss
from lightning_neuro.models.spike_time_network import NetworkOptions, SpikeTimeNetwork, per_layer
from lightning_neuro.models.spike_time_score import Score
from lightning_neuro.models.trajectories import Trajectories
from lightning_neuro.models.weight_bumping import NONE, BumpOptions, bump
from lightning_neuro.neurons.chip_noise import ChipNoise
from lightning_neuro.neurons.chip_profiles import SPEEDUP, chip_profile
from lightning_neuro.neurons.lif import check_choice
from lightning_neuro.neurons.spike_noise import IDEAL, SpikeNoise

MOVED = "trajectories"  # key of the checkpoint


class SpikeTimeClassifier(pl.LightningModule):
    """Layers of first-spike neurons; equations in the module docstring.

    Times are in units of tau_syn everywhere; ``tau_syn`` gives that unit its length on hardware.

    Args:
        layers: sizes, input first, classes last.
        tau_syn: synaptic time constant in seconds.
        tau_ratio, threshold, bias_times, input_repetition, weight_mean, weight_std, weight_step, weight_max,
            max_dw_norm, delays, delay_positivity, delay_mean, delay_std, delay_scale, delay_shift: see
            :class:`NetworkOptions`.
        noise: of the hardware, the same in every run with the same seed: fields of :class:`SpikeNoise`, or the name of
            a profile of chips (``chip_profiles``), from which new chips are drawn for each batch.
        loss: "cross_entropy", "mean_square" or "shift_invariant".
        softmin_width, early_weight, early_scale, time_correct, time_wrong, time_lead: see :class:`LossOptions`.
        silent_time: of virtual spike times of silent label neurons, see ``silent``; None = constant loss, no gradient.
        weight_bump, bump_exponential, bump_targeted, max_silent: see :class:`BumpOptions`.
        lr: largest learning rate of Adam.
        lr_factors: factors on it, one or one per layer.
        delay_lr_factor: factor on it for delays.
        schedule: "one_cycle", "cosine" or "constant".

    Raises:
        ConfigError: an option is unknown or out of range.
    """

    readout = "first_spike"
    input_kind = KIND

    def __init__(
        self,
        *,
        layers: Sequence[int],
        tau_syn: float,
        tau_ratio: float,
        threshold: float,
        bias_times: Sequence[Sequence[float]],
        input_repetition: int,
        weight_mean: float | Sequence[float],
        weight_std: float | Sequence[float],
        weight_step: float | None,
        weight_max: float | None,
        max_dw_norm: float | None,
        delays: str | Sequence[str],
        delay_positivity: str,
        delay_mean: float,
        delay_std: float,
        delay_scale: float,
        delay_shift: float,
        noise: str | Mapping[str, float],
        loss: str,
        softmin_width: float,
        early_weight: float,
        early_scale: float,
        time_correct: float,
        time_wrong: float,
        time_lead: float,
        silent_time: float | None,
        weight_bump: float,
        bump_exponential: bool,
        bump_targeted: bool,
        max_silent: float | Sequence[float],
        lr: float,
        lr_factors: float | Sequence[float],
        delay_lr_factor: float,
        schedule: str,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()  # plain numbers, strings and lists: loads with weights_only=True
        _check_ranges(tau_syn=tau_syn, tau_ratio=tau_ratio, lr=lr, delay_lr_factor=delay_lr_factor)
        _check_silent_time(silent_time)
        check_choice("schedule", schedule, tuple(SCHEDULES))
        count = len(layer_sizes(layers)) - 1
        by_name = isinstance(noise, str)
        self.network = SpikeTimeNetwork(
            layers,
            NetworkOptions(
                tau_ratio=tau_ratio,
                threshold=threshold,
                bias_times=bias_times,
                input_repetition=input_repetition,
                weight_mean=weight_mean,
                weight_std=weight_std,
                weight_step=weight_step,
                weight_max=weight_max,
                max_dw_norm=max_dw_norm,
                delays=delays,
                delay_positivity=delay_positivity,
                delay_mean=delay_mean,
                delay_std=delay_std,
                delay_scale=delay_scale,
                delay_shift=delay_shift,
                noise=IDEAL if by_name else SpikeNoise(**noise),
                chip=_chip(noise, tau_syn) if by_name else None,
            ),
        )
        self.loss = make_time_loss(
            loss,
            LossOptions(
                softmin_width=softmin_width,
                early_weight=early_weight,
                early_scale=early_scale,
                time_correct=time_correct,
                time_wrong=time_wrong,
                time_lead=time_lead,
            ),
        )
        self.bump_options = BumpOptions(
            value=weight_bump,
            exponential=bump_exponential,
            targeted=bump_targeted,
            limits=per_layer("max_silent", max_silent, count),
        )
        self.register_buffer("bump_state", torch.tensor([NONE, 0.0], dtype=torch.float64))
        self.register_buffer("noise_seed", torch.randint(2**31, ()))
        self.lr, self.schedule, self.delay_lr_factor = lr, schedule, delay_lr_factor
        self.silent_time = silent_time
        self.lr_factors = per_layer("lr_factors", lr_factors, count)
        self._score = {split: Score(activity=split != "train") for split in ("train", "val", "test")}
        self._moved = Trajectories(self._sources())
        self._outputs: list[Tensor] = []  # spike times of the batch that is trained with

    bump_state: Tensor
    noise_seed: Tensor

    def layer_times(self, times: Tensor) -> list[Tensor]:
        """Return the spike times [batch, neuron] of every layer, inf = silent.

        Args:
            times: [batch, n_in] spike times of the inputs, units of tau_syn, inf = silent.
        """
        return self.network(times)

    def forward(self, times: Tensor) -> Tensor:
        """Return the spike times [batch, class] of the last layer; the smallest is the answer."""
        return self.layer_times(times)[-1]

    def input_lines(self, times: np.ndarray) -> np.ndarray:
        """Return what the exported network takes for data times [sample, n_in]: all lines, bias too, in seconds."""
        return input_lines(self.network, times, float(self.hparams["tau_syn"]))

    def describe_itself(self, sample: Tensor, coding: Mapping[str, str | int | float]) -> Description:
        """Return the network in NIR and its spike times for a sample [sample, n_in], without noise."""
        return describe_network(self.network, sample, float(self.hparams["tau_syn"]), coding)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Make the noise a function of seed and epoch, so that a resumed run sees the same."""
        if batch_idx == 0:  # not at the start of the epoch: making the loader's iterator draws a number, then or before
            torch.manual_seed(int(self.noise_seed) + self.current_epoch)

    def on_test_start(self) -> None:
        """Make the noise of a test the same every time."""
        torch.manual_seed(int(self.noise_seed))

    def _step(self, batch: tuple[Tensor, Tensor], split: str) -> tuple[list[Tensor], Tensor]:
        """Return the spike times of all layers and the loss of a batch, and count both."""
        times, labels = batch
        outputs = self.layer_times(times)
        final = outputs[-1]
        if self.silent_time is not None:
            inputs = self.network.layer_input(len(outputs) - 1, outputs[-2] if len(outputs) > 1 else times)
            final = with_virtual_label(final, labels, inputs, self.network.layers[-1], self.silent_time)  # type: ignore[arg-type]
        loss = self.loss(final, labels)
        self._score[split].update(outputs, labels, loss.detach())
        return outputs, loss

    def _sources(self) -> dict[str, Callable[[], Tensor]]:
        """Return what is recorded of each layer in every epoch."""
        sources: dict[str, Callable[[], Tensor]] = {}
        for number, layer in enumerate(self.network.layers, start=1):
            sources[f"layer {number}: weights (threshold)"] = layer.effective_weights  # type: ignore[assignment]
            if layer.delays is not None:
                sources[f"layer {number}: delays (τ_syn)"] = layer.delays  # type: ignore[assignment]
        return sources

    def on_train_start(self) -> None:
        """Record the parameters before the first step."""
        if self.current_epoch == 0:
            self._moved.record()

    def on_train_epoch_end(self) -> None:
        """Record the parameters."""
        self._moved.record()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep how parameters moved."""
        checkpoint[MOVED] = self._moved.state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Continue how parameters moved."""
        self._moved.restore(checkpoint.get(MOVED, {}))

    def write_pictures(self, data: ValuesModule, folder: Path) -> None:
        """Write pictures of what the network does with the test samples into ``folder/pictures``."""
        from lightning_neuro.report.spike_time_pictures import write_pictures  # imported late: matplotlib

        write_pictures(self, data.evaluation_set("test", None), data.coding, self._moved.arrays(), folder)  # type: ignore[arg-type]

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch (times [batch, n_in], labels [batch])."""
        outputs, loss = self._step(batch, "train")
        if self.trainer.is_last_batch:
            self._log("train")
        self._outputs = [times.detach() for times in outputs]
        return loss

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Bump the weights of silent neurons where there are too many; the gradients of that batch are dropped."""
        if bump(self.network.weights(), self._outputs, self.bump_state, self.bump_options):
            for parameter in self.network.parameters():
                parameter.grad = None

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Bring weights and delays back into their range."""
        self.network.rectify()

    def _log(self, split: str) -> None:
        numbers = self._score[split].numbers()
        self._score[split] = Score(activity=split != "train")
        for name, value in numbers.items():
            self.log(
                f"{split}/{name}",
                value,
                on_step=False,
                on_epoch=True,
                batch_size=1,
                prog_bar=name == "accuracy",
                sync_dist=True,
            )

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Count right answers, loss and silent neurons."""
        self._step(batch, "val")

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Count right answers, loss and silent neurons."""
        self._step(batch, "test")

    def on_validation_epoch_end(self) -> None:
        """Log what was counted."""
        self._log("val")

    def on_test_epoch_end(self) -> None:
        """Log what was counted."""
        self._log("test")

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the class numbers [batch]; -1 where no output neuron spiked."""
        return first_to_spike(self(batch[0]))

    def configure_optimizers(self) -> Any:
        """Adam, with a learning rate per layer and for delays."""
        by_rate: dict[float, list[nn.Parameter]] = {}  # one group a rate: each group costs a call in every step
        for layer, factor in zip(self.network.layers, self.lr_factors, strict=True):
            by_rate.setdefault(self.lr * factor, []).append(layer.weights)  # type: ignore[arg-type]
            if layer.delays is not None:
                rate = self.lr * factor * self.delay_lr_factor
                by_rate.setdefault(rate, []).extend(layer.delays.parameters())  # type: ignore[operator]
        groups = [{"params": parameters, "lr": rate} for rate, parameters in by_rate.items()]
        optimizer = torch.optim.Adam(groups, lr=self.lr, fused=True)
        return make_schedule(self.schedule, optimizer, int(self.trainer.estimated_stepping_batches))


def first_to_spike(times: Tensor) -> Tensor:
    """Return the class of the earliest spike, the lowest number winning a tie, -1 without a spike, [batch].

    >>> first_to_spike(torch.tensor([[2.0, 1.0, 1.0], [torch.inf, torch.inf, torch.inf]])).tolist()
    [1, -1]
    """
    earliest, number = times.min(1)
    return torch.where(torch.isfinite(earliest), number, -1)


def _chip(name: str, tau_syn: float) -> ChipNoise | None:
    profile = chip_profile(name, "model.noise")
    return None if name == "ideal" else ChipNoise(profile=profile, unit_us=tau_syn * 1e6 / SPEEDUP)


def _check_ranges(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ConfigError(
                f"{name}={value} must be > 0",
                where=f"model.{name}",
                why="it makes no sense otherwise",
                next_command=f"remove model.{name} to use the default",
            )


def _check_silent_time(time: float | None) -> None:
    if time is not None and not time > LEAD:
        raise ConfigError(
            f"silent_time={time} must be > {LEAD:g}",
            where="model.silent_time",
            why="it is later than real spikes, in units of tau_syn",
            next_command="model.silent_time=3.0   (or null: silence has no gradient)",
        )
