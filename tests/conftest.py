"""What all tests share: the flag that rewrites golden files, and the folder of real data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="rewrite golden files; review them as diffs")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, or a skip with the reason."""
    folder = Path(os.environ.get("LIGHTNING_NEURO_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no data folder {folder}; set LIGHTNING_NEURO_SHARED")
    return folder
