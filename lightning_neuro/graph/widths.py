"""Widths of the integers: of the whole network or of each population, and what a person asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightning_neuro.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeSpec:
    """Widths of the integer network.

    Args:
        weight_bits: bits of a weight, sign included.
        state_bits: bits of a membrane, sign included.
        leak_bits: largest shift d of a constant-multiplier leak; ``1 - 2**-k`` needs only a shift.
    """

    weight_bits: int
    state_bits: int
    leak_bits: int

    def __post_init__(self) -> None:
        for name, low, high in (("weight_bits", 2, 16), ("state_bits", 4, 32), ("leak_bits", 1, 16)):
            value = getattr(self, name)
            if not (isinstance(value, int) and low <= value <= high):
                raise ConfigError(
                    f"quantize.{name} must be an integer from {low} to {high}, not {value!r}",
                    where=f"quantize.{name}",
                    why="narrower formats cannot hold a network, wider ones leave 64-bit arithmetic",
                    next_command=f"quantize.{name}={low if isinstance(value, int) and value < low else high}",
                )


Widths = QuantizeSpec | Mapping[str, QuantizeSpec]
"""The same widths everywhere, or those of every population by name."""


def widths_of(widths: Widths, population: str) -> QuantizeSpec:
    """Widths of one population."""
    return widths if isinstance(widths, QuantizeSpec) else widths[population]


def covering(widths: Widths, populations: Sequence[str]) -> Widths:
    """Widths that know every population: relays and others that were added later get the largest of each number."""
    if isinstance(widths, QuantizeSpec):
        return widths
    keys = [field.name for field in dataclasses.fields(QuantizeSpec)]
    largest = QuantizeSpec(**{key: max(getattr(spec, key) for spec in widths.values()) for key in keys})
    return {name: widths.get(name, largest) for name in populations}


def one_if_equal(widths: Mapping[str, QuantizeSpec]) -> Widths:
    """A single specification where all populations have the same, so that equal widths compare equal."""
    found = list(widths.values())
    return found[0] if found and all(spec == found[0] for spec in found) else dict(widths)


def in_words(widths: Widths) -> str:
    """Widths as text.

    >>> in_words(QuantizeSpec(weight_bits=6, state_bits=12, leak_bits=8))
    '6-bit weights, 12-bit membranes, leaks in 1/256'
    """
    if isinstance(widths, QuantizeSpec):
        return f"{widths.weight_bits}-bit weights, {widths.state_bits}-bit membranes, leaks in 1/{2**widths.leak_bits}"
    return "; ".join(f"{name}: {in_words(spec)}" for name, spec in widths.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizeRequest:
    """Widths that a person names: one number, or one for each population in order; None leaves it open.

    Args:
        weight_bits, state_bits, leak_bits: as in ``QuantizeSpec``; what is open comes from the file, the kind of
            network or the target.
        recommended: start from the widths and scales that a search found best for the file (``search``).
    """

    weight_bits: int | Sequence[int] | None
    state_bits: int | Sequence[int] | None
    leak_bits: int | Sequence[int] | None
    recommended: bool = False

    def over(self, base: Widths, populations: Sequence[str]) -> Widths:
        """The widths of ``base``, except where this names others.

        Args:
            base: widths where nothing is named.
            populations: names, in order.

        Raises:
            ConfigError: a width is out of range, or a list does not have one number per population.
        """
        specs = {name: widths_of(base, name) for name in populations}
        for key, asked in self._asked().items():
            numbers = list(asked) if isinstance(asked, Sequence) else [asked] * len(populations)
            if len(numbers) != len(populations):
                raise ConfigError(
                    f"quantize.{key} has {len(numbers)} numbers, the network {len(populations)} populations",
                    where=f"quantize.{key}",
                    why=f"a list names one width for each of {', '.join(populations)}",
                    next_command=f"quantize.{key}=NUMBER, or a list of {len(populations)}",
                )
            specs = {
                name: dataclasses.replace(spec, **{key: number})
                for (name, spec), number in zip(specs.items(), numbers, strict=True)
            }
        return one_if_equal(specs)

    def check(self) -> None:
        """Refuse widths out of range before there is a network.

        Raises:
            ConfigError: a width is out of range.
        """
        for key, asked in self._asked().items():
            for number in asked if isinstance(asked, Sequence) else (asked,):
                dataclasses.replace(DEFAULT_SPEC, **{key: number})

    def _asked(self) -> dict[str, int | Sequence[int]]:
        named = {key: getattr(self, key) for key in ("weight_bits", "state_bits", "leak_bits")}
        return {key: value for key, value in named.items() if value is not None}


DEFAULT_SPEC = QuantizeSpec(weight_bits=6, state_bits=12, leak_bits=8)

# Spike times are finer than spike counts. In trained Yin-Yang networks weights of 8 bits change 1 answer in 100, of 10
# bits 1 in 500. A leak that loses up to one LSB per step moves the membrane by up to 4**k / 2 LSBs (k: digits of the
# leak's shift): membranes of 28 bits keep 9 digits below a weight's for that. Slow leaks need all of 16 digits.
FIRST_SPIKE_SPEC = QuantizeSpec(weight_bits=10, state_bits=28, leak_bits=16)

# Membranes without leak sum up whole samples, and behind an input of integers they hold its digits, too.
RATE_SPEC = QuantizeSpec(weight_bits=8, state_bits=24, leak_bits=8)
