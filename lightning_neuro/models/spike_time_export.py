"""A first-spike network as NIR: its layers in seconds, its bias spikes as further input lines, and what torch did.

Input lines are what the first layer takes, and after them one line for every further time of a bias spike of the
layers behind; a bias time that a line has already is not given twice.
"""

from __future__ import annotations

from collections.abc import Mapping

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lightning_neuro import __version__
from lightning_neuro.graph.export import Description
from lightning_neuro.graph.first_spike_nir import INPUT, ONCE, SpikeTimeNeurons, Synapses, first_spike_nodes
from lightning_neuro.graph.hardware_graph import ReadoutKind, TimeBase
from lightning_neuro.graph.metadata import Metadata
from lightning_neuro.models.spike_time_network import SpikeTimeNetwork
from lightning_neuro.neurons.first_spike import first_spike_times
from lightning_neuro.neurons.spike_time_layer import SpikeTimeLayer

# A sample is over this many (tau_syn + tau_mem) after the last input and all delays: all potentials have peaked.
HORIZON_TAUS = 1.0


def input_lines(network: SpikeTimeNetwork, times: NDArray[np.float64], tau_syn_s: float) -> NDArray[np.float64]:
    """Spike times of all input lines in seconds, [sample, line].

    Args:
        network: the layers.
        times: of the data, [sample, n_in], units of tau_syn.
        tau_syn_s: length of that unit in seconds.
    """
    first = network.layer_input(0, torch.from_numpy(np.array(times, np.float64))).numpy()
    later = [np.full((len(times), 1), time) for time in _later_times(network)]
    return np.concatenate([first, *later], axis=1) * tau_syn_s


def describe_network(
    network: SpikeTimeNetwork, times: Tensor, tau_syn_s: float, coding: Mapping[str, str | int | float]
) -> Description:
    """The network in NIR, and the spike times that torch computes for a sample, without hardware noise.

    Args:
        network: the layers.
        times: of the data, [sample, n_in], units of tau_syn.
        tau_syn_s: length of that unit in seconds.
        coding: input coding as plain values.
    """
    lines = input_lines(network, times.detach().cpu().double().numpy(), tau_syn_s)
    layers = _layers(network, lines.shape[1], tau_syn_s)
    nodes, edges = first_spike_nodes(lines.shape[1], layers)
    metadata = Metadata(
        dt_s=0.0,
        time=TimeBase.CONTINUOUS,
        horizon_s=_horizon(layers, lines, coding, tau_syn_s),
        readout=ReadoutKind.FIRST_SPIKE,
        resets={layer.name: ONCE for layer in layers},
        steps=None,
        coding=coding,
        tool=f"lightning_neuro {__version__}",
    )
    return Description(
        graph=nir.NIRGraph(nodes=nodes, edges=edges, metadata=metadata.to_dict(), type_check=False),
        metadata=metadata,
        raster=lines,
        spikes=dict(zip((layer.name for layer in layers), _recorded(network, times, tau_syn_s), strict=True)),
        membranes={},
    )


@torch.no_grad()
def _recorded(network: SpikeTimeNetwork, times: Tensor, tau_syn_s: float) -> list[NDArray[np.float64]]:
    """Spike times of every layer in seconds."""
    found = []
    for index, layer in enumerate(network.layers):
        assert isinstance(layer, SpikeTimeLayer)
        times = first_spike_times(
            network.layer_input(index, times).to(layer.weights.dtype),
            layer.effective_weights(),
            tau_syn=float(layer.tau_syn),
            tau_mem=float(layer.tau_mem),
            threshold=layer.thresholds(),
            delays=None if layer.delays is None else layer.delays(),
        )
        found.append(times.cpu().double().numpy() * tau_syn_s)
    return found


def _later_times(network: SpikeTimeNetwork) -> list[float]:
    """Times of bias spikes of later layers that no line of the first layer has."""
    own = set(network.bias_times[0])
    return sorted({time for layer in network.bias_times[1:] for time in layer} - own)


def _layers(network: SpikeTimeNetwork, lines: int, tau_syn_s: float) -> list[SpikeTimeNeurons]:
    found: list[SpikeTimeNeurons] = []
    for index, layer in enumerate(network.layers):
        assert isinstance(layer, SpikeTimeLayer)
        weight, delays = _synapses(layer, tau_syn_s)
        own = weight.shape[1] if index == 0 else weight.shape[1] - len(network.bias_times[index])
        pre = found[-1].name if found else INPUT
        used = lines if index == 0 else own
        incoming = [Synapses(pre=pre, weight=_widened(weight[:, :own], used), delays_s=_part(delays, own, used))]
        if own < weight.shape[1]:
            place = [_line_of(network, time, lines) for time in network.bias_times[index]]
            incoming.append(_bias(weight[:, own:], None if delays is None else delays[:, own:], place, lines))
        found.append(
            SpikeTimeNeurons(
                name=f"layer{index}",
                incoming=tuple(incoming),
                tau_syn_s=float(layer.tau_syn) * tau_syn_s,
                tau_mem_s=float(layer.tau_mem) * tau_syn_s,
                threshold=layer.thresholds().detach().cpu().double().numpy(),
            )
        )
    return found


def _synapses(layer: SpikeTimeLayer, tau_syn_s: float) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Weights and delays in seconds, both [post, pre]."""
    weight = layer.effective_weights().detach().cpu().double().numpy().T
    if layer.delays is None:
        return weight, None
    delays = layer.delays().detach().cpu().double().numpy().T * tau_syn_s
    return weight, np.array(np.broadcast_to(delays, weight.shape))


def _widened(weight: NDArray[np.float64], lines: int) -> NDArray[np.float64]:
    """The same columns, with zeros for the lines behind them."""
    return np.pad(weight, ((0, 0), (0, lines - weight.shape[1])))


def _part(delays: NDArray[np.float64] | None, own: int, lines: int) -> NDArray[np.float64] | None:
    return None if delays is None else _widened(delays[:, :own], lines)


def _bias(weight: NDArray[np.float64], delays: NDArray[np.float64] | None, place: list[int], lines: int) -> Synapses:
    """Synapses from the input lines that carry a later layer's bias spikes."""
    spread = np.zeros((len(weight), lines))
    late = None if delays is None else np.zeros((len(weight), lines))
    for column, line in enumerate(place):
        spread[:, line] += weight[:, column]  # two bias spikes at the same time are one line
        if late is not None and delays is not None:
            late[:, line] = delays[:, column]
    return Synapses(pre=INPUT, weight=spread, delays_s=late)


def _line_of(network: SpikeTimeNetwork, time: float, lines: int) -> int:
    later, first = _later_times(network), list(network.bias_times[0])
    if time in later:
        return lines - len(later) + later.index(time)
    # the first repetition of the first layer's lines ends with its bias spikes
    repeated = (lines - len(later)) // network.input_repetition
    return repeated - len(first) + first.index(time)


def _horizon(
    layers: list[SpikeTimeNeurons],
    lines: NDArray[np.float64],
    coding: Mapping[str, str | int | float],
    tau_syn_s: float,
) -> float:
    latest = max(float(lines[np.isfinite(lines)].max(initial=0.0)), float(coding.get("t_late", 0.0)) * tau_syn_s)
    for layer in layers:
        latest += max((float(s.delays_s.max()) for s in layer.incoming if s.delays_s is not None), default=0.0)
    return latest + HORIZON_TAUS * max(layer.tau_syn_s + layer.tau_mem_s for layer in layers)
