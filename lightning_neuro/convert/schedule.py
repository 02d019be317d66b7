"""When the layers of a converted network work: delays, the steps with bias, the first steps with spikes.

With T steps of input and d layers before a layer (its depth), D being the read-out's:

* synchronous: every layer works in steps 0 to T.
* pipelined: a layer works in steps d to d + T; every layer of depth costs a delay of one step.
* layer_sequential: a layer sums up in steps d T to (d + 1) T and fires in the T steps after that, while the next one
  sums up.

In a pipeline a branch that skips layers is delayed until the layer it leads to works on the same input. A layer that
sums up before it fires needs no such delay: its membrane holds what comes early.
"""

from __future__ import annotations

from dataclasses import dataclass

from lightning_neuro.convert.folded import INPUT
from lightning_neuro.convert.spiking import SpikingLayer, SpikingNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One layer in time.

    Args:
        bias: (first step, first step without again) in which the bias is on; None for all steps.
        fires_from: first step in which neurons may spike.
        fires_until: first step in which they may not again; None for the end of the sample.
    """

    bias: tuple[int, int] | None
    fires_from: int
    fires_until: int | None


def total_steps(network: SpikingNetwork, steps: int) -> int:
    """Steps of one sample from the first input to the read-out."""
    depth = max(network.depths().values())
    if network.options.schedule == "pipelined":
        return steps + depth
    if network.options.schedule == "layer_sequential":
        return steps * (depth + (2 if network.options.readout == "count" else 1))
    return steps


def timing(network: SpikingNetwork, layer: SpikingLayer, steps: int) -> Timing:
    """When a layer works; ``steps`` is T."""
    depth = network.depths()[layer.name]
    if network.options.schedule == "pipelined":
        return Timing(bias=(depth, depth + steps), fires_from=0, fires_until=None)
    if network.options.schedule == "layer_sequential":
        start, end = depth * steps, (depth + 1) * steps
        if layer.threshold is None:
            return Timing(bias=(start, end), fires_from=0, fires_until=None)
        return Timing(bias=(start, end), fires_from=end, fires_until=end + steps)
    return Timing(bias=None, fires_from=0, fires_until=None)


def heard_until(network: SpikingNetwork, layer: SpikingLayer, steps: int) -> int:
    """Step after which no spike of a layer reaches a layer that still works; a pipeline only drains then."""
    if network.options.schedule == "pipelined":
        return network.depths()[layer.name] + steps
    return total_steps(network, steps)


def delay(network: SpikingNetwork, source: str, layer: SpikingLayer) -> int:
    """Steps that spikes of ``source`` wait before they reach ``layer``."""
    depths = network.depths()
    between = depths[layer.name] - depths[source]
    if network.options.schedule == "pipelined":
        return between - 1 if source == INPUT else between
    return 0
