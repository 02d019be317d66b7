"""The target as a whole: settings, refusals, what is told where a simulator is missing, what the folder holds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.config import compose_overrides, create
from lightning_neuro.errors import ConfigError, ConstraintError
from lightning_neuro.graph.calibrate import quantize_network
from lightning_neuro.graph.hardware_graph import Reset, ResetKind
from lightning_neuro.report import Outcome
from lightning_neuro.targets.spinnaker import SpinnakerTarget
from tests.targets.spinnaker import cases


def quiet(what: str, done: int, total: int) -> None:
    """No progress bar."""


def test_the_configuration_builds_the_target() -> None:
    cfg = compose_overrides("deploy", ["target=spinnaker", "target.boards=2"], next_command="")
    target = create(cfg.target, "target")
    assert isinstance(target, SpinnakerTarget) and target.boards == 2
    assert (target.name, target.arithmetic_for(cases.chain(hidden={}))) == ("spinnaker", "real")
    assert target.default_samples(cases.chain(hidden={})) == 50
    assert target.default_spec.weight_bits == 16


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"boards": 0}, "target.boards"),
        ({"timestep_ms": -1.0}, "target.timestep_ms"),
        ({"timeout_s": 0}, "target.timeout_s"),
        ({"convolution": "fast"}, "target.convolution must be one of auto, connector, list"),
    ],
)
def test_settings_are_checked(changes: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        cases.target(**changes)


def test_reset_by_subtraction_is_refused_with_two_ways_out() -> None:
    graph = cases.chain(hidden={"reset": Reset(kind=ResetKind.SUBTRACT, delay=0)})
    violations = cases.target().check(graph)
    assert {v.where for v in violations} == {"hidden", "output"}
    assert "model.reset=zero" in violations[0].remedy and "SpiNNaker2" in violations[0].remedy


def test_weights_that_16_bits_cannot_hold_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    graph = cases.chain(hidden={})
    with pytest.raises(ConstraintError, match="16 bits"):
        cases.target(weight_error=1e-9).write(cases.job(graph), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_where_no_simulator_is_installed_the_rest_still_proves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_neuro.extras.find_spec", lambda name: None)
    graph = quantize_network(cases.chain(hidden={}), SpinnakerTarget.default_spec, None)[0]
    job, target = cases.job(graph), cases.target()
    target.write(job, tmp_path)
    found = target.verify(job, tmp_path, quiet)
    outcomes = {check.name: check.outcome for check in found.checks}
    assert outcomes == {
        "float_reference": Outcome.PASSED,
        "nest_spikes": Outcome.SKIPPED,
        "fixed_point_emulator": Outcome.PASSED,
        "spynnaker_virtual_board": Outcome.SKIPPED,
        "spynnaker_ring_buffer_shifts": Outcome.SKIPPED,
        "spynnaker_synapses": Outcome.SKIPPED,
    }
    assert all("pip install" in check.detail for check in found.checks if check.outcome is Outcome.SKIPPED)
    assert found.resources["application_cores_estimated"] == 3 and "energy_per_sample_j" in found.resources
    assert "application cores estimated" in (tmp_path / "README.md").read_text()


def test_the_readme_says_what_separates_samples(tmp_path: Path) -> None:
    forgetful, keeping = (
        (cases.written(cases.chain(hidden=hidden), tmp_path / name) / "README.md").read_text()
        for name, hidden in (("a", {}), ("b", {"beta": 1.0}))
    )
    assert "silent steps. By the weights" in forgetful
    assert "neurons without leak keep their membrane for ever" in keeping


def test_the_manifest_names_layers_and_shifts(tmp_path: Path) -> None:
    folder = cases.written(cases.chain(hidden={"alpha": 0.5}), tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["layers"]["output"]["behind"] == {"nest": 4, "brian2": 4, "spinnaker": 2}
    assert manifest["versions"]["numpy"] == np.__version__ and manifest["timestep_ms"] == 1.0
