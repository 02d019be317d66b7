from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from lightning_neuro.errors import Violation
from lightning_neuro.graph.hardware_graph import HardwareGraph
from lightning_neuro.targets import support
from lightning_neuro.targets.support_networks import network

PAGE = Path(__file__).parents[2] / "docs" / "support.md"


def test_the_page_is_what_the_targets_answer(request: pytest.FixtureRequest) -> None:
    found = support.page()
    if request.config.getoption("--regenerate"):
        PAGE.write_text(found, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == found, "run pytest tests/site/test_support.py --regenerate"


def test_a_target_that_refuses_more_changes_its_cell_and_gets_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    fpga = support.targets()["fpga"]
    refusal = Violation(where="hidden", what="mood", needed="good", available="bad", remedy="model=other   (again)")

    def refuse(self: object, graph: HardwareGraph) -> tuple[Violation, ...]:
        return (refusal, dataclasses.replace(refusal, where="output"))

    monkeypatch.setattr(type(fpga), "check", refuse)
    numbers: dict[tuple[str, ...], int] = {}
    assert support._cell("fpga", support.answer(fpga, network()), numbers) == "no [1](#r1)"
    assert numbers == {("`fpga`", "mood: good", "bad", "`model=other` (again)"): 1}
