"""Writes the artefact's README: how to run it, what separates samples, what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightning_neuro.report.wording import flat
from lightning_neuro.targets.spinnaker.gap import gap_steps
from lightning_neuro.targets.spinnaker.plan import PopulationPlan, SpinnakerPlan
from lightning_neuro.targets.spinnaker.script import TEMPLATES, drain_steps
from lightning_neuro.targets.spinnaker.timing import Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One layer of the table."""

    name: str
    neurons: str
    cell: str
    decay: str
    synapse: str
    reset: str
    behind: str


def write_readme(
    plan: SpinnakerPlan, folder: Path, *, title: str, samples: int, nir: bool, resources: Mapping[str, object]
) -> None:
    """Write ``README.md``; called again with the numbers when the checks have run.

    Args:
        plan: the network.
        folder: the artefact.
        title: sizes of its layers.
        samples: recorded samples.
        nir: whether ``network.nir`` is there.
        resources: numbers of the report; empty before the checks.
    """
    text = TEMPLATES.get_template("README.md.j2").render(
        title=title,
        layers=[_row(p) for p in plan.populations],
        samples=samples,
        lines=plan.input.size,
        by_membrane=any(not p.cell.spiking for p in plan.populations),
        drain=drain_steps(plan),
        gap=gap_steps(plan),
        longer=" and as many as a sample has, so that neurons that spike once are awake again" if plan.once else "",
        no_gap=_why_no_gap(plan),
        step_ms=f"{plan.timestep_ms:g}",
        scaled=any(p.scale != 1 for p in plan.populations),
        pulses=", ".join(f"`{p.label}`" for p in plan.populations if p.pulses),
        numbers=list(flat(resources)),
        nir=nir,
    )
    (folder / "README.md").write_text(text)


def _row(population: PopulationPlan) -> Row:
    cell = population.cell
    shape = " x ".join(map(str, population.shape))
    reset = {0: "to v_reset in the spike's step", 1: "at v_reset for one more step"}.get(
        cell.refractory_steps, "silent after its first spike"
    )
    shifts = (population.shift.get(backend) for backend in (Backend.NEST, Backend.SPINNAKER))
    return Row(
        name=population.label,
        neurons=shape,
        cell=cell.kind.value,
        decay=_range(cell.decay_mem),
        synapse="delta" if cell.decay_syn is None else f"current, {_range(cell.decay_syn)} per step",
        reset=reset if cell.spiking else "none, read out by membrane",
        behind=", ".join(str(n) if n is not None else "cannot run" for n in shifts),
    )


def _range(values: NDArray[Any]) -> str:
    """One number, or the span of many.

    >>> _range(np.array([0.5, 0.875])), _range(np.array([0.9, 0.9]))
    ('0.5 to 0.875', '0.9')
    """
    low, high = float(np.min(values)), float(np.max(values))
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def _why_no_gap(plan: SpinnakerPlan) -> str:
    if any((p.cell.decay_mem >= 1).any() for p in plan.populations):
        return "neurons without leak keep their membrane for ever"
    return "a loop may go on spiking without input, or a decay is too slow"
