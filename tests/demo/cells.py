"""Recorded reports of real deployments, a recorded refusal, and states of jobs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from lightning_neuro.demo.page import Facts
from lightning_neuro.demo.plans import FULL
from lightning_neuro.demo.running import JobState, Phase
from lightning_neuro.progress_lines import read_told
from lightning_neuro.report import Report
from lightning_neuro.report.json_form import from_json

RECORDED = Path(__file__).parent / "recorded"
DONE = JobState(phase=Phase.DONE, seconds=42.5)
FAILED = JobState(phase=Phase.FAILED, seconds=3.0, words="elaborating\nno such simulator <ghdl>")
FACTS = Facts(machine="a processor, 2 cores", software="lightning_neuro 1", slots=2, seconds=301.0)
REPORTS = {"fpga": "lif-fpga", "spinnaker": "rate-spinnaker", "brainscales": "lif-brainscales"}
CELLS = {cell.name: cell for cell in FULL.cells}


def recorded(name: str) -> Report:
    """The report of a cell."""
    return from_json((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


def refused() -> JobState:
    """The state of a deployment that said what was really said."""
    return JobState(phase=Phase.REFUSED, seconds=2.0, refusal=read_told(RECORDED / "rate-brainscales.progress").refusal)


def with_checks(report: Report, **changes: object) -> Report:
    """A report whose last check came out differently."""
    last = dataclasses.replace(report.checks[-1], **changes)
    return dataclasses.replace(report, checks=(*report.checks[:-1], last))
