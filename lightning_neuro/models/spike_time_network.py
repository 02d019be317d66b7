"""The chain of first-spike layers, built from plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor, nn

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons.chip_noise import ChipNoise
from lightning_neuro.neurons.delays import DELAY_KINDS, Delays
from lightning_neuro.neurons.lif import check_choice
from lightning_neuro.neurons.spike_noise import SpikeNoise
from lightning_neuro.neurons.spike_time_layer import SpikeTimeLayer


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """What the layers are made of; "per layer" means one value for all or one for each.

    Args:
        tau_ratio: tau_mem / tau_syn.
        threshold: of the membrane, unit of the weights.
        bias_times: per layer, a list of times of spikes that come with every sample, in units of tau_syn.
        input_repetition: how often each input line, the bias of the first layer included, is repeated.
        weight_mean, weight_std: per layer, normal distribution of the first weights, unit of the threshold.
        weight_step, weight_max, max_dw_norm: see :class:`SpikeTimeLayer`.
        delays: per layer, "none", "axonal", "dendritic" or "synaptic".
        delay_positivity, delay_mean, delay_std, delay_scale, delay_shift: see :class:`Delays`.
        noise: of the hardware, see :class:`SpikeNoise`.
        chip: chips that the neurons are on, see :class:`ChipNoise`; None = none.
    """

    tau_ratio: float
    threshold: float
    bias_times: Sequence[Sequence[float]]
    input_repetition: int
    weight_mean: float | Sequence[float]
    weight_std: float | Sequence[float]
    weight_step: float | None
    weight_max: float | None
    max_dw_norm: float | None
    delays: str | Sequence[str]
    delay_positivity: str
    delay_mean: float
    delay_std: float
    delay_scale: float
    delay_shift: float
    noise: SpikeNoise
    chip: ChipNoise | None


class Loop(Protocol):
    """Somebody else who computes the spikes of a network, see ``in_the_loop``."""

    def spikes(self, network: SpikeTimeNetwork, times: Tensor) -> list[Tensor]:
        """Return the first spikes of every layer, [batch, n_out], given those of the data [batch, n_in]."""
        ...


class SpikeTimeNetwork(nn.Module):
    """Layers in a chain, each with its own bias spikes; times are in units of tau_syn.

    ``loop``: who computes the spikes; None = the layers.

    Args:
        sizes: input first, classes last.
        options: everything else.

    Raises:
        ConfigError: an option is out of range or has the wrong number of values.
    """

    def __init__(self, sizes: Sequence[int], options: NetworkOptions) -> None:
        super().__init__()
        self.loop: Loop | None = None
        count = len(sizes) - 1
        self.bias_times = _bias_times(options.bias_times, count)
        self.input_repetition = _repetition(options.input_repetition)
        means = per_layer("weight_mean", options.weight_mean, count)
        stds = per_layer("weight_std", options.weight_std, count)
        kinds = _delay_kinds(options.delays, count)
        self.layers = nn.ModuleList()
        for index, (n_in, n_out) in enumerate(pairwise(sizes)):
            fan_in = (n_in + len(self.bias_times[index])) * (self.input_repetition if index == 0 else 1)
            weights = means[index] + stds[index] * torch.randn(fan_in, n_out, dtype=torch.float64)
            self.layers.append(_layer(weights, kinds[index], options))

    def weights(self) -> list[Tensor]:
        """Return the weights [n_in, n_out] of each layer."""
        return [layer.weights for layer in self.layers]  # type: ignore[misc]

    def layer_input(self, index: int, times: Tensor) -> Tensor:
        """Return the spike times that layer ``index`` sees: [batch, n_in] with bias spikes and repetition."""
        if self.bias_times[index]:
            bias = times.new_tensor(self.bias_times[index])
            times = torch.cat([times, bias.expand(len(times), -1)], 1)
        return times.repeat(1, self.input_repetition) if index == 0 and self.input_repetition > 1 else times

    def forward(self, times: Tensor) -> list[Tensor]:
        """Return the spike times [batch, n_out] of every layer, given those of the inputs [batch, n_in]."""
        observed = None if self.loop is None else self.loop.spikes(self, times)
        outputs = []
        for index, layer in enumerate(self.layers):
            arriving = self.layer_input(index, times)
            times = layer(arriving) if observed is None else layer.observed(arriving, observed[index])  # type: ignore[operator]
            outputs.append(times)
        return outputs

    def rectify(self) -> None:
        """Bring weights and delays back into their range, after a step of the optimiser."""
        for layer in self.layers:
            layer.rectify()  # type: ignore[operator]


def _layer(weights: Tensor, kind: str, options: NetworkOptions) -> SpikeTimeLayer:
    n_in, n_out = weights.shape
    delays = None
    if kind != "none":
        delays = Delays(
            kind,  # type: ignore[arg-type]
            n_in,
            n_out,
            positivity=options.delay_positivity,  # type: ignore[arg-type]
            mean=options.delay_mean,
            std=options.delay_std,
            scale=options.delay_scale,
            shift=options.delay_shift,
            dtype=weights.dtype,
        )
    return SpikeTimeLayer(
        weights,
        tau_syn=1.0,
        tau_mem=options.tau_ratio,
        threshold=options.threshold,
        delays=delays,
        max_dw_norm=options.max_dw_norm,
        weight_step=options.weight_step,
        weight_max=options.weight_max,
        noise=options.noise,
        chip=options.chip,
    )


def per_layer(name: str, value: float | Sequence[float], count: int) -> tuple[float, ...]:
    """Return one number per layer.

    Raises:
        ConfigError: there are more or fewer numbers than layers.
    """
    values = (float(value),) * count if isinstance(value, int | float) else tuple(map(float, value))
    if len(values) != count:
        raise ConfigError(
            f"{name} has {len(values)} values for {count} layers of neurons",
            where=f"model.{name}",
            why="give one number for all layers or one for each",
            next_command=f"model.{name}={values[0] if values else 1.0}",
        )
    return values


def _bias_times(times: Sequence[Sequence[float]], count: int) -> tuple[tuple[float, ...], ...]:
    lists = tuple(tuple(map(float, layer)) for layer in times)
    if len(lists) != count or not all(t >= 0 for layer in lists for t in layer):
        raise ConfigError(
            f"bias_times={[list(layer) for layer in lists]} must be {count} lists of times >= 0",
            where="model.bias_times",
            why="there is one list per layer of neurons, empty for none",
            next_command="model.bias_times='[[0.9],[]]'",
        )
    return lists


def _delay_kinds(kinds: str | Sequence[str], count: int) -> tuple[str, ...]:
    values = (kinds,) * count if isinstance(kinds, str) else tuple(kinds)
    for kind in values:
        check_choice("delays", kind, ("none", *DELAY_KINDS))
    if len(values) != count:
        raise ConfigError(
            f"delays={list(values)} has {len(values)} values for {count} layers of neurons",
            where="model.delays",
            why="give one kind for all layers or one for each",
            next_command="model.delays=synaptic",
        )
    return values


def _repetition(factor: int) -> int:
    if not isinstance(factor, int) or factor < 1:
        raise ConfigError(
            f"input_repetition={factor} must be an integer >= 1",
            where="model.input_repetition",
            why="it says how often each input line exists",
            next_command="model.input_repetition=1",
        )
    return factor
