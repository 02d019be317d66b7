"""Which widths are tried: one set for the network, or one for each population."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.widths import QuantizeSpec, Widths, one_if_equal

MOST_GRID_POINTS = 20_000  # hours, and nobody reads the table


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Numbers that are combined.

    Args:
        weight_bits, state_bits, leak_bits: candidates of each width, as in ``QuantizeSpec``.
        per_layer: whether every population gets its own.

    Raises:
        ConfigError: a list is empty or holds a width that no format has.
    """

    weight_bits: Sequence[int]
    state_bits: Sequence[int]
    leak_bits: Sequence[int]
    per_layer: bool

    def __post_init__(self) -> None:
        for key in ("weight_bits", "state_bits", "leak_bits"):
            values = getattr(self, key)
            if not isinstance(values, Sequence) or isinstance(values, str) or not values:
                raise ConfigError(
                    f"space.{key}={values!r} is no list of widths",
                    where=f"space.{key}",
                    why="a search needs candidates",
                    next_command=f"space.{key}=[4,5,6]",
                )
        for spec in self.specs():
            del spec  # building one checks its numbers

    def specs(self) -> tuple[QuantizeSpec, ...]:
        """Every combination for one population, narrow first."""
        axes = (sorted(set(axis)) for axis in (self.weight_bits, self.state_bits, self.leak_bits))
        return tuple(
            QuantizeSpec(weight_bits=weight, state_bits=state, leak_bits=leak)
            for weight, state, leak in itertools.product(*axes)
        )


def grid(space: Space, populations: Sequence[str]) -> tuple[Widths, ...]:
    """Every point of a space, in order.

    Args:
        space: candidates.
        populations: names, in order.

    Raises:
        ConfigError: more points than anybody waits for.
    """
    specs = space.specs()
    if not space.per_layer:
        return specs
    count = len(specs) ** len(populations)
    if count > MOST_GRID_POINTS:
        raise ConfigError(
            f"{len(specs)} combinations for each of {len(populations)} populations are {count:,} points",
            where="space.per_layer",
            why=f"a grid holds at most {MOST_GRID_POINTS:,}",
            next_command="method=optuna trials=200   (or fewer candidates)",
        )
    return tuple(_combined(populations, specs))


def _combined(populations: Sequence[str], specs: Sequence[QuantizeSpec]) -> Iterator[Widths]:
    for chosen in itertools.product(specs, repeat=len(populations)):
        yield one_if_equal(dict(zip(populations, chosen, strict=True)))


def label(widths: Widths) -> str:
    """Short name of a point: weight, membrane and leak bits.

    >>> label(QuantizeSpec(weight_bits=4, state_bits=8, leak_bits=3))
    'w4 v8 d3'
    """
    if isinstance(widths, QuantizeSpec):
        return f"w{widths.weight_bits} v{widths.state_bits} d{widths.leak_bits}"
    return " | ".join(label(spec) for spec in widths.values())


def numbers(widths: Widths, populations: Sequence[str]) -> list[list[int]]:
    """Plain values of a point: [weight, membrane, leak bits] of every population."""
    specs: Mapping[str, QuantizeSpec] = (
        dict.fromkeys(populations, widths) if isinstance(widths, QuantizeSpec) else widths
    )
    return [[specs[name].weight_bits, specs[name].state_bits, specs[name].leak_bits] for name in populations]


def from_numbers(values: Sequence[Sequence[int]], populations: Sequence[str]) -> Widths:
    """The point that ``numbers`` wrote."""
    specs = (QuantizeSpec(weight_bits=w, state_bits=v, leak_bits=d) for w, v, d in values)
    return one_if_equal(dict(zip(populations, specs, strict=True)))
