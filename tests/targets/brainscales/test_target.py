"""The target as a whole: settings, refusals, every check listed, and what makes each of them fail."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lightning_neuro.deploy import QuantizeRequest, VerifyRequest, deploy
from lightning_neuro.errors import ConfigError, ConstraintError
from lightning_neuro.graph.hardware_graph import HardwareGraph, Reset, ResetKind, TimeBase
from lightning_neuro.report import Check, Outcome
from lightning_neuro.targets.base import Verification
from lightning_neuro.targets.brainscales import BrainscalesTarget
from lightning_neuro.targets.brainscales.verify import PROOFS
from tests.depth import thorough
from tests.targets.brainscales import artefacts
from tests.targets.spinnaker import cases
from tests.test_deploy_first_spike import write_checkpoint

FEW = ("target.chips=4", "target.points=60")


def quiet(what: str, done: int, total: int) -> None:
    """No progress bar."""


def proved(made: BrainscalesTarget, folder: Path, check: str, spoil: Callable[[Path], object]) -> Check:
    """One check of an artefact that somebody changed."""
    job = artefacts.job_of(artefacts.first_spike_graph([10, 12, 3]), made)
    made.write(job, folder)
    spoil(folder)
    prove = {name: prove for name, _, prove in PROOFS}[check]
    return prove(made.subject(job, folder, quiet)).checks[0]


def outcomes(found: Verification) -> dict[str, Outcome]:
    return {check.name: check.outcome for check in found.checks}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Verification, Path]:
    folder = tmp_path_factory.mktemp("bss")
    relative = Path(os.path.relpath(folder))  # as a user types it, and scripts run elsewhere
    made = artefacts.target(*FEW)
    job = artefacts.job_of(artefacts.first_spike_graph([10, 12, 3]), made)
    made.write(job, relative)
    return made.verify(job, relative, quiet), folder


@pytest.mark.draws
def test_every_check_is_listed_and_passes(found: tuple[Verification, Path]) -> None:
    assert outcomes(found[0]) == dict.fromkeys([name for name, _, _ in PROOFS], Outcome.PASSED)
    texts = {check.name: f"{check.got} {check.detail}" for check in found[0].checks}
    assert "0 first spikes off" in texts["emulator_against_golden"]
    assert "0 of" in texts["pynn_script"] and "--mock" in texts["hxtorch_script"]
    assert "4 chips of profile delgrad" in texts["virtual_chips"]


def test_the_report_says_what_was_not_done(found: tuple[Verification, Path]) -> None:
    words = " ".join(found[0].assumptions)
    assert "no chip was used" in words and "virtual" in words and "runs on BSS-2" not in words
    assert found[0].accuracy is not None and found[0].accuracy.samples == artefacts.SAMPLES
    assert {plot.title for plot in found[0].plots} >= {"Virtual chips", "Placement on the chip", "Weights on the chip"}
    readme = (found[1] / "README.md").read_text()
    assert "Written and checked without a chip" in readme and "predicted accuracy min / mean / max" in readme
    assert "nmpi" in readme and "EBRAINS" in readme


@pytest.mark.parametrize(
    ("check", "spoil"),
    [
        ("placement", lambda f: artefacts.edit(f, "placement.csv", "\n0,neuron,layer1,2", "\n0,neuron,layer1,1")),
        ("scripts_with_numpy_alone", lambda f: artefacts.edit(f, "run_pynn.py", "import json", "import json, torch")),
        ("nir_read_back", lambda f: (f / "network.nir").write_bytes(_other_nir())),
        ("pynn_script", lambda f: artefacts.edit(f, "run_pynn.py", "v_thresh=layer", "v_thresh=5 + layer")),
        pytest.param(
            "pynn_script", lambda f: artefacts.edit(f, "run_pynn.py", ", 0.0)", ", 1.0)"), marks=thorough
        ),
        ("hxtorch_script", lambda f: artefacts.edit(f, "run_hxtorch.py", "i_synin_gm=I_SY", "i_synin_gm=900 + I_SY")),
    ],
)
def test_a_spoiled_artefact_fails_its_check(tmp_path: Path, check: str, spoil: Callable[[Path], object]) -> None:
    found = proved(artefacts.target(*FEW), tmp_path, check, spoil)
    assert found.name == check and found.outcome is Outcome.FAILED and found.detail


def _other_nir() -> bytes:
    import tempfile

    from lightning_neuro.targets.brainscales.mapping import chip_network
    from lightning_neuro.targets.brainscales.nir_profile import write_nir

    graph = artefacts.first_spike_graph([10, 12, 3], seed=4)
    with tempfile.TemporaryDirectory() as folder:
        write_nir(chip_network(graph, artefacts.target().options(graph)), Path(folder))
        return (Path(folder) / "network.nir").read_bytes()


def test_chips_that_lose_too_much_fail_and_name_the_remedy(tmp_path: Path) -> None:
    made = artefacts.target("target.chips=6", "target.points=0", "target.profile=measured-w66f3")
    check = proved(made, tmp_path, "virtual_chips", lambda folder: None)
    assert check.outcome is Outcome.FAILED and "model.noise=measured-w66f3" in check.detail


@pytest.mark.parametrize(
    ("graph", "check"),
    [
        (artefacts.first_spike_graph([10, 12, 3]), "virtual_chips"),
        (artefacts.stepped_graph(), "emulator_against_golden"),
    ],
)
def test_without_labels_accuracy_is_not_judged(tmp_path: Path, graph: HardwareGraph, check: str) -> None:
    made = artefacts.target("target.chips=2", "target.points=0", "target.steps_points=0")
    job = artefacts.job_of(graph, made)
    unknown = dataclasses.replace(job.vectors, labels=np.full_like(job.vectors.labels, -1))
    prove = {name: prove for name, _, prove in PROOFS}[check]
    found = prove(made.subject(dataclasses.replace(job, vectors=unknown), tmp_path, quiet))
    assert found.checks[0].outcome is Outcome.SKIPPED and "deploy the checkpoint" in found.checks[0].detail
    assert found.share is None


@pytest.mark.parametrize(
    ("overrides", "outcome"),
    [
        (["target.steps_points=60"], Outcome.PASSED),
        (["target.refractory_us=20", "target.steps_points=0"], Outcome.FAILED),
    ],
)
def test_what_continuous_time_costs_is_judged_with_labels(
    tmp_path: Path, overrides: list[str], outcome: Outcome
) -> None:
    """Neurons that are silent for the rest of the sample after a spike are another network."""
    graph, made = artefacts.scaled(cases.chain(hidden={}), 0.8), artefacts.target(*overrides)
    prove = {name: prove for name, _, prove in PROOFS}["emulator_against_golden"]
    found = prove(made.subject(artefacts.job_of(graph, made, samples=60), tmp_path, quiet)).checks[0]
    assert found.outcome is outcome and "in steps" in str(found.got)


@thorough  # the page of the tutorial deploys one too
def test_a_checkpoint_in_continuous_time_is_deployed_as_it_is(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path)
    nothing = QuantizeRequest(weight_bits=None, state_bits=None, leak_bits=None)
    report, folder = deploy(
        path,
        target=artefacts.target(*FEW),
        out=None,
        dt_s=None,
        reset=None,
        quantize=nothing,
        verify=VerifyRequest(samples=8, strict=False),
        progress=quiet,
    )
    assert not report.count(Outcome.FAILED) and (folder / "report.html").is_file()
    assert report.accuracy.quantized is not None and report.accuracy.quantized > 0.9
    assert report.accuracy.artefact is not None
    with np.load(folder / "inputs.npz") as file:
        assert len(file["labels"]) == 8


def test_widths_that_the_user_names_are_kept(tmp_path: Path) -> None:
    graph, made = artefacts.first_spike_graph([10, 12, 3]), artefacts.target()
    own = made.own_rounding(graph, artefacts.scaled(graph, 0.5))
    assert own is not None
    ratio = own[0].projections[0].connection.weight.real / graph.projections[0].connection.weight.real
    assert np.median(ratio) == pytest.approx(0.5, abs=0.02)


def test_what_the_chip_cannot_is_refused_before_anything_is_rounded() -> None:
    graph = artefacts.stepped_graph(reset=Reset(kind=ResetKind.SUBTRACT, delay=0))
    made = artefacts.target()
    assert made.own_rounding(graph, None) is None
    assert any("model.reset=zero" in violation.remedy for violation in made.check(graph))
    with pytest.raises(ConstraintError, match="subtract"):
        raise ConstraintError(made.name, made.check(graph))


def test_arithmetic_depends_on_the_network() -> None:
    made = artefacts.target()
    assert made.arithmetic_for(artefacts.first_spike_graph([4, 3])) == "event"
    stepped = artefacts.stepped_graph()
    assert stepped.time is TimeBase.STEPPED and made.arithmetic_for(stepped) == "real"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("target.profile=perfect", "no profile of a chip"),
        ("target.chips=0", "target.chips must be a positive number"),
        ("target.samples=-1", "target.samples must be a positive number"),
        ("target.speedup=0", "target.speedup must be a positive number"),
        ("target.points=-1", "target.points must be 0 or more"),
        ("target.weight_scale=false", "target.weight_scale must be a positive number"),
        ("target.gap_us=-1", "target.gap_us must be 0 or more"),
    ],
)
def test_settings_are_checked(override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        artefacts.target(override)
