"""When spikes arrive: how many steps a simulator is late in each layer, and the delay of each projection.

PyNN knows no delay of 0. A spike that the network hands on within a step therefore takes ``latency`` steps in a
simulator, and each layer runs a fixed number of steps behind the input: its shift. With ``d`` the network's own
delay and ``D`` the delay given to PyNN,

    shift(post) = shift(pre) + D + extra(post) - d        D >= 1

``extra`` is 1 where a simulator adds a spike to the synaptic current only after it has advanced the membrane.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum


class Backend(str, Enum):
    """Where a script runs."""

    NEST = "nest"
    BRIAN2 = "brian2"
    SPINNAKER = "spinnaker"


class CellKind(str, Enum):
    """PyNN's name of a neuron."""

    DELTA = "IF_curr_delta"
    EXP = "IF_curr_exp"


EXTRA_LATENCY: Mapping[Backend, Mapping[CellKind, int]] = {
    Backend.NEST: {CellKind.DELTA: 0, CellKind.EXP: 1},
    Backend.BRIAN2: {CellKind.DELTA: 1, CellKind.EXP: 1},
    Backend.SPINNAKER: {CellKind.DELTA: 0, CellKind.EXP: 0},
}
"""Steps between the arrival of a spike and the first membrane that shows it, beyond its delay."""

LEAST_DELAY = 1  # steps; PyNN's and the hardware's shortest


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A projection seen as time only.

    Args:
        pre, post: names.
        delay: whole steps in the network.
        extra: further steps in the simulator.
    """

    pre: str
    post: str
    delay: int
    extra: int

    @property
    def least_shift(self) -> int:
        """How far ``post`` is behind ``pre`` at least, in steps."""
        return LEAST_DELAY + self.extra - self.delay


def solve_shifts(source: str, names: Sequence[str], edges: Sequence[Edge]) -> dict[str, int] | None:
    """Shortest shift of every layer relative to the input, or None when a loop is faster than the simulator.

    The longest path from the input (Bellman and Ford); a loop whose own delays are shorter than the simulator's
    latencies around it would push its layers back forever.

    Args:
        source: the input; its shift is 0.
        names: layers.
        edges: projections.

    >>> solve_shifts("in", ["a"], [Edge(pre="in", post="a", delay=0, extra=1)])
    {'in': 0, 'a': 2}
    >>> solve_shifts("in", ["a"], [Edge(pre="a", post="a", delay=1, extra=1)]) is None
    True
    """
    shifts = {source: 0, **dict.fromkeys(names, 0)}
    for _ in range(len(names) + 1):
        changed = False
        for edge in edges:
            needed = shifts[edge.pre] + edge.least_shift
            if needed > shifts[edge.post]:
                shifts[edge.post] = needed
                changed = True
        if not changed:
            return shifts
    return None


def pynn_delay(edge: Edge, shifts: Mapping[str, int]) -> int:
    """Delay of a projection in the simulator, in steps, for given shifts."""
    return shifts[edge.post] - shifts[edge.pre] + edge.delay - edge.extra
