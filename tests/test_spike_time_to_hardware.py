"""A network of spike times, trained by the command, deployed to an FPGA and to SpiNNaker with every check."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.depth import thorough
from tests.forks.client import program
from tests.test_end_to_end import needs_tools


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    done = program(
        folder, "python", str(ROOT / "train.py"), "model=spike_time", "data=yin_yang", "model.layers=[null,16,null]",
        "trainer.max_epochs=6", "hydra.run.dir=outputs/a",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "outputs" / "a"


def deployed(run_folder: Path, target: str, *more: str) -> dict[str, dict[str, str]]:
    """Checks of a deployment by name; all of them have passed."""
    done = program(run_folder, "deploy", "best.ckpt", f"target={target}", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((run_folder / "deploy" / target / "report.json").read_text())
    outcomes = {check["name"]: check["outcome"] for check in report["checks"]}
    assert outcomes.pop("yosys_xc7", "skipped") == "skipped" and set(outcomes.values()) == {"passed"}
    accuracy = report["accuracy"]
    assert accuracy["samples"] == 1000 and accuracy["float"] - accuracy["quantized"] <= 0.01
    return {check["name"]: check for check in report["checks"]}


@pytest.mark.skipif(
    not all(find_spec(name) for name in ("nest", "spynnaker")), reason="pip install nest-simulator sPyNNaker"
)
@thorough
def test_the_script_for_spinnaker_is_proved(run_folder: Path) -> None:
    checks = deployed(run_folder, "spinnaker", "verify.samples=10", "verify.strict=true")
    assert list(checks) == [
        "nir_round_trip", "first_spike_accuracy", "analytic_first_spikes", "float_reference", "nest_spikes",
        "fixed_point_emulator", "spynnaker_virtual_board", "spynnaker_ring_buffer_shifts", "spynnaker_synapses",
    ]  # fmt: skip
    assert checks["nest_spikes"]["got"] == "0 mismatching spikes"
    assert checks["analytic_first_spikes"]["got"].startswith("0 of 190 in another step")
    assert "1,000 samples" in checks["fixed_point_emulator"]["detail"]
    report = json.loads((run_folder / "deploy" / "spinnaker" / "report.json").read_text())
    assert report["accuracy"]["artefact_samples"] == 1000
    assert report["accuracy"]["float"] - report["accuracy"]["artefact"] <= 0.01
    assert any("dt = 100 µs" in line and "1024 in a sample" in line for line in report["assumptions"])
    assert json.loads((run_folder / "deploy" / "spinnaker" / "manifest.json").read_text())["timestep_ms"] == 0.1
    assert report["resources"]["real_time"]["time_scale_factor"] >= 1
    folder = run_folder / "deploy" / "spinnaker"
    again = program(run_folder, "python", str(folder / "network.py"), "--backend", "nest", "--check", "--samples", "2")
    assert again.returncode == 0 and again.stdout.count(": 0 mismatching spikes") == 2
    other = program(run_folder, "python", str(folder / "network.py"), "best.ckpt", "--samples", "1")
    assert other.returncode == 1 and "continuous time; deploy it" in other.stderr


@needs_tools
def test_the_netlist_for_an_fpga_is_proved(run_folder: Path) -> None:
    checks = deployed(run_folder, "fpga", "verify.samples=1", "target.synthesis=false")
    assert " 0 differ" in checks["ghdl_bit_exact"]["got"]
    assert "analytic_first_spikes" not in checks  # its decays are shifts: other times
