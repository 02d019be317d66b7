"""Projections that a script has as one: synapses between two layers that differ in their delays alone.

A network has a projection for each distinct delay, of which a layer with a delay per synapse has hundreds; a script has
one list of synapses, each with its delay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.graph.hardware_graph import Dense
from lightning_neuro.targets.spinnaker.plan import ProjectionPlan, SpinnakerPlan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """One ``net.connect`` of a script.

    Args:
        label: key of its weights; that of its delays has ``.delay`` behind it.
        parts: one projection, or dense ones between the same layers, of which each pair of neurons is in one at most.
    """

    label: str
    parts: tuple[ProjectionPlan, ...]

    @property
    def first(self) -> ProjectionPlan:
        """What all parts share: layers and arrangement of the weights."""
        return self.parts[0]

    @property
    def weight(self) -> NDArray[np.float64]:
        """Weights of all parts."""
        parts = [p.connection.weight.real for p in self.parts]
        return parts[0] if len(parts) == 1 else np.sum(parts, axis=0)

    @property
    def delays(self) -> NDArray[np.int64] | None:
        """Delay of every synapse in the network's steps, [post, pre]; None where they all have the same."""
        if len(self.parts) == 1:
            return None
        return np.sum([p.steps * (p.connection.weight.real != 0) for p in self.parts], axis=0).astype(np.int64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What ``weights.npz`` holds of it."""
        delays = self.delays
        return {self.label: self.weight, **({} if delays is None else {f"{self.label}.delay": delays})}


def bundles(plan: SpinnakerPlan) -> tuple[Bundle, ...]:
    """All projections of a plan, bundled, in order."""
    groups: dict[tuple[str, str], list[ProjectionPlan]] = {}
    for projection in plan.projections:
        groups.setdefault((projection.pre, projection.post), []).append(projection)
    found, taken = [], {p.label for p in plan.projections} | set(plan.labels.values())
    for parts in groups.values():
        if len(parts) > 1 and _apart(parts):
            found.append(Bundle(label=_label(plan, parts[0], taken), parts=tuple(parts)))
        else:
            found += [Bundle(label=p.label, parts=(p,)) for p in parts]
    return tuple(found)


def _apart(parts: Sequence[ProjectionPlan]) -> bool:
    """Whether no pair of neurons has synapses in two parts."""
    if not all(isinstance(p.connection, Dense) for p in parts):
        return False
    return bool((np.sum([p.connection.weight.real != 0 for p in parts], axis=0) <= 1).all())


def _label(plan: SpinnakerPlan, projection: ProjectionPlan, taken: set[str]) -> str:
    base = f"{plan.labels[projection.pre]}_to_{plan.labels[projection.post]}"
    while base in taken:
        base += "_delayed"
    return base


def weight_of(bundle: Bundle, part: ProjectionPlan, arrays: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Weights of one part in the arrays of ``weights.npz``."""
    weight = arrays[bundle.label]
    return weight if len(bundle.parts) == 1 else np.where(arrays[f"{bundle.label}.delay"] == part.steps, weight, 0.0)
