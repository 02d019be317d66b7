"""What a conversion decides: normalisation, initial membrane, reset, input, read-out and schedule."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from lightning_neuro.errors import ConfigError

NORMS = ("max", "percentile", "mse")
GRANULARITIES = ("layer", "channel")
RESETS = ("subtract", "zero")
INPUTS = ("analog", "deterministic", "bernoulli")
READOUTS = ("membrane", "count")
SCHEDULES = ("synchronous", "pipelined", "layer_sequential")

_CHOICES = {
    "norm": NORMS,
    "granularity": GRANULARITIES,
    "reset": RESETS,
    "input": INPUTS,
    "readout": READOUTS,
    "schedule": SCHEDULES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """Options of :func:`lightning_neuro.convert.convert`; every one of them can change a spike.

    Args:
        norm: how the firing threshold of a ReLU layer is found from its activations on training data: "max",
            "percentile" (of all activations, zeros of silent neurons included) or "mse" (clipping that loses the
            least squared error when the activation is counted in ``steps`` spikes). QCFS layers keep their learned one.
        percentile: 0..100, for norm "percentile".
        steps: number of time steps T that "mse", bias calibration and thresholds are made for.
        granularity: one threshold per "layer" or per output "channel".
        v_init: membrane before the first step as a share of the threshold; 1/2 makes the rounding unbiased.
        reset: "subtract" the threshold or set to "zero".
        threshold_stretch: factor on all thresholds; above 1 reset to zero loses less.
        input: "analog" (the value itself as current in every step), "deterministic" (evenly spaced spikes) or
            "bernoulli" (random spikes).
        readout: "membrane" of neurons that never spike, or "count" of the spikes of the last layer.
        schedule: "synchronous" (all layers in the same step), "pipelined" (a delay of one step between layers, bias
            only while its layer works) or "layer_sequential" (a layer sums up T steps, then fires).
        bias_samples: training samples that correct the mean error of every channel through its bias and, with reset to
            zero, what a spike is worth; 0 = not.
        weight_bits: width of integer weights for which channels are scaled alike.
        seed: of random input spikes and of the sample of activations.

    Raises:
        ConfigError: an option is unknown or out of range.
    """

    norm: str
    percentile: float
    steps: int
    granularity: str
    v_init: float
    reset: str
    threshold_stretch: float
    input: str
    readout: str
    schedule: str
    bias_samples: int
    weight_bits: int
    seed: int

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            _require(value in choices, name, value, f"one of {', '.join(choices)}", choices[0])
        _require(0 < self.percentile <= 100, "percentile", self.percentile, "above 0, at most 100", "99.9")
        _require(_whole(self.steps, 1), "steps", self.steps, "an integer >= 1", "8")
        _require(0 <= self.v_init <= 1, "v_init", self.v_init, "within 0..1", "0.5")
        _require(self.threshold_stretch > 0, "threshold_stretch", self.threshold_stretch, "above 0", "1.0")
        _require(_whole(self.bias_samples, 0), "bias_samples", self.bias_samples, "an integer >= 0", "256")
        _require(_whole(self.weight_bits, 2), "weight_bits", self.weight_bits, "an integer >= 2", "8")
        _require(
            self.reset == "subtract" or self.schedule != "layer_sequential",
            "schedule", self.schedule, "synchronous or pipelined with reset=zero: its bursts need what a reset leaves",
            "synchronous",
        )  # fmt: skip
        _require(_whole(self.seed, 0), "seed", self.seed, "an integer >= 0", "0")

    def replace(self, **changes: str | int | float) -> Conversion:
        """The same options with some changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]  # checked in __post_init__


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _require(holds: bool, name: str, value: object, needed: str, example: str) -> None:
    if not holds:
        raise ConfigError(
            f"conversion option {name}={value!r} must be {needed}",
            where=f"conversion.{name}",
            why="every option of the conversion can change a spike; none is guessed",
            next_command=f"conversion.{name}={example}",
        )


DEFAULT = Conversion(
    norm="mse",
    percentile=99.9,
    steps=8,
    granularity="channel",
    v_init=0.5,
    reset="subtract",
    threshold_stretch=1.0,
    input="analog",
    readout="membrane",
    schedule="synchronous",
    bias_samples=256,
    weight_bits=8,
    seed=0,
)
"""The recommended conversion; start from it: ``DEFAULT.replace(steps=4)``."""
