"""A report as one self-contained page: no script, no network, pictures inside."""

from __future__ import annotations

import base64
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from lightning_neuro.report.model import Outcome, Plot, Report
from lightning_neuro.report.wording import (
    VERDICTS,
    accuracy_rows,
    comparison,
    duration,
    flat,
    number,
    tally,
    total_seconds,
    verdict,
)

_EXPLANATIONS = {
    Outcome.PASSED: "Every check that ran agreed with the golden model's answer or met its limit.",
    Outcome.FAILED: "At least one check found a difference. Do not use this artefact.",
    Outcome.SKIPPED: "At least one check did not run; what it would have shown is not proved.",
}


def to_html(report: Report, *, plots: tuple[Plot, ...]) -> str:
    """Write a report as an HTML page.

    Args:
        report: what was found.
        plots: pictures, in the order in which they appear; the first one takes the whole width.
    """
    outcome = verdict(report)
    return _template().render(
        report=report,
        plots=plots,
        outcome=outcome.value,
        verdict=VERDICTS[outcome],
        explanation=_EXPLANATIONS[outcome],
        tally=tally(report),
        accuracy=accuracy_rows(report),
        resources=tuple(flat(report.resources)),
        total_seconds=total_seconds(report.seconds),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("lightning_neuro.report", "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "base64": lambda data: base64.b64encode(data).decode("ascii"),
        "comparison": comparison,
        "duration": duration,
        "number": number,
    }
    return environment.get_template("report.html.j2")
