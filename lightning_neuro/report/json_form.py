"""``report.json``: the form of a report that other programs read (schema 1, in ``report.schema.json``)."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from lightning_neuro.errors import DataError
from lightning_neuro.report.model import (
    Accuracy,
    Check,
    GraphSummary,
    Outcome,
    PopulationSummary,
    Report,
    Source,
)

SCHEMA = 1


def to_json(report: Report) -> str:
    """Write a report as JSON text (schema 1), always valid JSON: NaN and infinities become null.

    Args:
        report: the report; its resources may hold numpy numbers and arrays.

    Raises:
        TypeError: the resources hold something that has no JSON form.
    """
    accuracy = dataclasses.asdict(report.accuracy)
    accuracy = {"float": accuracy.pop("float_"), **accuracy}
    document = {
        "schema": SCHEMA,
        "target": report.target,
        "ok": report.ok,
        "source": dataclasses.asdict(report.source),
        "graph": dataclasses.asdict(report.graph),
        "accuracy": accuracy,
        "checks": [dataclasses.asdict(check) for check in report.checks],
        "resources": report.resources,
        "assumptions": report.assumptions,
        "seconds": report.seconds,
    }
    return json.dumps(plain(document), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def plain(value: object) -> Any:
    """Turn a value into what JSON has: mappings, lists, text, finite numbers, booleans and null.

    >>> plain({"lut": np.int64(7), "fmax": float("nan")})
    {'lut': 7, 'fmax': None}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Outcome):
        return value.value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    kind = type(value).__name__
    raise TypeError(f"a report cannot hold {kind} {value!r}; give a number, text, list or mapping")


def from_json(text: str) -> Report:
    """Read a report back.

    Args:
        text: contents of a ``report.json``.

    Raises:
        DataError: the text is not a report of this schema, or its verdict contradicts its checks.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _refusal(f"not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        found = document.get("schema") if isinstance(document, dict) else type(document).__name__
        raise _refusal(f"schema {found!r}, and this version reads schema {SCHEMA}")
    try:
        report = _read(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _refusal(f"{type(error).__name__}: {error}") from error
    if document["ok"] is not report.ok:
        raise _refusal(f'"ok" is {document["ok"]}, and the checks say {report.ok}')
    return report


def _read(document: dict[str, Any]) -> Report:
    accuracy = dict(document["accuracy"])
    graph = document["graph"]
    checks = (Check(**{**check, "outcome": Outcome(check["outcome"])}) for check in document["checks"])
    return Report(
        target=document["target"],
        source=Source(**document["source"]),
        graph=GraphSummary(
            sha256=graph["sha256"],
            populations=tuple(PopulationSummary(**population) for population in graph["populations"]),
        ),
        accuracy=Accuracy(float_=accuracy.pop("float"), **accuracy),
        checks=tuple(checks),
        resources=dict(document["resources"]),
        assumptions=tuple(document["assumptions"]),
        seconds=dict(document["seconds"]),
    )


def _refusal(why: str) -> DataError:
    return DataError(
        "this is not a report that can be read",
        where="report.json",
        why=why,
        next_command="deploy PATH target=...    (writes a new one)",
    )
