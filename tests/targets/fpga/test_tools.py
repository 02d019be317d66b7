"""What happens around the external programs: absent, failing, slow; and how they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.report import Check, Outcome
from lightning_neuro.targets.base import TestVectors
from lightning_neuro.targets.fpga import ghdl, yosys
from tests.depth import thorough
from tests.targets.fpga.conftest import job, needs_ghdl, needs_yosys, target

MOCKS = Path(__file__).parents[2] / "mock_commands"


def checks(graph: HardwareGraph, artefact: Path, vectors: TestVectors, **changes: object) -> dict[str, Check]:
    chosen = target(lanes=(4, 3), synthesis=True, **changes)
    found = chosen.verify(job(graph, vectors), artefact, lambda words, done, total: None)
    return {check.name: check for check in found.checks}


def test_absent_tools_skip_with_the_command_that_installs_them(
    small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    found = checks(small_graph, artefact, small_vectors)
    assert {check.outcome for check in found.values()} == {Outcome.SKIPPED}
    assert "apt-get install ghdl-mcode" in found["ghdl_bit_exact"].detail
    assert "apt-get install iverilog" in found["verilog_equivalence"].detail
    assert "apt-get install yosys" in found["yosys_xc7"].detail


@pytest.mark.parametrize(
    ("mock", "words"),
    [("fails", 'no declaration for "membrane"'), ("crashes", "SIGKILL"), ("records", "without a verdict")],
)
def test_failing_simulator_fails_the_check_in_its_own_words(
    mock: str,
    words: str,
    small_graph: HardwareGraph,
    small_vectors: TestVectors,
    artefact: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LIGHTNING_NEURO_GHDL", str(MOCKS / mock))
    check = checks(small_graph, artefact, small_vectors)["ghdl_bit_exact"]
    assert check.outcome is Outcome.FAILED and words in check.detail


def test_hanging_simulator_is_ended(
    small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTNING_NEURO_GHDL", str(MOCKS / "hangs"))
    check = checks(small_graph, artefact, small_vectors, timeout_s=0.2)["ghdl_bit_exact"]
    assert check.outcome is Outcome.FAILED and "longer than 0.2 s" in check.detail


def test_full_disk_fails_the_check_with_one_sentence(
    small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("LIGHTNING_NEURO_GHDL", str(MOCKS / "records"))
    monkeypatch.setattr(Path, "write_bytes", full)
    check = checks(small_graph, artefact, small_vectors)["ghdl_bit_exact"]
    assert check.outcome is Outcome.FAILED and "No space left on device" in check.detail


def test_simulation_analyses_exactly_the_files_of_the_artefact(artefact: Path) -> None:
    command = [str(part) for part in ghdl.analyse_command("ghdl", artefact)]
    written = {path.name for path in (artefact / "rtl").iterdir()} | {"testbench.vhd"}
    assert {Path(part).name for part in command[3:]} == written
    assert command[1:3] == ["-a", "--std=08"]


def test_yosys_keeps_the_hierarchy_and_asks_for_block_ram_where_weights_are_many(
    small_graph: HardwareGraph,
) -> None:
    layers = target(lanes=1).plan(small_graph)
    text = yosys.script(layers, "snn_top.v", flatten=False)
    assert "synth_xilinx -family xc7 -top snn_top\n" in text
    assert "rom_style" not in text  # 30 weights fit LUTs


def test_cells_are_counted_in_the_last_section() -> None:
    whole = {"LUT1": 1, "LUT6": 20, "RAM32M": 2, "FDRE": 7, "FDSE": 1, "RAMB18E1": 3, "SRL16E": 2, "MUXF7": 4}
    lines = "".join(f"     {name}   {count}\n" for name, count in whole.items())
    cells = yosys.resources(f"=== one ===\n     LUT2   9\n=== design hierarchy ===\n   snn_top   1\n{lines}")
    assert (cells["lut"], cells["lutram"], cells["srl"], cells["ff"]) == (21, 8, 2, 8)
    assert (cells["ramb18"], cells["muxf"], cells["dsp"]) == (3, 4, 0)


def test_latch_cells_are_found() -> None:
    assert yosys.latches("=== design hierarchy ===\n     LDCE   2\n     LUT2   2\n") == ("2 latch cells LDCE",)


@thorough  # the test of the two commands of the README has Yosys too
@needs_ghdl
@needs_yosys
def test_yosys_counts_the_cells_of_a_small_network(
    small_graph: HardwareGraph, small_vectors: TestVectors, artefact: Path
) -> None:
    check = checks(small_graph, artefact, small_vectors)["yosys_xc7"]
    assert check.outcome is Outcome.PASSED and " lut, " in str(check.got)
    assert "xc7" in (artefact / "README.md").read_text()
