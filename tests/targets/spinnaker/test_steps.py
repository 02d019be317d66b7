"""Steps that binary fractions cannot name must not move a spike."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.targets.spinnaker import boards


@pytest.mark.skipif(find_spec("nest") is None, reason="NEST is not installed: pip install nest-simulator")
@pytest.mark.parametrize("dt_s", [1e-4, 3e-4, 7e-4])
def test_spikes_keep_their_steps_where_the_step_is_no_binary_fraction(dt_s: float, tmp_path: Path) -> None:
    made = boards.deployed(dataclasses.replace(boards.recurrent(hidden=30), dt_s=dt_s), tmp_path)
    command = [sys.executable, str(made.folder / "network.py"), "--backend", "nest", "--check"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
    assert "hidden: 0 mismatching spikes" in run.stdout
