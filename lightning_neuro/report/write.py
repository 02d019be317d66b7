"""Put a report beside its artefact: report.json for programs, report.html with pictures for people."""

from __future__ import annotations

from pathlib import Path

from lightning_neuro.report.first_difference import difference_panels
from lightning_neuro.report.html import plot_panel, to_html
from lightning_neuro.report.json_form import to_json
from lightning_neuro.report.model import Report
from lightning_neuro.report.panels import Evidence, cycles_panel, panels

__all__ = ["Evidence", "write_report"]


def write_report(report: Report, folder: Path, evidence: Evidence) -> None:
    """Write ``report.json`` and ``report.html`` into an artefact's folder.

    Args:
        report: what was found.
        folder: the artefact.
        evidence: what the pictures are drawn from.
    """
    (folder / "report.json").write_text(to_json(report), encoding="utf-8")
    page = to_html(
        report,
        differences=difference_panels(report, evidence),
        panels=(*panels(evidence), *cycles_panel(report.resources), *map(plot_panel, evidence.plots)),
    )
    (folder / "report.html").write_text(page, encoding="utf-8")
