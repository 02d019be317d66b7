"""Cells as they come out of recorded reports: of real deployments, only shortened."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_neuro.demo.page import Facts
from lightning_neuro.demo.plan import Cell, commands
from lightning_neuro.demo.plans import FULL
from lightning_neuro.demo.results import CellResult, result_of
from lightning_neuro.demo.running import JobState, Phase
from lightning_neuro.progress_lines import read_told
from lightning_neuro.report import Report
from lightning_neuro.report.json_form import from_json

RECORDED = Path(__file__).parent / "recorded"
DONE = JobState(phase=Phase.DONE, seconds=42.5)
FAILED = JobState(phase=Phase.FAILED, seconds=3.0, words="elaborating\nno such simulator <ghdl>")
FACTS = Facts(machine="a processor, 2 cores", software="lightning_neuro 1", slots=2, seconds=301.0)
CELLS = {cell.name: cell for cell in FULL.cells}


def recorded(name: str) -> Report:
    """The report of a cell."""
    return from_json((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


def refused() -> JobState:
    """The state of a deployment that said what was really said."""
    return JobState(phase=Phase.REFUSED, seconds=2.0, refusal=read_told(RECORDED / "rate-brainscales.progress").refusal)


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


REPORTS = {"fpga": "lif-fpga", "spinnaker": "rate-spinnaker", "brainscales": "spike_time-brainscales"}


def with_checks(report: Report, **changes: object) -> Report:
    """A report whose last check came out differently."""
    last = dataclasses.replace(report.checks[-1], **changes)
    return dataclasses.replace(report, checks=(*report.checks[:-1], last))
