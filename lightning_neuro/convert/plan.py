"""What happens when an ANN's training ends: the conversion, and how the spiking network is measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lightning_neuro.convert.options import DEFAULT, Conversion
from lightning_neuro.errors import ConfigError

CURVE = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionPlan:
    """A conversion and its measurements.

    Args:
        options: of the conversion.
        curve: numbers of steps T at which accuracy is measured; ``options.steps`` is always among them.
        split_layer: measure a hybrid too: so many layers spike, those behind compute as in the ANN; None = not.
        early_stop: measure stopping too: a sample ends when the largest accumulated score (score times steps) leads the
            second by this, in the unit of the ANN's scores; None = not.
        samples: training samples that thresholds come from.

    Raises:
        ConfigError: a number is out of range.
    """

    options: Conversion = DEFAULT
    curve: tuple[int, ...] = CURVE
    split_layer: int | None = None
    early_stop: float | None = None
    samples: int = 2000

    def __post_init__(self) -> None:
        steps = sorted({*self.curve, self.options.steps} if _wholes(self.curve) else set())
        _require(_wholes(self.curve), "curve", self.curve, "whole numbers above 0", "[1,2,4,8,16,32]")
        object.__setattr__(self, "curve", tuple(steps))
        split = self.split_layer
        _require(split is None or _wholes((split,)), "split_layer", split, "a whole number above 0, or null", "null")
        stop = self.early_stop
        _require(stop is None or stop > 0, "early_stop", stop, "above 0, or null", "null")
        _require(_wholes((self.samples,)), "samples", self.samples, "a whole number above 0", "2000")

    @staticmethod
    def of(values: Mapping[str, Any]) -> ConversionPlan:
        """The plan that plain values describe: options of the conversion and of its measurements side by side.

        Raises:
            ConfigError: an unknown name or value.
        """
        own = {field.name for field in dataclasses.fields(ConversionPlan)} - {"options"}
        known = {field.name for field in dataclasses.fields(Conversion)}
        for name in values:
            _require(name in own | known, name, values[name], f"one of {', '.join(sorted(own | known))}", "...")
        options = DEFAULT.replace(**{name: value for name, value in values.items() if name in known})
        more: dict[str, Any] = {name: value for name, value in values.items() if name in own}
        if "curve" in more:
            more["curve"] = tuple(more["curve"])
        return ConversionPlan(options=options, **more)


def _wholes(values: tuple[int, ...]) -> bool:
    return all(isinstance(value, int) and value >= 1 for value in values)


def _require(holds: bool, name: str, value: object, needed: str, example: str) -> None:
    if not holds:
        raise ConfigError(
            f"conversion option {name}={value!r} must be {needed}",
            where=f"model.conversion.{name}",
            why="it says what is measured when training ends",
            next_command=f"model.conversion.{name}={example}",
        )
