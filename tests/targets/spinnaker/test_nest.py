"""NEST spikes as the golden model does: every neuron, connection and delay that the script can express."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.graph.hardware_graph import HardwareGraph, LateBias, ReadoutKind, Values
from lightning_neuro.report import Outcome
from lightning_neuro.targets.spinnaker.proof import Subject
from lightning_neuro.targets.spinnaker.prove_network import prove_nest, prove_reference
from tests.targets.spinnaker import cases
from tests.targets.spinnaker.cases import CLAMP, LATE_ZERO, NONE, ZERO

PER_NEURON = {"beta": np.linspace(0.5, 0.98, 24), "threshold": np.linspace(0.6, 1.4, 24)}
WINDOWS = (
    LateBias(values=Values(real=np.linspace(-0.1, 0.3, 24)), onset=0, until=5),
    LateBias(values=Values(real=np.linspace(0.2, -0.2, 24)), onset=3, until=9),
)
LATE = (LateBias(values=Values(real=np.linspace(-0.1, 0.3, 24)), onset=2, until=None),)

NETWORKS: dict[str, HardwareGraph] = {
    "delta, reset at once": cases.chain(hidden={"reset": ZERO}),
    "delta, reset in the next step": cases.chain(hidden={"reset": LATE_ZERO}),
    "delta, clamped for a step": cases.chain(hidden={"reset": CLAMP}),
    "current, reset at once": cases.chain(hidden={"reset": ZERO, "alpha": 0.7}),
    "current, reset in the next step": cases.chain(hidden={"reset": LATE_ZERO, "alpha": 0.7}),
    "current, clamped for a step": cases.chain(hidden={"reset": CLAMP, "alpha": 0.7}),
    "current and membrane decay alike": cases.chain(hidden={"alpha": 0.875}),
    "current and membrane decay almost alike": cases.chain(hidden={"alpha": 0.875 + 1e-9}),
    "a current that lasts one step": cases.chain(hidden={"alpha": 0.0}),
    "no leak, delta": cases.chain(hidden={"beta": 1.0, "threshold": 3.0}),
    "no leak, current": cases.chain(hidden={"beta": 1.0, "alpha": 0.5, "threshold": 5.0}),
    "no memory": cases.chain(hidden={"beta": 0.0}),
    "reset below rest": cases.chain(hidden={"v_reset": -0.4}),
    "reset above rest": cases.chain(hidden={"v_reset": 0.3, "alpha": 0.6, "reset": CLAMP}),
    "bias": cases.chain(hidden={"bias": 0.11}),
    "bias into a current": cases.chain(hidden={"bias": 0.04, "alpha": 0.8, "reset": CLAMP}),
    "bias from a later step on": cases.chain(hidden={"late": LATE}, output={}),
    "bias in a window": cases.chain(hidden={"late": WINDOWS}, output={}),
    "initial membranes": cases.chain(hidden={"v_init": np.linspace(-0.4, 1.3, 24), "bias": 0.05}, output={}),
    "initial membranes that leak, with a window": cases.chain(
        hidden={"v_init": 0.5, "beta": 0.7, "late": WINDOWS}, output={}
    ),
    "a converted network": cases.chain(
        hidden={"beta": 1.0, "v_init": np.linspace(0.5, 1.5, 24), "threshold": np.linspace(1, 3, 24), "late": WINDOWS},
        output={"beta": 1.0, "reset": NONE, "bias": 0.1},
        readout=ReadoutKind.MEMBRANE_LAST,
    ),
    "constants of each neuron": cases.chain(hidden=PER_NEURON, output={}),
    "constants of each neuron, current": cases.chain(
        hidden={**PER_NEURON, "alpha": np.linspace(0.2, 0.9, 24)}, output={"alpha": 0.5}
    ),
    "read-out by membrane": cases.chain(hidden={}, output={"reset": NONE}, readout=ReadoutKind.MEMBRANE_LAST),
    "read-out by membrane of a current": cases.chain(
        hidden={"alpha": 0.7}, output={"reset": NONE, "alpha": 0.7}, readout=ReadoutKind.MEMBRANE_MAX
    ),
    "recurrent, delta": cases.recurrent(hidden={}),
    "recurrent, delta, clamped": cases.recurrent(hidden={"reset": CLAMP}),
    "recurrent, current": cases.recurrent(hidden={"alpha": 0.7}),
    "recurrent, current, clamped, bias": cases.recurrent(hidden={"alpha": 0.7, "reset": CLAMP, "bias": 0.03}),
    "recurrent after two steps, current": cases.recurrent(hidden={"alpha": 0.7}, delay=2),
    "skips, delays, several sources": cases.skipping(),
    "convolution and pooling, delta": cases.convolutional(),
    "convolution and pooling, current": cases.convolutional(alpha=0.6, reset=CLAMP, bias=0.02),
}


@cases.needs_nest
@pytest.mark.parametrize("name", NETWORKS)
def test_every_spike_and_membrane_is_the_same(name: str, tmp_path: Path) -> None:
    graph = NETWORKS[name]
    assert cases.active(graph, tmp_path)
    found = cases.on_nest(cases.written(graph, tmp_path))
    assert found.keys() == {p.name for p in graph.populations}
    assert cases.mismatches(found) == 0, found


@cases.needs_nest
@pytest.mark.parametrize("name", ["delta, reset at once", "current, clamped for a step", "bias", "reset below rest"])
def test_a_silent_gap_separates_samples_as_well_as_a_reset(name: str, tmp_path: Path) -> None:
    found = cases.on_nest(cases.written(NETWORKS[name], tmp_path), between="gap")
    assert cases.mismatches(found) == 0, found


@cases.needs_nest
def test_samples_without_anything_between_them_would_differ(tmp_path: Path) -> None:
    folder = cases.written(NETWORKS["current, clamped for a step"], tmp_path)
    script = folder / "network.py"
    text = script.read_text()
    [line] = [line for line in text.splitlines() if line.startswith("GAP = ")]
    script.write_text(text.replace(line, "GAP = 2"))
    assert cases.mismatches(cases.on_nest(folder, between="gap")) > 0


@cases.needs_nest
def test_samples_one_by_one_and_in_one_run_are_the_same(tmp_path: Path) -> None:
    graph = NETWORKS["recurrent, current, clamped, bias"]
    folder = cases.written(graph, tmp_path, samples=6)
    assert cases.mismatches(cases.on_nest(folder)) == 0
    with np.load(folder / "testset.npz") as arrays:
        testset = dict(arrays)
    for sample in range(6):
        np.savez(folder / "testset.npz", **{key: values[sample : sample + 1] for key, values in testset.items()})
        assert cases.mismatches(cases.on_nest(folder)) == 0


@cases.needs_nest
def test_the_command_prints_what_it_compared_and_exits_with_0(tmp_path: Path) -> None:
    folder = cases.written(NETWORKS["delta, reset at once"], tmp_path)
    script = [sys.executable, folder / "network.py", "--check", "--json", tmp_path / "found.json"]
    done = subprocess.run([*script, "--plot", tmp_path / "a.png", "--samples", "2"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "hidden: 0 mismatching spikes of" in done.stdout and "2 samples on nest" in done.stdout
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["backend"] == "nest" and found["layers"]["output"]["mismatches"] == 0
    assert (tmp_path / "a.png").stat().st_size > 1000


@cases.needs_nest
def test_the_check_says_where_the_first_difference_is(tmp_path: Path) -> None:
    graph = NETWORKS["delta, reset at once"]
    folder = cases.written(graph, tmp_path)
    with np.load(folder / "weights.npz") as arrays:
        weights = dict(arrays)
    weights["hidden.threshold"] = weights["hidden.threshold"] * 1.2
    np.savez(folder / "weights.npz", **weights)
    scaled = cases.target().plan(cases.job(graph))
    subject = Subject(
        job=cases.job(graph), scaled=scaled, artefact=folder, boards=1, points=0.5, timeout_s=60,
        progress=lambda *_: None,
    )  # fmt: skip
    for prove in (prove_reference, prove_nest):
        [check] = prove(subject).checks
        assert check.outcome is Outcome.FAILED and check.got != "0 mismatching spikes"
        assert "hidden" in check.detail and "sample" in check.detail and "neuron" in check.detail


def test_without_nest_the_check_is_skipped_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = NETWORKS["delta, reset at once"]
    monkeypatch.setattr("lightning_neuro.extras.find_spec", lambda name: None if name == "nest" else object())
    subject = Subject(
        job=cases.job(graph), scaled=cases.target().plan(cases.job(graph)), artefact=tmp_path, boards=1, points=0.5,
        timeout_s=60, progress=lambda *_: None,
    )  # fmt: skip
    [check] = prove_nest(subject).checks
    assert check.outcome is Outcome.SKIPPED and "pip install 'lightning-neuro[spinnaker]'" in check.detail
