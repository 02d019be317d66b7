"""Rows of the demo's table from recorded reports."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lightning_neuro.demo.plan import Cell, commands
from lightning_neuro.demo.plans import FULL
from lightning_neuro.demo.results import CellResult, result_of
from lightning_neuro.demo.running import JobState
from lightning_neuro.report import Report
from tests.demo.cells import CELLS, DONE, FAILED, REPORTS, recorded, refused


@pytest.fixture
def result() -> Callable[..., CellResult]:
    """A row of the table from the state of its job and its report."""

    def result_(
        name: str, state: JobState = DONE, report: Report | None = None, *, cell: Cell | None = None, **metrics: float
    ) -> CellResult:
        cell = cell or CELLS[name]
        return result_of(
            cell, state, report, {key.replace("__", "/"): value for key, value in metrics.items()},
            training_s=61.0, commands=commands(FULL, cell, "outputs/demo"),
            report_path=f"{cell.training}/deploy/{cell.target}/report.html", log_path=f"logs/{cell.name}.log",
        )  # fmt: skip

    return result_


@pytest.fixture
def nine(result) -> tuple[CellResult, ...]:
    """A demo in which all went well but for one failure, one refusal and one unproved cell."""
    reports = {target: recorded(name) for target, name in REPORTS.items()}
    states = {"lif-spinnaker": FAILED, "rate-brainscales": refused()}
    return tuple(
        result(cell.name, states.get(cell.name, DONE), None if cell.name in states else reports[cell.target])
        for cell in FULL.shown
    )
