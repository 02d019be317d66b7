"""A mapping that is broken in one place must fail the check: what others got wrong, and what could be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.graph.hardware_graph import Dense, HardwareGraph, Values
from lightning_neuro.report import Outcome
from lightning_neuro.targets.spinnaker.proof import Subject
from lightning_neuro.targets.spinnaker.prove_network import prove_nest
from tests.targets.spinnaker import cases
from tests.targets.spinnaker.cases import CLAMP

CURRENT = cases.chain(hidden={"alpha": 0.8, "beta": 0.9, "reset": CLAMP, "bias": 0.02})
FORWARD_EULER = ("tau = -step_ms / np.log(inside)", "tau = step_ms / (1 - inside)")
NO_GAIN = ("else push(tau_m, tau_syn, step_ms)", "else tau_m")
# NEST sorts signs by itself; sPyNNaker drops them, as this does (test_virtual_board looks at the memory of the board)
ABSOLUTE = ("weight = weight * (post.scale", "weight = abs(weight) * (post.scale")
NO_REFRACTORY = ("        refractory=1,\n", "")
NO_DELAY = ("late = post.behind - pre.behind + delay", "late = 1 + post.behind - pre.behind")
FLIPPED = ("np.arange(k)[:, None] * d", "np.arange(k)[::-1, None] * d")
NO_BIAS = ('    net.bias(hidden, w["hidden.bias"])\n', "")


def integers(graph: HardwareGraph) -> HardwareGraph:
    """The network with weights that are quarters, so that sums meet thresholds exactly."""
    projections = tuple(
        dataclasses.replace(p, connection=Dense(weight=Values(real=np.rint(4 * p.connection.weight.real) / 4)))
        for p in graph.projections
    )
    return dataclasses.replace(graph, projections=projections)


TIES = integers(cases.chain(hidden={"beta": 0.5}))


def broken(folder: Path, *changes: tuple[str, str]) -> Path:
    """The artefact with other lines in its script."""
    script = folder / "network.py"
    text = script.read_text()
    for old, new in changes:
        assert text.count(old) >= 1, f"the script no longer says {old!r}"
        text = text.replace(old, new)
    script.write_text(text)
    return folder


def subject(graph: HardwareGraph, folder: Path) -> Subject:
    job = cases.job(graph)
    return Subject(
        job=job, scaled=cases.target().plan(job), artefact=folder, boards=1, points=0.5, timeout_s=120,
        progress=lambda *_: None,
    )  # fmt: skip


@cases.needs_nest
@pytest.mark.parametrize(
    ("graph", "changes"),
    [
        (CURRENT, (FORWARD_EULER,)),
        (CURRENT, (NO_GAIN,)),
        (CURRENT, (FORWARD_EULER, NO_GAIN)),
        (CURRENT, (NO_REFRACTORY,)),
        (CURRENT, (ABSOLUTE,)),
        (cases.recurrent(hidden={}, delay=3), (NO_DELAY,)),
        (CURRENT, (NO_BIAS,)),
        (TIES, (('ABOVE = {"nest": 2.0**-36', 'ABOVE = {"nest": -2.0**-36'),)),
        (cases.convolutional(), (FLIPPED,)),
    ],
    ids=[
        "time constants of forward Euler",
        "gain not compensated",
        "both, as in an earlier exporter",
        "no refractory step",
        "signs dropped",
        "delay forgotten",
        "bias forgotten",
        "spike at the threshold",
        "kernel flipped",
    ],
)
def test_a_broken_mapping_is_seen(graph: HardwareGraph, changes: tuple[tuple[str, str], ...], tmp_path: Path) -> None:
    folder = cases.written(graph, tmp_path)
    assert cases.mismatches(cases.on_nest(folder)) == 0
    assert cases.mismatches(cases.on_nest(broken(folder, *changes))) > 0


@cases.needs_nest
@pytest.mark.parametrize(
    "changes", [(FORWARD_EULER, NO_GAIN), (ABSOLUTE,), (NO_REFRACTORY,)], ids=["tau and gain", "signs", "refractory"]
)
def test_the_check_of_the_report_fails(changes: tuple[tuple[str, str], ...], tmp_path: Path) -> None:
    folder = broken(cases.written(CURRENT, tmp_path), *changes)
    [check] = prove_nest(subject(CURRENT, folder)).checks
    assert check.outcome is Outcome.FAILED and check.detail
