"""``report.json``: the form of a report that other programs read (schema 1, in ``report.schema.json``)."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any, TypeVar

import numpy as np

from lightning_neuro.errors import DataError
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
    PopulationSummary,
    Report,
    Source,
    Use,
)
from lightning_neuro.schemas import REPORT as SCHEMA
from lightning_neuro.schemas import refuse_newer

Part = TypeVar("Part")


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
        "capacity": None if report.capacity is None else dataclasses.asdict(report.capacity),
        "reproduce": [dataclasses.asdict(command) for command in report.reproduce],
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
    if isinstance(document, dict):
        refuse_newer(document.get("schema"), SCHEMA, kind=DataError, what="report", where="report.json")
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
    capacity = document.get("capacity")
    return Report(
        target=document["target"],
        source=Source(**document["source"]),
        graph=_read_graph(document["graph"]),
        accuracy=Accuracy(float_=accuracy.pop("float"), **accuracy),
        checks=tuple(_read_check(check) for check in document["checks"]),
        resources=dict(document["resources"]),
        assumptions=tuple(document["assumptions"]),
        seconds=dict(document["seconds"]),
        capacity=None if capacity is None else Capacity(**{**capacity, "uses": _all(Use, capacity["uses"])}),
        reproduce=_all(Command, document.get("reproduce", ())),
    )


def _read_graph(graph: dict[str, Any]) -> GraphSummary:
    entry = graph.get("input")
    return GraphSummary(
        sha256=graph["sha256"],
        populations=_all(PopulationSummary, graph["populations"]),
        input=None if entry is None else InputSummary(**{**entry, "shape": tuple(entry["shape"])}),
        connections=_all(ConnectionSummary, graph.get("connections", ())),
    )


def _read_check(check: dict[str, Any]) -> Check:
    found = check.get("difference")
    difference = None if found is None else Difference(**found)
    return Check(**{**check, "outcome": Outcome(check["outcome"]), "difference": difference})


def _all(kind: Callable[..., Part], entries: Iterable[dict[str, Any]]) -> tuple[Part, ...]:
    return tuple(kind(**entry) for entry in entries)


def _refusal(why: str) -> DataError:
    return DataError(
        "this is not a report that can be read",
        where="report.json",
        why=why,
        next_command="deploy PATH target=...    (writes a new one)",
    )
