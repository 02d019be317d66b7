"""A report as one self-contained page: no script, no network, pictures inside."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from lightning_neuro.report.charts.bars import capacity
from lightning_neuro.report.charts.topology import topology
from lightning_neuro.report.model import Outcome, Plot, Report
from lightning_neuro.report.panels import Panel
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


def to_html(report: Report, *, differences: Sequence[Panel], panels: Sequence[Panel]) -> str:
    """Write a report as an HTML page.

    Args:
        report: what was found.
        differences: pictures of the first differences, which come first.
        panels: all other pictures, in the order in which they appear.
    """
    outcome = verdict(report)
    return _template().render(
        report=report,
        differences=differences,
        panels=panels,
        outcome=outcome.value,
        verdict=VERDICTS[outcome],
        explanation=_EXPLANATIONS[outcome],
        tally=tally(report),
        accuracy=accuracy_rows(report),
        resources=tuple(flat(report.resources)),
        total_seconds=total_seconds(report.seconds),
        topology=topology(report.graph),
        capacity="" if report.capacity is None else capacity(report.capacity),
    )


def plot_panel(plot: Plot) -> Panel:
    """A picture of matplotlib as part of the page: as SVG in the page's colours, or as it is."""
    if plot.svg:
        number = zlib.crc32(plot.svg.encode())  # ids must be unique in a page
        svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>p{number:x}-", plot.svg)
        body = Markup('<div class="drawn" role="img" aria-label="{}">{}</div>').format(plot.caption, Markup(svg))
    else:
        data = base64.b64encode(plot.png).decode("ascii")
        body = Markup('<img src="data:image/png;base64,{}" alt="{}">').format(data, plot.caption)
    return Panel(title=plot.title, body=body, caption=plot.caption)


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
        "comparison": comparison,
        "duration": duration,
        "number": number,
    }
    return environment.get_template("report.html.j2")
