"""Which points matter: the Pareto front, and the cheapest point that loses no more than allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lightning_neuro.search.measure import Point

Price = Callable[[Point], float]
"""What a point costs, one number."""


def front(points: Sequence[Point], price: Price) -> tuple[Point, ...]:
    """Points that no other beats in accuracy and cost at once, cheapest first.

    Args:
        points: measured.
        price: cost of a point.
    """
    best, found = -1.0, []
    for point in sorted(points, key=lambda p: (price(p), -p.accuracy)):
        if point.accuracy > best:
            found.append(point)
            best = point.accuracy
    return tuple(found)


def recommend(points: Sequence[Point], price: Price, float_accuracy: float, tolerance: float) -> Point | None:
    """The cheapest point that loses at most ``tolerance`` against float; None when no point keeps it.

    Args:
        points: measured.
        price: cost of a point; of equal ones the more accurate is taken.
        float_accuracy: of the network in real numbers, on the same samples.
        tolerance: accuracy that may be lost, 0..1.
    """
    # half a billionth of a sample: a loss of exactly the tolerance is within it
    good = [point for point in points if point.accuracy >= float_accuracy - tolerance - 1e-9]
    return min(good, key=lambda p: (price(p), -p.accuracy), default=None)
