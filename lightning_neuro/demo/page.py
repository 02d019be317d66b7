"""The demo as one self-contained page, and as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template

from lightning_neuro.demo.results import CellResult, Verdict
from lightning_neuro.report.wording import duration

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What holds for the whole demo.

    Args:
        machine, software: in words.
        slots: jobs at a time.
        seconds: wall time of everything.
    """

    machine: str
    software: str
    slots: int
    seconds: float


def to_html(results: Sequence[CellResult], facts: Facts) -> str:
    """Write the page.

    Args:
        results: cells, in the order of the table.
        facts: of the whole demo.
    """
    return _template().render(
        results=results,
        facts=facts,
        models=list(dict.fromkeys(result.cell.model for result in results)),
        targets=list(dict.fromkeys(result.cell.target for result in results)),
        cells={(result.cell.model, result.cell.target): result for result in results},
        outcome=outcome(results).value,
        tally=tally(results),
        works_on=works_on(results),
    )


def outcome(results: Sequence[CellResult]) -> Verdict:
    """Of all cells; those that physics forbids do not count."""
    verdicts = {result.verdict for result in results}
    return next((worst for worst in (Verdict.FAILED, Verdict.INCOMPLETE) if worst in verdicts), Verdict.PASSED)


def tally(results: Sequence[CellResult]) -> str:
    """Verdicts, counted in words."""
    counts = {verdict: sum(result.verdict is verdict for result in results) for verdict in Verdict}
    return ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)


def works_on(results: Sequence[CellResult]) -> dict[str, list[CellResult]]:
    """Per target the cells that have an artefact: what to use instead of a network that it refuses."""
    targets = dict.fromkeys(result.cell.target for result in results)
    return {name: [r for r in results if r.cell.target == name and r.verdict is Verdict.PASSED] for name in targets}


def to_json(results: Sequence[CellResult], facts: Facts) -> str:
    """Write the same numbers for programs."""
    document = {
        "schema": SCHEMA,
        "ok": outcome(results) is not Verdict.FAILED,
        "facts": dataclasses.asdict(facts),
        "cells": [dataclasses.asdict(result) for result in results],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


@cache
def _template() -> Template:
    own, reports = (PackageLoader(f"lightning_neuro.{package}", "templates") for package in ("demo", "report"))
    environment = Environment(
        loader=ChoiceLoader([own, reports]),  # the look of reports is the look of this page
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration}
    return environment.get_template("index.html.j2")
