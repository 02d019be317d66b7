"""The two commands of the README, as programs: train, then deploy with every check, on the embedded data."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from lightning_neuro.tools import find_tool
from tests.conftest import ROOT
from tests.forks.client import program

TOOLS = ("ghdl", "iverilog", "vvp", "yosys")
needs_tools = pytest.mark.skipif(
    not all(find_tool(tool) for tool in TOOLS), reason="needs ghdl, iverilog and yosys (apt-get install)"
)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    done = program(
        folder, "python", str(ROOT / "train.py"), "model=lif", "model.layers=[null,24,null]", "trainer.max_epochs=4",
        "hydra.run.dir=outputs/a",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "outputs" / "a"


def test_the_run_folder_holds_what_it_promises(run_folder: Path) -> None:
    names = {path.name for path in run_folder.iterdir()}
    assert {"best.ckpt", "last.ckpt", "best.nir", "metrics.json", "config.yaml", "curves.png"} <= names
    metrics = json.loads((run_folder / "metrics.json").read_text())
    assert {"test_accuracy", "quantized_test_accuracy", "epochs", "seconds", "spikes_per_sample"} <= metrics.keys()
    assert metrics["test_accuracy"] > 0.7 and abs(metrics["test_accuracy"] - metrics["quantized_test_accuracy"]) < 0.05
    assert (run_folder.parent / "latest").resolve() == run_folder.resolve()


@needs_tools
def test_deploy_proves_the_artefact(run_folder: Path) -> None:
    done = program(
        run_folder, "deploy", "best.ckpt", "target=fpga", "verify.samples=3",
        "verify.strict=true", "target.lanes=8",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((run_folder / "deploy" / "fpga" / "report.json").read_text())
    assert report["ok"] is True and {check["outcome"] for check in report["checks"]} == {"passed"}
    assert [check["name"] for check in report["checks"]] == [
        "nir_round_trip", "ghdl_bit_exact", "verilog_equivalence", "yosys_xc7",
    ]  # fmt: skip
    metrics = json.loads((run_folder / "metrics.json").read_text())
    accuracy = report["accuracy"]
    assert accuracy["samples"] == 360 and accuracy["artefact_samples"] == 3
    assert accuracy["quantized"] == pytest.approx(metrics["quantized_test_accuracy"])
    assert accuracy["float"] == pytest.approx(metrics["test_accuracy"], abs=1 / 360 + 1e-9)
    assert "PASSED" in done.stdout


@needs_tools
def test_the_example_with_a_pretrained_ann_runs(tmp_path: Path) -> None:
    done = program(tmp_path, "python", str(ROOT / "examples" / "convert_pretrained.py"))
    assert done.returncode == 0, done.stdout + done.stderr
    [report] = (json.loads(path.read_text()) for path in tmp_path.rglob("deploy/fpga/report.json"))
    assert {check["name"]: check["outcome"] for check in report["checks"]}["ghdl_bit_exact"] == "passed"
    assert report["accuracy"]["quantized"] > 0.9 and "ANN" in done.stdout
    assert any("converted from an ANN: T = 8" in sentence for sentence in report["assumptions"])


@pytest.mark.skipif(
    not all(find_spec(name) for name in ("nest", "spynnaker")), reason="pip install nest-simulator sPyNNaker"
)
def test_deploy_proves_the_script_for_spinnaker(run_folder: Path) -> None:
    done = program(
        run_folder, "deploy", "best.ckpt", "target=spinnaker", "verify.strict=true",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    folder = run_folder / "deploy" / "spinnaker"
    report = json.loads((folder / "report.json").read_text())
    assert [check["name"] for check in report["checks"]] == [
        "nir_round_trip", "float_reference", "nest_spikes", "fixed_point_emulator", "spynnaker_virtual_board",
        "spynnaker_ring_buffer_shifts", "spynnaker_synapses",
    ]  # fmt: skip
    assert {check["outcome"] for check in report["checks"]} == {"passed"}
    assert "50 sample(s)" in report["checks"][2]["detail"]
    accuracy = report["accuracy"]
    assert accuracy["artefact_samples"] == 360 and abs(accuracy["artefact"] - accuracy["quantized"]) <= 0.005
    assert json.loads((folder / "manifest.json").read_text())["source_sha256"] == report["source"]["sha256"]
    assert {"network.nir", "network.json", "README.md", "report.html"} <= {path.name for path in folder.iterdir()}
    again = program(run_folder, "python", str(folder / "network.py"), "--backend", "nest", "--check")
    assert again.returncode == 0 and again.stdout.count(": 0 mismatching spikes") == 2


@needs_tools
def test_the_exported_nir_file_deploys_to_the_same_integers(run_folder: Path) -> None:
    tables = []
    for source in ("best.ckpt", "best.nir"):
        done = program(
            run_folder, "deploy", source, "target=fpga", "verify.samples=1",
            "target.synthesis=false", f"out=from_{source}",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        package = (run_folder / f"from_{source}" / "rtl" / "network_pkg.vhd").read_text()
        tables.append([line for line in package.splitlines() if '"' in line])
    assert len(tables[0]) > 10 and tables[0] == tables[1]
    assert "random spikes" in (run_folder / "from_best.nir" / "report.json").read_text()


@needs_tools
def test_the_example_with_its_own_module_runs(tmp_path: Path) -> None:
    script = ROOT / "examples" / "own_module.py"
    assert len(script.read_text().splitlines()) <= 40
    done = program(tmp_path, "python", str(script))
    assert done.returncode == 0, done.stdout + done.stderr
    [checkpoint] = tmp_path.rglob("*.ckpt")
    report = json.loads((checkpoint.parent / "deploy" / "fpga" / "report.json").read_text())
    assert report["ok"] is True
    assert {check["name"]: check["outcome"] for check in report["checks"]}["ghdl_bit_exact"] == "passed"
    assert "0 of" in done.stdout and checkpoint.with_suffix(".nir").is_file()


@pytest.mark.skipif(
    not all(find_spec(name) for name in ("nest", "spynnaker")), reason="pip install nest-simulator sPyNNaker"
)
@pytest.mark.parametrize("name", ["recurrent", "conv"])
def test_the_examples_for_spinnaker_run(name: str, tmp_path: Path) -> None:
    done = program(tmp_path, "python", str(ROOT / "examples" / f"{name}_spinnaker.py"))
    assert done.returncode == 0, done.stdout + done.stderr
    [report] = (json.loads(path.read_text()) for path in tmp_path.rglob("deploy/spinnaker/report.json"))
    checks = {check["name"]: check for check in report["checks"]}
    assert report["ok"] is True and {check["outcome"] for check in checks.values()} == {"passed"}
    assert checks["nest_spikes"]["got"] == "0 mismatching spikes" and "50 sample(s)" in checks["nest_spikes"]["detail"]
    assert report["accuracy"]["float"] > 0.8 and report["accuracy"]["artefact_samples"] == 512
