"""Area and cycles of a network without synthesis: a model of what Yosys finds, linear in what the lanes contain."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from lightning_neuro.graph.hardware_graph import Leak, ResetKind
from lightning_neuro.targets.fpga.plan import LayerPlan
from lightning_neuro.targets.fpga.yosys import BLOCK_RAM_FROM_BITS

COEFFICIENTS = "area.json"
# depth and width that one block of 18 or 36 kbit can have
_SHAPES_18 = {16384: 1, 8192: 2, 4096: 4, 2048: 9, 1024: 18, 512: 36}
_SHAPES_36 = {32768: 1, 16384: 2, 8192: 4, 4096: 9, 2048: 18, 1024: 36, 512: 72}
# how wide a part of a word one memory of the VHDL is (slice_bits in snn_pkg.vhd), by the most words
_SLICES = ((4096, 9), (8192, 4), (16384, 2))


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
        varied: tables of constants that differ from neuron to neuron.
        biases: constants that are added in some steps.
        fires_late: no spikes in a sample's first steps.
        value_bits: width of the numbers that input events carry; 0 for spikes.
        places: an address generator spreads events (convolution, pooling).
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
    biases: int
    fires_late: bool
    value_bits: int
    places: bool
    emits_membranes: bool
    recurrent: bool


def shape_of(layer: LayerPlan) -> LayerShape:
    """What the model sees of a planned layer."""
    tables = (layer.threshold, layer.v_reset, layer.v_init, *(bias.values for bias in layer.biases))
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
        biases=len(layer.biases),
        fires_late=layer.fires_from > 0,
        value_bits=layer.value_bits,
        places=layer.spread is not None,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """What a network takes.

    Args:
        lut: look-up tables, estimated (error: ``benchmarks/area_model.py``).
        ramb18: block RAM in units of 18 kbit, as Yosys maps the memories.
    """

    lut: float
    ramb18: int


def estimate(layers: Sequence[LayerPlan]) -> Area | None:
    """Area of planned layers; None for what the fit has not seen: convolutions, pooling, numbers at the input.

    Args:
        layers: plans in order.
    """
    shapes = [shape_of(layer) for layer in layers]
    if any(shape.places or shape.value_bits for shape in shapes):
        return None
    return Area(lut=luts(shapes, coefficients()), ramb18=sum(block_rams(shape) for shape in shapes))


def luts(layers: Sequence[LayerShape], weights: Mapping[str, float]) -> float:
    """LUTs by the linear model.

    Args:
        layers: of one network.
        weights: LUTs per unit of every feature.
    """
    return sum(weights[name] * value for layer in layers for name, value in features(layer).items())


@lru_cache(maxsize=1)
def coefficients() -> dict[str, float]:
    """LUTs per unit of every feature, fitted to Yosys."""
    return json.loads((files("lightning_neuro.targets.fpga") / COEFFICIENTS).read_text())["lut"]


def features(layer: LayerShape) -> dict[str, float]:
    """Terms whose weighted sum is the number of LUTs of a layer: what one lane contains, times the lanes.

    Args:
        layer: shape.
    """
    lanes, state, total, current = layer.lanes, layer.state_bits, layer.sum_bits, layer.current_bits
    shared = layer.groups > 1
    return {
        "layer": 1.0,
        "lanes": lanes,
        "sum": lanes * total,
        "state": lanes * state,
        "leak_shift": lanes * state * (layer.leak_adders > 0),
        "leak_adders": lanes * total * max(0, layer.leak_adders - 1),
        "membrane_memory": lanes * state * math.ceil(layer.groups / 32) * shared,
        "scanner": 0.0 if layer.emits_membranes and not layer.recurrent else layer.neurons,
        "membrane_output": lanes * state * layer.emits_membranes,
        "current": lanes * current,
        "current_leak": lanes * current * layer.current_leak_adders,
        "current_memory": lanes * current * math.ceil(layer.groups / 32) * shared,
        "subtract": lanes * state * (layer.reset == ResetKind.SUBTRACT.value),
        "subtract_later": lanes * total * (layer.reset == ResetKind.SUBTRACT.value and layer.reset_delay == 1),
        "zero_later": lanes * state * (layer.reset == ResetKind.ZERO.value and layer.reset_delay == 1),
        "small_memory": 0.0 if _in_block_ram(layer) else layer.depth * lanes * layer.weight_bits / 64,
        "tables": lanes * state * layer.varied * math.ceil(layer.groups / 64) * shared,
        "biases": lanes * total * layer.biases,
    }


def _in_block_ram(layer: LayerShape) -> bool:
    return layer.depth * layer.lanes * layer.weight_bits >= BLOCK_RAM_FROM_BITS


def block_rams(layer: LayerShape) -> int:
    """Block RAM of a layer's weight memory in units of 18 kbit.

    Args:
        layer: shape.
    """
    if not _in_block_ram(layer):
        return 0
    word, depth = layer.lanes * layer.weight_bits, layer.depth
    part = _slice(depth, word)
    return sum(_blocks(depth, min(part, word - first)) for first in range(0, word, part))


def _slice(depth: int, word: int) -> int:
    if depth <= 2048:
        return word
    return next((min(word, width) for most, width in _SLICES if depth <= most), 1)


def _blocks(depth: int, width: int) -> int:
    """Fewest 18-kbit units that hold so many words of a width; a block of 36 kbit counts twice.

    >>> _blocks(1024, 18), _blocks(1024, 19), _blocks(784, 258)
    (1, 2, 15)
    """
    return min(
        size * math.ceil(depth / words) * math.ceil(width / bits)
        for shapes, size in ((_SHAPES_18, 1), (_SHAPES_36, 2))
        for words, bits in shapes.items()
    )
