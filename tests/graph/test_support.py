from __future__ import annotations

from pathlib import Path

import pytest

from lightning_neuro.graph.discretise import NEURONS
from lightning_neuro.graph.profiles import PROFILES
from lightning_neuro.graph.signals import NODES
from lightning_neuro.graph.support import END, START, page, tables

PAGE = Path(__file__).parents[2] / "docs" / "nir.md"


def test_the_page_is_what_the_code_says(request: pytest.FixtureRequest) -> None:
    text = PAGE.read_text(encoding="utf-8")
    if request.config.getoption("--regenerate"):
        PAGE.write_text(page(text), encoding="utf-8")
        text = PAGE.read_text(encoding="utf-8")
    assert text == page(text), "run pytest tests/graph/test_support.py --regenerate and review the difference"


def test_every_node_and_profile_is_in_the_tables() -> None:
    text = tables()
    assert all(f"| {kind.__name__} |" in text for kind in (*NODES, *NEURONS))
    assert all(f"| {name} |" in text for name in PROFILES)


def test_a_changed_table_would_be_noticed() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert START in text and END in text and page(text.replace("| snntorch |", "| other |")) == page(text)
