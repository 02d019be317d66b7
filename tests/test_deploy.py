"""The frame around every target, with a target that only writes a file."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from lightning_neuro import cli
from lightning_neuro.checkpoint import KEY
from lightning_neuro.deploy import QuantizeRequest, VerifyRequest, deploy
from lightning_neuro.errors import ConfigError, ConstraintError, GraphError, NirError, Violation
from lightning_neuro.graph.first_spike_steps import Discretisation
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.graph.widths import DEFAULT_SPEC, QuantizeSpec
from lightning_neuro.report import Check, Outcome, Report
from lightning_neuro.targets.base import Job, Progress, Verification, share_right
from tests.test_checkpoint import small_network, small_plain


@dataclass(frozen=True)
class FileTarget:
    """Writes the thresholds; its check passes, fails, is skipped or crashes."""

    outcome: Outcome = Outcome.PASSED
    violations: tuple[Violation, ...] = ()
    crash: bool = False
    name: str = "file"
    arithmetic: str = "fixed"
    default_spec: QuantizeSpec = DEFAULT_SPEC
    discretisation: Discretisation | None = None

    def arithmetic_for(self, graph: HardwareGraph) -> str:
        return self.arithmetic

    def own_rounding(self, graph: HardwareGraph, integers: HardwareGraph | None) -> None:
        return None

    def default_samples(self, graph: HardwareGraph) -> int:
        return 20

    def check(self, graph: HardwareGraph) -> tuple[Violation, ...]:
        return self.violations

    def write(self, job: Job, folder: Path) -> None:
        (folder / "thresholds.txt").write_text(str(job.graph.populations[0].neuron.threshold.integers()))

    def verify(self, job: Job, folder: Path, progress: Progress) -> Verification:
        if self.crash:
            raise RuntimeError("simulator crashed")
        check = Check(name="file", outcome=self.outcome, expected="a", got="a", detail="because", seconds=0.0)
        share = share_right(job.vectors.expected.classes, job.vectors.labels)
        return Verification(checks=(check,), resources={}, assumptions=(), seconds={}, accuracy=share)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "epoch=4-step=10.ckpt"
    torch.save({KEY: small_plain()}, path)
    return path


def run(
    path: Path,
    target: FileTarget | None = None,
    *,
    strict: bool = False,
    dt_s: float | None = None,
    reset: str | None = None,
    weight_bits: int | None = None,
    samples: int = 4,
    out: Path | None = None,
) -> tuple[Report, Path]:
    return deploy(
        path,
        target=target or FileTarget(),  # type: ignore[arg-type]
        out=out,
        dt_s=dt_s,
        reset=reset,
        quantize=QuantizeRequest(weight_bits=weight_bits, state_bits=None, leak_bits=None),
        verify=VerifyRequest(samples=samples, strict=strict),
        progress=lambda what, done, total: None,
    )


def test_the_artefact_lies_beside_the_checkpoint_with_its_reports(checkpoint: Path) -> None:
    report, folder = run(checkpoint)
    assert report.ok and folder == checkpoint.parent / "deploy" / "file"
    assert {p.name for p in folder.iterdir()} == {"report.html", "report.json", "thresholds.txt"}
    document = json.loads((folder / "report.json").read_text())
    assert document["ok"] is True and document["accuracy"]["samples"] == 6
    assert [check["name"] for check in document["checks"]] == ["nir_round_trip", "file"]
    assert "<html" in (folder / "report.html").read_text()


def test_stored_integers_are_used_and_other_widths_are_said(checkpoint: Path) -> None:
    assert not any("rounded at deployment" in line for line in run(checkpoint)[0].assumptions)
    report, _ = run(checkpoint, weight_bits=4)
    assert any("4-bit weights" in line for line in report.assumptions)
    assert report.graph.populations[0].weight_bits == 4


def test_tampered_weights_contradict_the_stored_integers(checkpoint: Path) -> None:
    values = small_plain()
    values["nir"]["nodes"]["fc"]["weight"][0, 0] += 1.0
    torch.save({KEY: values}, checkpoint)
    with pytest.raises(GraphError, match="contradict"):
        run(checkpoint)


def test_a_nir_file_is_tested_on_random_spikes_and_says_so(tmp_path: Path) -> None:
    import nir

    graph, metadata = small_network()
    nir.write(tmp_path / "x.nir", nir.NIRGraph(nodes=graph.nodes, edges=graph.edges, metadata=metadata.to_dict()))
    report, _ = run(tmp_path / "x.nir")
    assert report.ok and report.accuracy.float_ is None
    assert any("random spikes" in line for line in report.assumptions)


def test_a_foreign_file_takes_the_reset_it_was_trained_with(tmp_path: Path) -> None:
    import nir

    graph, _ = small_network()
    nir.write(tmp_path / "x.nir", nir.NIRGraph(nodes=graph.nodes, edges=graph.edges))
    resets = {reset: run(tmp_path / "x.nir", dt_s=1e-3, reset=reset)[0].graph.populations[0].reset for reset in
              (None, "zero", "subtract")}  # fmt: skip
    assert resets == {None: "zero, delay 0", "zero": "zero, delay 0", "subtract": "subtract, delay 0"}
    with pytest.raises(ConfigError, match="reset=loud"):
        run(tmp_path / "x.nir", dt_s=1e-3, reset="loud")


def test_a_network_that_says_its_resets_keeps_them(checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match="reset=zero is not possible"):
        run(checkpoint, reset="zero")


def test_contradicting_dt_is_refused(checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match="contradicts"):
        run(checkpoint, dt_s=2e-3)
    run(checkpoint, dt_s=1e-3)


def test_violations_are_collected_and_nothing_is_written(checkpoint: Path) -> None:
    rows = tuple(
        Violation(where=f"layer{k}", what="fan-in", needed="9", available="4", remedy="model.layers=[4]")
        for k in (1, 2)
    )
    with pytest.raises(ConstraintError) as caught:
        run(checkpoint, FileTarget(violations=rows))
    assert "layer1" in str(caught.value) and "layer2" in str(caught.value)
    assert [p.name for p in checkpoint.parent.iterdir()] == [checkpoint.name]


def test_a_crash_leaves_nothing_behind(checkpoint: Path) -> None:
    with pytest.raises(RuntimeError):
        run(checkpoint, FileTarget(crash=True))
    assert [p.name for p in checkpoint.parent.iterdir()] == [checkpoint.name]


@pytest.mark.parametrize(
    ("outcome", "strict", "failed"),
    [
        (Outcome.PASSED, False, 0),
        (Outcome.FAILED, False, 1),
        (Outcome.SKIPPED, False, 0),
        (Outcome.SKIPPED, True, 1),
    ],
)
def test_skipped_never_counts_as_passed(checkpoint: Path, outcome: Outcome, strict: bool, failed: int) -> None:
    report, _ = run(checkpoint, FileTarget(outcome=outcome), strict=strict)
    assert report.count(Outcome.FAILED) == failed and report.ok is (failed == 0)


def test_no_samples_prove_nothing(checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match=r"verify\.samples=0"):
        run(checkpoint, samples=0)


def command(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        cli.deploy_main(arguments)
    captured = capsys.readouterr()
    return int(left.value.code or 0), captured.out + captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "deploy PATH"),
        (("target=fpga",), "not a .ckpt or .nir file"),
        (("absent.ckpt", "target=fpga"), "no such checkpoint"),
        (("absent.nir", "target=fpga"), "no such NIR file"),
        (("x.ckpt",), "target"),
        (("x.ckpt", "target=abacus"), "abacus"),
        (("x.ckpt", "target=fpga", "colour=red"), "colour"),
        (("x.ckpt", "target=fpga", "+colour=red"), "unknown key(s) colour"),
        (("x.ckpt", "target=fpga", "+quantize.colour=red"), "unknown key(s) quantize.colour"),
        (("x.ckpt", "target=fpga", "dt=fast"), "dt='fast'"),
        (("x.ckpt", "target=fpga", "verify.samples=many"), "verify.samples"),
        (("x.ckpt", "target=fpga", "quantize.weight_bits=99"), "weight_bits"),
        (("x.ckpt", "target=fpga", "target.lanes=none"), "lanes"),
    ],
)
def test_a_user_mistake_is_one_message_and_exit_code_2(
    arguments: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
    checkpoint: Path,
    monkeypatch,
) -> None:
    monkeypatch.chdir(checkpoint.parent)
    checkpoint.rename("x.ckpt")
    code, text = command(*arguments, capsys=capsys)
    assert code == 2 and message in text and "Traceback" not in text
    assert [p.name for p in checkpoint.parent.iterdir()] == ["x.ckpt"]


def test_equals_signs_in_the_path_work(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = small_plain()
    values["nir"]["nodes"]["fc"]["weight"][0, 0] = np.nan
    values["quantized"] = None
    torch.save({KEY: values}, checkpoint)
    code, text = command(str(checkpoint), "target=fpga", capsys=capsys)
    assert code == 2 and "NaN or infinite values in fc.weight" in text


def test_deploying_twice_replaces_the_artefact(checkpoint: Path) -> None:
    first, folder = run(checkpoint)
    second, _ = run(checkpoint, weight_bits=3)
    document = json.loads((folder / "report.json").read_text())
    assert document["graph"]["sha256"] == second.graph.sha256 != first.graph.sha256
    assert dataclasses.is_dataclass(second)


def test_a_nir_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.nir").write_text("hello")
    with pytest.raises(NirError, match="not a readable NIR graph"):
        run(tmp_path / "x.nir", dt_s=1e-3)
