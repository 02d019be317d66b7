"""Virtual spike times of silent output neurons, so that a class that never spikes still learns to.

A silent neuron has the time T = silent_time + (threshold - peak) / threshold, with peak the largest membrane it
reaches: later than any spike, and earlier the closer it comes to its threshold. At the time s of the peak

    d peak / dw[i] = K(s - t[i]),      d peak / dt[i] = -w[i] K'(s - t[i])

because dv/dt = 0 there. Only the neuron of the right class needs it; for the others silence is no mistake.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_neuro.neurons.spike_time_layer import SpikeTimeLayer


def kernel(lag: Tensor, ratio: float) -> Tensor:
    """Return the membrane that a spike of weight 1 causes after ``lag`` (units of tau_syn); 0 for a negative lag.

    Args:
        lag: any shape; -inf is allowed, +inf is not.
        ratio: tau_mem / tau_syn.
    """
    lag = lag.clamp(min=0)
    if ratio == 1:
        return lag * torch.exp(-lag)
    return ratio / (ratio - 1) * (torch.exp(-lag / ratio) - torch.exp(-lag))


@torch.no_grad()
def peak_time(times: Tensor, weights: Tensor, ratio: float) -> Tensor:
    """Return when the membrane of each pair is largest, [pair, 1], units of tau_syn.

    Args:
        times: [pair, n_in] spike times of the inputs, inf = silent.
        weights: [pair, n_in].
        ratio: tau_mem / tau_syn.
    """
    time, order = times.sort(1)
    weight = torch.where(torch.isfinite(time), weights.gather(1, order), 0.0)
    last = torch.where(torch.isfinite(time), time, -torch.inf).amax(1, keepdim=True)
    last = torch.where(torch.isfinite(last), last, 0.0)
    time = torch.minimum(time, last)
    age = (time - last).clamp(min=-300.0)  # relative to the last input: no exponential overflows
    fast, slow = torch.cumsum(weight * torch.exp(age), 1), torch.cumsum(weight * torch.exp(age / ratio), 1)
    if ratio == 1:
        moment = torch.cumsum(weight * age * torch.exp(age), 1)
        extremum = moment / fast + 1
    else:
        extremum = torch.log(ratio * fast / slow) * (ratio / (ratio - 1))
    extremum = torch.nan_to_num(extremum, nan=0.0, posinf=300.0, neginf=-300.0)
    following = torch.cat([age[:, 1:], torch.full_like(last, 300.0)], 1)
    at = torch.minimum(torch.maximum(extremum, age), following)
    if ratio == 1:
        membrane = torch.exp(-at) * (at * fast - moment)
    else:
        membrane = ratio / (ratio - 1) * (torch.exp(-at / ratio) * slow - torch.exp(-at) * fast)
    return at.gather(1, membrane.argmax(1, keepdim=True)) + last


def virtual_times(times: Tensor, weights: Tensor, threshold: Tensor, ratio: float, silent_time: float) -> Tensor:
    """Return the virtual spike times of silent neurons, [pair].

    Args:
        times: [pair, n_in] spike times of the inputs, delays included, inf = silent.
        weights: [pair, n_in] of the neuron of each pair.
        threshold: [pair].
        ratio: tau_mem / tau_syn.
        silent_time: later than real spikes, units of tau_syn.
    """
    at = peak_time(times.detach(), weights.detach(), ratio)
    spiked = torch.isfinite(times)
    lag = torch.where(spiked, at - torch.where(spiked, times, 0.0), -1.0)
    peak = (kernel(lag, ratio) * weights).sum(1)
    return silent_time + (threshold - peak) / threshold


def with_virtual_label(
    times: Tensor, labels: Tensor, inputs: Tensor, layer: SpikeTimeLayer, silent_time: float
) -> Tensor:
    """Return output times in which no label neuron is silent; samples whose label neuron spiked are as they were.

    In the other samples the label neuron has its virtual time and other silent neurons spike at ``silent_time``.

    Args:
        times: [batch, class] of the last layer, inf = silent.
        labels: [batch].
        inputs: [batch, n_in] spike times that the last layer got.
        layer: the last layer.
        silent_time: later than real spikes, units of tau_syn.
    """
    rows = torch.isinf(times.gather(1, labels[:, None])[:, 0]).nonzero()[:, 0]
    if len(rows) == 0:
        return times
    classes = labels[rows]
    arriving = inputs[rows]
    if layer.delays is not None:
        arriving = arriving + layer.delays().expand_as(layer.weights)[:, classes].T
    ratio = float(layer.tau_mem / layer.tau_syn)
    weights = layer.effective_weights()[:, classes].T
    virtual = virtual_times(arriving, weights, layer.thresholds()[classes], ratio, silent_time)
    filled = torch.where(torch.isinf(times[rows]), silent_time, times[rows])
    return times.index_put((rows,), filled.scatter(1, classes[:, None], virtual[:, None]))
