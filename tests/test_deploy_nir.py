"""The files of the NIR paper through the whole of deploy, with a target that only writes a file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.graph.test_lower import FILES
from tests.test_deploy import run


@pytest.mark.parametrize("name", FILES)
def test_published_files_are_rounded_run_and_read_back(shared_data: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(shared_data / "nir" / f"{name}.nir", tmp_path / "x.nir")
    report, folder = run(tmp_path / "x.nir", dt_s=FILES[name])
    assert report.ok and report.checks[0].name == "nir_round_trip"
    assert (folder / "report.html").is_file()
    if "braille" in name:
        assert any("closes a loop" in line for line in report.assumptions)
