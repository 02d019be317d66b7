"""The five lines of a step once more, in plain Python integers and floats, for tests only: slow and obvious."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Case:
    """One neuron: drive per step in, spikes and membranes out."""

    current_based: bool
    syn: Any  # (L, d) in integers, alpha in reals
    mem: Any  # (L, d) in integers, beta in reals
    threshold: Any
    v_reset: Any
    kind: str
    delay: int
    low: float = float("-inf")
    high: float = float("inf")


def leak(value: Any, constant: Any) -> Any:
    if isinstance(constant, tuple | list):
        multiplier, shift = constant
        return (value * multiplier) >> shift
    return value - constant * value


def step_through(case: Case, drive: list[Any]) -> tuple[list[int], list[Any]]:
    v: Any = 0 * case.threshold
    i: Any = 0 * case.threshold
    fired = False
    spikes, membranes = [], []
    for x in drive:
        if fired and case.kind == "zero" and case.delay == 1:
            v = case.v_reset
        if case.current_based:
            i = i - leak(i, case.syn) + x
            x = i
        v = v - leak(v, case.mem) + x
        if fired and case.kind == "subtract" and case.delay == 1:
            v = v - case.threshold
        v = min(max(v, case.low), case.high)
        if fired and case.kind == "clamp":
            v = case.v_reset
        if case.kind == "once" and any(spikes):
            v, fired = case.v_reset, False
        else:
            fired = case.kind != "none" and v > case.threshold
        if fired and case.delay == 0:
            v = v - case.threshold if case.kind == "subtract" else case.v_reset
        spikes.append(int(fired))
        membranes.append(v)
    return spikes, membranes
