"""What all tests share: the flag that rewrites golden files, the folder of real data, and what makes them quick."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from contextlib import nullcontext
from pathlib import Path

import pytest
from matplotlib.figure import Figure

ROOT = Path(__file__).parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="rewrite golden files; review them as diffs")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Thousands of tests and all modules stay to the end: Lightning's calls of the garbage collector can skip them."""
    del session
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Write pictures without drawing them, which takes as long as a small training, but for tests that look at them."""
    with nullcontext() if item.get_closest_marker("draws") else pytest.MonkeyPatch.context() as patch:
        if patch is not None:
            patch.setattr(Figure, "draw", lambda figure, renderer: None)
        return (yield)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, or a skip with the reason."""
    folder = Path(os.environ.get("LIGHTNING_NEURO_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no data folder {folder}; set LIGHTNING_NEURO_SHARED")
    return folder
