"""What a deployment proved, and the three ways to show it: terminal, JSON and HTML.

The data and its JSON form are exported here; ``report.terminal``, ``report.html`` and ``report.plots`` are
imported by name, because they load rich, Jinja2 and matplotlib.
"""

from __future__ import annotations

from lightning_neuro.report.json_form import from_json, to_json
from lightning_neuro.report.model import (
    Accuracy,
    Check,
    GraphSummary,
    Outcome,
    Plain,
    Plot,
    PopulationSummary,
    Report,
    Source,
    strict,
)

__all__ = [
    "Accuracy",
    "Check",
    "GraphSummary",
    "Outcome",
    "Plain",
    "Plot",
    "PopulationSummary",
    "Report",
    "Source",
    "from_json",
    "strict",
    "to_json",
]
