"""Training that knows the integers: weights and membranes are rounded in the forward pass as deployment rounds them."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.quantize import least_weight_lsb
from lightning_neuro.graph.widths import DEFAULT_SPEC, QuantizeRequest, QuantizeSpec
from lightning_neuro.neurons.integer_membranes import IntegerMembranes
from lightning_neuro.neurons.lif import LIF, check_choice
from lightning_neuro.neurons.rounded_weights import LAYERS, SCALES, RoundedWeights, Scale, round_weights

_FORM = re.compile(r"w(?P<weight>\d+)(v(?P<state>\d+))?(d(?P<leak>\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedWidths:
    """Widths that a network is trained with.

    Args:
        weight_bits: bits of a weight.
        state_bits: bits of a membrane; None leaves membranes real in training.
        leak_bits: largest shift of a leak.
    """

    weight_bits: int
    state_bits: int | None
    leak_bits: int


def parse_widths(text: str) -> TrainedWidths:
    """Widths from a short name: ``w4``, ``w4v8``, ``w4v8d3``.

    Raises:
        ConfigError: another form, or a width out of range.

    >>> parse_widths("w4v8")
    TrainedWidths(weight_bits=4, state_bits=8, leak_bits=8)
    """
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ConfigError(
            f"quantize={text!r} names no widths",
            where="model.quantize",
            why="w and the bits of a weight, v and those of a membrane, d and the largest shift of a leak",
            next_command="model.quantize=w4v8   (or w4, w4v8d3)",
        )
    given = {key: int(value) for key, value in match.groupdict().items() if value is not None}
    widths = TrainedWidths(
        weight_bits=given["weight"],
        state_bits=given.get("state"),
        leak_bits=given.get("leak", DEFAULT_SPEC.leak_bits),
    )
    QuantizeSpec(  # refuses what no format has
        weight_bits=widths.weight_bits,
        state_bits=widths.state_bits or DEFAULT_SPEC.state_bits,
        leak_bits=widths.leak_bits,
    )
    return widths


@runtime_checkable
class Rounded(Protocol):
    """A module that was trained with integers."""

    trained_widths: TrainedWidths


def trained_or(request: QuantizeRequest, module: nn.Module) -> QuantizeRequest:
    """What a person asks for, and where that is open the widths that the module was trained with."""
    if not isinstance(module, Rounded):
        return request
    trained = dataclasses.asdict(module.trained_widths)
    return dataclasses.replace(
        request, **{key: value for key, value in trained.items() if getattr(request, key) is None}
    )


def train_rounded(network: nn.Module, widths: TrainedWidths, scale: Scale) -> dict[str, RoundedWeights]:
    """Round the weights of every linear and convolutional layer, and the membranes of our LIF layers behind them.

    Works on any module, also on a stranger's with snnTorch's or Norse's neurons, whose membranes stay real in training.
    Membranes of read-outs and without leak (beta = 1) stay real too: their range is measured when training has ended.

    Args:
        network: layers in the order in which they are registered.
        widths: of the integers.
        scale: "searched" or "learned", how the LSB of the weights is found.

    Returns:
        What rounds the weights, by layer name.

    Raises:
        ConfigError: there is nothing to round, or an unknown scale.
    """
    check_choice("quantize_scale", scale, SCALES)
    found: dict[str, RoundedWeights] = {}
    modules = list(network.named_modules())
    for (name, module), (_, behind) in pairwise([*modules, ("", nn.Identity())]):
        if not isinstance(module, LAYERS):
            continue
        found[name] = round_weights(module, widths.weight_bits, _least_lsb(behind, widths), scale)
        if not isinstance(behind, LIF) or getattr(module, "out_features", behind.size) != behind.size:
            continue
        if behind.reset != "none" and widths.state_bits is not None:
            behind.kernel_in_training = _Kernels(found[name], widths.state_bits, widths.leak_bits)
    if not found:
        raise ConfigError(
            "there is no layer with weights to round",
            where=type(network).__name__,
            why=f"weights of {', '.join(layer.__name__ for layer in LAYERS)} are rounded",
            next_command="leave quantisation-aware training out",
        )
    return found


def _least_lsb(neurons: nn.Module, widths: TrainedWidths) -> float:
    """Smallest LSB of weights into neurons, ours or snnTorch's, whose threshold their membranes must hold."""
    threshold = getattr(neurons, "threshold", None)
    reads_out = getattr(neurons, "reset", None) == "none" or getattr(neurons, "reset_mechanism", None) == "none"
    if widths.state_bits is None or not isinstance(threshold, Tensor) or reads_out:
        return 0.0
    return least_weight_lsb(widths.state_bits, float(threshold.detach().max()))


@dataclass(frozen=True, slots=True)
class _Kernels:
    """Makes the kernel of a layer for the LSB that its weights have now."""

    weights: RoundedWeights
    state_bits: int
    leak_bits: int

    def __call__(self) -> IntegerMembranes:
        lsb = self.weights.effective_lsb()
        return IntegerMembranes(weight_lsb=lsb, state_bits=self.state_bits, leak_bits=self.leak_bits)
