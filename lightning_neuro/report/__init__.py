"""What a deployment proved, and the three ways to show it: terminal, JSON and HTML.

The data and its JSON form are exported here; ``report.terminal``, ``report.html`` and ``report.plots`` are
imported by name, because they load rich, Jinja2 and matplotlib.
"""

from __future__ import annotations

from lightning_neuro.report.json_form import from_json, to_json
from lightning_neuro.report.model import (
    Accuracy,
    Capacity,
    Check,
    Command,
    ConnectionSummary,
    Difference,
    GraphSummary,
    InputSummary,
    Outcome,
    Plain,
    Plot,
    PopulationSummary,
    Report,
    Source,
    Use,
    strict,
)
from lightning_neuro.report.observed import Clock, Events, Observed

__all__ = [
    "Accuracy",
    "Capacity",
    "Check",
    "Clock",
    "Command",
    "ConnectionSummary",
    "Difference",
    "Events",
    "GraphSummary",
    "InputSummary",
    "Observed",
    "Outcome",
    "Plain",
    "Plot",
    "PopulationSummary",
    "Report",
    "Source",
    "Use",
    "from_json",
    "strict",
    "to_json",
]
