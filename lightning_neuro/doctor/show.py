"""Findings as a table for people and as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from lightning_neuro.doctor.examine import healthy
from lightning_neuro.doctor.finding import Finding, Status

STYLES = {Status.GOOD: "green", Status.NOTE: "yellow", Status.ABSENT: "bright_black", Status.BROKEN: "bold red"}


def table(findings: Sequence[Finding]) -> Table:
    """One table with a heading for each group."""
    shown = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    for column in ("status", "name", "found"):
        shown.add_column(column, no_wrap=True)
    shown.add_column("detail", overflow="fold")
    group = ""
    for finding in findings:
        if finding.group != group:
            shown.add_row("", Text(finding.group, style="bold"), "", "")
            group = finding.group
        status = Text(finding.status.value, style=STYLES[finding.status])
        shown.add_row(status, finding.name, finding.found, finding.detail)
    return shown


def remedies(findings: Sequence[Finding]) -> list[str]:
    """Commands for what is broken, then for what is absent; each once, on a line of its own that can be copied."""
    lines = []
    for status in (Status.BROKEN, Status.NOTE, Status.ABSENT):
        wanted: dict[str, list[str]] = {}
        for finding in findings:
            if finding.remedy and finding.status is status:
                wanted.setdefault(finding.remedy, []).append(finding.name)
        lines += [f"{remedy}    # {', '.join(names)}" for remedy, names in wanted.items()]
    return lines


def verdict(findings: Sequence[Finding]) -> str:
    """The closing sentence."""
    broken = [finding.name for finding in findings if finding.status is Status.BROKEN]
    absent = sum(finding.status is Status.ABSENT for finding in findings)
    if broken:
        return f"broken: {', '.join(broken)}; the commands above help"
    return "everything needed works" + (f"; {absent} optional part(s) absent" if absent else "")


def to_json(findings: Sequence[Finding]) -> str:
    """As JSON: whether all is well, and each finding."""
    plain = [{**dataclasses.asdict(finding), "status": finding.status.value} for finding in findings]
    return json.dumps({"ok": healthy(findings), "findings": plain}, indent=2)
