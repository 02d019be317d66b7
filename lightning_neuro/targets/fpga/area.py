"""Area and cycles of a network without synthesis: a model of what Yosys finds, linear in what the lanes contain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lightning_neuro.graph.hardware_graph import Leak
from lightning_neuro.targets.fpga.plan import LayerPlan

LUT_MEMORY_DEPTH = 64  # words of a distributed memory of one LUT per bit (RAM64)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerShape:
    """What the area of a layer depends on.

    Args:
        inputs, neurons, lanes, groups: sizes.
        depth: words of the weight memory.
        weight_bits, state_bits, sum_bits: widths.
        current_bits: width of the synaptic current; 0 for delta synapses.
        leak_adders: additions in a membrane's leak: 0 without leak, 1 for a shift alone.
        current_leak_adders: likewise for the current.
        reset: kind of reset.
        reset_delay: step in which it acts.
        varied: tables of thresholds or reset values that differ from neuron to neuron.
        emits_membranes: the layer is read out by its membranes.
        recurrent: the layer feeds itself.
    """

    inputs: int
    neurons: int
    lanes: int
    groups: int
    depth: int
    weight_bits: int
    state_bits: int
    sum_bits: int
    current_bits: int
    leak_adders: int
    current_leak_adders: int
    reset: str
    reset_delay: int
    varied: int
    emits_membranes: bool
    recurrent: bool


def shape_of(layer: LayerPlan) -> LayerShape:
    """What the model sees of a planned layer."""
    tables = (layer.threshold, layer.v_reset)
    return LayerShape(
        inputs=layer.inputs,
        neurons=layer.neurons,
        lanes=layer.lanes,
        groups=layer.groups,
        depth=layer.memory_depth,
        weight_bits=layer.weight_bits,
        state_bits=layer.state_bits,
        sum_bits=layer.sum_bits,
        current_bits=layer.current_bits or 0,
        leak_adders=_adders(layer.leak),
        current_leak_adders=0 if layer.current_leak is None else _adders(layer.current_leak),
        reset=layer.reset.kind.value,
        reset_delay=layer.reset.delay,
        varied=sum(len(np.unique(table)) > 1 for table in tables),
        emits_membranes=layer.emits_membranes,
        recurrent=layer.feedback_rows > 0,
    )


def _adders(leak: Leak) -> int:
    """Signed digits that are not 0 in the largest multiplier of a leak."""
    multiplier, _ = leak.integers()
    return max((_signed_digits(int(value)) for value in np.unique(multiplier)), default=0)


def _signed_digits(value: int) -> int:
    """Digits of the non-adjacent form: the fewest additions and subtractions of shifted values.

    >>> _signed_digits(8), _signed_digits(7), _signed_digits(13)
    (1, 2, 3)
    """
    return bin(value ^ 3 * value).count("1")


def features(layer: LayerShape) -> dict[str, float]:
    """Terms whose weighted sum is the number of LUTs of a layer."""
    return {"layer": 1.0}


FEATURES = ("layer",)


def predict(layers: Sequence[LayerShape]) -> float:
    """LUTs."""
    return 0.0
