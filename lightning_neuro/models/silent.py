"""Virtual spike times of silent output neurons, so that a class that never spikes still learns to.

A silent label neuron whose membrane has its peak v at time s gets the time

    T = silent_time + (threshold - v) / threshold,      dv/dw[i] = K(s - t[i]),      dv/dt[i] = -w[i] K'(s - t[i])

(dv/dt is 0 at a peak, so the time s of the peak does not count). In the same sample other silent neurons take part in
the loss as if they spiked a time ``LEAD`` before silent_time: without a rival nothing would urge the label neuron.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_neuro.neurons.spike_time_layer import SpikeTimeLayer

LEAD = 1.0  # tau_syn


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
    moment = torch.cumsum(weight * age * torch.exp(age), 1)
    if ratio == 1:
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


def peak_membrane(times: Tensor, weights: Tensor, ratio: float) -> Tensor:
    """Return the largest membrane of each pair, [pair], with its gradients.

    Args:
        times: [pair, n_in] spike times of the inputs, delays included, inf = silent.
        weights: [pair, n_in] of the neuron of each pair.
        ratio: tau_mem / tau_syn.
    """
    at = peak_time(times.detach(), weights.detach(), ratio)
    spiked = torch.isfinite(times)
    lag = torch.where(spiked, at - torch.where(spiked, times, 0.0), -1.0)
    return (kernel(lag, ratio) * weights).sum(1)


def with_virtual_label(
    times: Tensor, labels: Tensor, inputs: Tensor, layer: SpikeTimeLayer, silent_time: float
) -> Tensor:
    """Return output times in which no label neuron is silent; samples whose label neuron spiked are as they were.

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
    threshold = layer.thresholds()[classes]
    peak = peak_membrane(arriving, layer.effective_weights()[:, classes].T, float(layer.tau_mem / layer.tau_syn))
    virtual = silent_time + (threshold - peak) / threshold
    filled = torch.where(torch.isinf(times[rows]), silent_time - LEAD, times[rows])
    return times.index_put((rows,), filled.scatter(1, classes[:, None], virtual[:, None]))
