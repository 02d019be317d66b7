"""Small networks as artefacts, and their scripts run in this process against the stand-ins."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import runpy
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lightning_neuro.config import compose_overrides, create
from lightning_neuro.graph import golden
from lightning_neuro.graph.hardware_graph import HardwareGraph, ReadoutKind, TimeBase
from lightning_neuro.targets.base import Job, TestVectors
from lightning_neuro.targets.brainscales import BrainscalesTarget
from lightning_neuro.targets.brainscales.fake_stack import FOLDER
from lightning_neuro.targets.brainscales.fake_stack.stand_in_chip import SETTINGS
from tests.graph import first_spike_networks
from tests.targets.spinnaker import cases

STAND_INS = ("pynn_brainscales", "hxtorch", "dlens_vx_v3")
SAMPLES = 12


def target(*overrides: str) -> BrainscalesTarget:
    cfg = compose_overrides("deploy", ["target=brainscales", *overrides], next_command="")
    made = create(cfg.target, "target")
    assert isinstance(made, BrainscalesTarget)
    return made


def first_spike_graph(sizes: list[int], *, scale: float = 1.0, seed: int = 0) -> HardwareGraph:
    """A chain in continuous time, its weights times a factor."""
    return scaled(first_spike_networks.network(sizes, seed=seed), scale)


def scaled(graph: HardwareGraph, scale: float) -> HardwareGraph:
    """The graph with all weights times a factor."""
    projections = []
    for p in graph.projections:
        weight = dataclasses.replace(p.connection.weight, real=scale * p.connection.weight.real)
        projections.append(dataclasses.replace(p, connection=dataclasses.replace(p.connection, weight=weight)))
    return dataclasses.replace(graph, projections=tuple(projections))


def stepped_graph(**hidden: Any) -> HardwareGraph:
    """20-24-6 in steps of 1 ms with a synaptic current."""
    return scaled(cases.chain(hidden={"alpha": 0.8, **hidden}), 0.1)


def read_out_graph() -> HardwareGraph:
    """The same, read out by the largest membrane."""
    output = {"alpha": 0.8, "reset": cases.NONE}
    return scaled(cases.chain(hidden={"alpha": 0.8}, output=output, readout=ReadoutKind.MEMBRANE_MAX), 0.1)


def job_of(graph: HardwareGraph, made: BrainscalesTarget, samples: int = SAMPLES) -> Job:
    """The job that a deployment would make; labels are the network's own answers."""
    own = made.own_rounding(graph, None)
    assert own is not None, made.check(graph)
    if graph.time is TimeBase.CONTINUOUS:
        spikes: Any = first_spike_networks.times(samples, graph.input.size)
    else:
        shape = (samples, cases.STEPS, graph.input.size)
        spikes = (np.random.default_rng(1).random(shape) < 0.3).astype(np.uint8)
    expected = golden.run(own[0], spikes, arithmetic=made.arithmetic_for(graph), record=True)
    vectors = TestVectors(spikes=spikes, expected=expected, labels=expected.classes)
    return Job(graph=own[0], real_graph=graph, vectors=vectors, record=None)


def write(graph: HardwareGraph, folder: Path, *overrides: str) -> Path:
    made = target(*overrides)
    folder.mkdir()
    made.write(job_of(graph, made), folder)
    return folder


def copy(artefact: Path, folder: Path) -> Path:
    """A copy to spoil."""
    shutil.copytree(artefact, folder)
    return folder


@contextlib.contextmanager
def stand_ins(**chip: object) -> Iterator[None]:
    """The stand-ins on the path, with a chip of their own."""
    import os
    import tempfile

    before, environment = list(sys.path), os.environ.get(SETTINGS)
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        file.write(json.dumps(chip))
    sys.path.insert(0, str(FOLDER))
    os.environ[SETTINGS] = file.name
    try:
        yield
    finally:
        sys.path[:] = before
        for name in [name for name in sys.modules if name.partition(".")[0] in STAND_INS]:
            del sys.modules[name]
        os.environ.pop(SETTINGS)
        if environment is not None:
            os.environ[SETTINGS] = environment
        Path(file.name).unlink()


def run(artefact: Path, script: str, *options: str, **chip: object) -> tuple[dict[str, Any], str]:
    """Run a script as its user would, and return result.npz and what was printed."""
    said, argv = io.StringIO(), sys.argv
    result = artefact / "result.npz"
    result.unlink(missing_ok=True)
    sys.argv = [script, *options]
    try:
        with stand_ins(**chip), contextlib.redirect_stdout(said):
            runpy.run_path(str(artefact / script), run_name="__main__")
    finally:
        sys.argv = argv
    if not result.is_file():
        return {}, said.getvalue()
    with np.load(result) as file:
        return dict(file), said.getvalue()


def scores(found: dict[str, Any]) -> dict[str, float]:
    return json.loads(str(found["scores"]))


def change(artefact: Path, name: str, **arrays: Any) -> None:
    """Replace arrays of an .npz file."""
    with np.load(artefact / name) as file:
        kept = dict(file)
    np.savez(artefact / name, **(kept | arrays))


def edit(artefact: Path, script: str, old: str, new: str) -> None:
    """Replace words of a script that must be there."""
    text = (artefact / script).read_text()
    assert old in text
    (artefact / script).write_text(text.replace(old, new))
