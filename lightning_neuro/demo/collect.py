"""From the folder of a demo whose jobs have ended to the rows of its table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from lightning_neuro.demo.plan import Cell, Plan, commands
from lightning_neuro.demo.results import CellResult, result_of
from lightning_neuro.demo.running import Phase, States
from lightning_neuro.report.json_form import from_json
from lightning_neuro.report.model import Report

LOGS = "logs"


def collect(plan: Plan, states: States, folder: Path, shown: str) -> tuple[CellResult, ...]:
    """Read what every cell has left, in the order of the table.

    Args:
        plan: what was done.
        states: how its jobs ended.
        folder: of the demo.
        shown: its name in commands.
    """
    return tuple(_result(plan, cell, states, folder, shown) for cell in plan.shown)


def _result(plan: Plan, cell: Cell, states: States, folder: Path, shown: str) -> CellResult:
    page = f"{cell.training}/deploy/{cell.target}/report.html"
    trained = plan.lineage(cell)
    failed = (t.name for t in trained if states[t.name].phase is not Phase.DONE)
    return result_of(
        cell,
        states[cell.name],
        read_report((folder / page).with_name("report.json")),
        read_metrics(folder / cell.training / "metrics.json"),
        training_s=sum(states[training.name].seconds for training in trained),
        commands=commands(plan, cell, shown),
        report_path=page,
        log_path=f"{LOGS}/{next(failed, cell.name)}.log",
    )


def read_report(path: Path) -> Report | None:
    """The report of an artefact; None where there is none."""
    return from_json(path.read_text(encoding="utf-8")) if path.is_file() else None


def read_metrics(path: Path) -> Mapping[str, float]:
    """The numbers of a training; empty where there are none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
