import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from lightning_neuro.errors import DataError
from lightning_neuro.report import Accuracy, Report, from_json, to_json
from tests.report.conftest import FAILED, PASSED, SKIPPED

SCHEMA = json.loads(files("lightning_neuro.report").joinpath("report.schema.json").read_text())


def test_document_has_the_agreed_keys(make_report: Callable[..., Report]) -> None:
    document = json.loads(to_json(make_report(PASSED)))
    assert list(document) == [
        "schema", "target", "ok", "source", "graph", "accuracy", "checks", "resources", "assumptions",
        "seconds", "capacity", "reproduce",
    ]  # fmt: skip
    assert document["schema"] == 1
    assert list(document["accuracy"]) == ["float", "quantized", "artefact", "samples", "artefact_samples"]
    assert list(document["checks"][0])[:5] == ["name", "outcome", "expected", "got", "detail"]
    assert document["checks"][0]["outcome"] == "passed"


def test_document_keeps_the_published_schema(make_report: Callable[..., Report]) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(to_json(make_report(PASSED, FAILED, SKIPPED))), SCHEMA)


def test_schema_refuses_an_unknown_outcome(make_report: Callable[..., Report]) -> None:
    document = json.loads(to_json(make_report(PASSED)))
    document["checks"][0]["outcome"] = "probably"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA)


def test_report_survives_the_round_trip(make_report: Callable[..., Report]) -> None:
    report = make_report(PASSED, FAILED, SKIPPED)
    assert from_json(to_json(report)) == report


def test_not_a_number_becomes_null(make_report: Callable[..., Report]) -> None:
    nan = float("nan")
    accuracy = Accuracy(float_=nan, quantized=None, artefact=float("inf"), samples=0, artefact_samples=0)
    resources = {"fmax": np.float32("nan"), "list": [nan]}
    text = to_json(make_report(PASSED, accuracy=accuracy, resources=resources))
    document = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert document["accuracy"]["float"] is None and document["accuracy"]["artefact"] is None
    assert document["resources"] == {"fmax": None, "list": [None]}
    jsonschema.validate(document, SCHEMA)


def test_numpy_numbers_and_paths_become_plain(make_report: Callable[..., Report]) -> None:
    resources = {"LUT": np.int64(7), "cycles": np.array([1, 2]), "log": Path("a/b"), "fits": np.bool_(True)}
    document = json.loads(to_json(make_report(PASSED, resources=resources)))
    assert document["resources"] == {"LUT": 7, "cycles": [1, 2], "log": "a/b", "fits": True}


def test_value_without_json_form_is_refused_not_guessed(make_report: Callable[..., Report]) -> None:
    with pytest.raises(TypeError, match="cannot hold set"):
        to_json(make_report(PASSED, resources={"pins": {1, 2}}))


def spoil(document: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> str:
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(schema=2),
        lambda d: d.pop("graph"),
        lambda d: d["checks"][0].update(outcome="maybe"),
        lambda d: d["checks"][0].update(colour="green"),
        lambda d: d.update(ok=False),
    ],
    ids=["other schema", "missing part", "unknown outcome", "unknown key", "verdict against checks"],
)
def test_damaged_report_is_refused(make_report: Callable[..., Report], change: Callable) -> None:
    with pytest.raises(DataError):
        from_json(spoil(json.loads(to_json(make_report(PASSED))), change))


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_text_that_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        from_json(text)
