"""A report as a table in the terminal; colour helps but carries no meaning alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lightning_neuro.report.model import Check, Outcome, Report
from lightning_neuro.report.wording import (
    VERDICTS,
    accuracy_rows,
    comparison,
    duration,
    flat,
    population_facts,
    tally,
    total_seconds,
    verdict,
)

_STYLE: Mapping[Outcome, str] = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "bold red",
    Outcome.SKIPPED: "yellow",
}


def render(report: Report, *, folder: Path, next_command: str) -> RenderableType:
    """Lay a report out for the terminal.

    Args:
        report: what was found.
        folder: where the artefact lies.
        next_command: what the reader may want to type next.
    """
    parts: list[RenderableType] = [Text(), _headline(report), Text(), _checks(report)]
    parts += _section("accuracy", _accuracy(report))
    layers = ((population.name, population_facts(population)) for population in report.graph.populations)
    parts += _section("layers", _pairs(layers))
    if report.resources:
        parts += _section("resources", _pairs(flat(report.resources)))
    if report.assumptions:
        parts += _section("assumes", _assumptions(report))
    parts += [Text(), _pairs(iter([("artefact", str(folder)), ("next", next_command)])), Text()]
    return Group(*parts)


def _headline(report: Report) -> Text:
    outcome = verdict(report)
    return Text.assemble(
        (f" {VERDICTS[outcome]} ", f"{_STYLE[outcome]} reverse"),
        (f"  {report.target}", "bold"),
        f"  {tally(report)}",
        (f"  in {duration(total_seconds(report.seconds))}" if report.seconds else "", "dim"),
    )


def _checks(report: Report) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="fold")
    table.add_column(overflow="fold", ratio=1)
    table.add_column(justify="right", no_wrap=True, style="dim")
    for check in report.checks:
        word = Text(check.outcome.value, style=_STYLE[check.outcome])
        time = "" if check.outcome is Outcome.SKIPPED else duration(check.seconds)
        table.add_row(word, check.name, _result(check), time)
    return table


def _result(check: Check) -> Text:
    said = Text(comparison(check))
    if check.detail:
        said.append(f"\n{check.detail}", style="dim" if check.outcome is Outcome.PASSED else "")
    return said


def _accuracy(report: Report) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column()
    table.add_column(justify="right", style="bold")
    table.add_column(style="dim")
    for row in accuracy_rows(report):
        table.add_row(row.form, row.percent, row.fraction)
    return table


def _assumptions(report: Report) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    for sentence in report.assumptions:
        table.add_row("-", Text(sentence))
    return table


def _pairs(pairs: Iterator[tuple[str, str]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(Text(name), Text(value))
    return table


def _section(title: str, body: RenderableType) -> list[RenderableType]:
    return [Text(), Text(title, style="bold"), Padding(body, (0, 0, 0, 2))]
