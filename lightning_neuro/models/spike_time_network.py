"""The chain of first-spike layers, built from plain numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from lightning_neuro.errors import ConfigError
from lightning_neuro.neurons.first_spike import spike_times


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """What the layers are made of; "per layer" means one value for all or one for each.

    Args:
        tau_ratio: tau_mem / tau_syn.
        threshold: of the membrane, unit of the weights.
        bias_times: per layer, a list of times of spikes that come with every sample, in units of tau_syn.
        input_repetition: how often each input line, the bias of the first layer included, is repeated.
        weight_mean, weight_std: per layer, normal distribution of the first weights, unit of the threshold.
        max_dw_norm: veto on large weight gradients; None = none.
    """

    tau_ratio: float
    threshold: float
    bias_times: Sequence[Sequence[float]]
    input_repetition: int
    weight_mean: float | Sequence[float]
    weight_std: float | Sequence[float]
    max_dw_norm: float | None


class _Layer(nn.Module):
    def __init__(self, weight: Tensor, options: NetworkOptions) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.options = options

    def forward(self, times: Tensor) -> Tensor:
        o = self.options
        return spike_times(times, self.weight, tau_syn=1.0, tau_mem=o.tau_ratio, threshold=o.threshold, delays=None,
                           max_dw_norm=math.inf if o.max_dw_norm is None else o.max_dw_norm)


class SpikeTimeNetwork(nn.Module):
    """Layers in a chain, each with its own bias spikes.

    Args:
        sizes: input first, classes last.
        options: everything else.

    Raises:
        ConfigError: an option is out of range or has the wrong number of values.
    """

    def __init__(self, sizes: Sequence[int], options: NetworkOptions) -> None:
        super().__init__()
        count = len(sizes) - 1
        self.bias_times = _bias_times(options.bias_times, count)
        self.input_repetition = options.input_repetition
        means = per_layer("weight_mean", options.weight_mean, count)
        stds = per_layer("weight_std", options.weight_std, count)
        self.layers = nn.ModuleList()
        for index, (n_in, n_out) in enumerate(pairwise(sizes)):
            fan_in = (n_in + len(self.bias_times[index])) * (self.input_repetition if index == 0 else 1)
            weight = means[index] + stds[index] * torch.randn(fan_in, n_out, dtype=torch.float64)
            self.layers.append(_Layer(weight, options))

    def weights(self) -> list[Tensor]:
        """Return the weights [n_in, n_out] of each layer."""
        return [layer.weight for layer in self.layers]  # type: ignore[misc]

    def forward(self, times: Tensor) -> list[Tensor]:
        """Return the spike times [batch, n_out] of every layer, given those of the inputs [batch, n_in]."""
        outputs = []
        for index, (layer, bias) in enumerate(zip(self.layers, self.bias_times, strict=True)):
            if bias:
                times = torch.cat([times, times.new_tensor(bias).expand(len(times), -1)], 1)
            if index == 0 and self.input_repetition > 1:
                times = times.repeat(1, self.input_repetition)
            times = layer(times)
            outputs.append(times)
        return outputs


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
