"""Files that a newer lightning_neuro wrote are refused in one sentence that says so; nothing else is called newer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

import nir
import pytest
import torch

from lightning_neuro import cli, schemas
from lightning_neuro.checkpoint import KEY
from lightning_neuro.errors import CheckpointError, ConfigError, DataError, NeuroError, NirError
from lightning_neuro.report import Accuracy, Check, GraphSummary, Outcome, Report, Source, from_json, to_json
from lightning_neuro.search.journal import Heading, Journal
from lightning_neuro.source import load_source
from tests.test_checkpoint import small_network, small_plain


def checkpoint(path: Path, ahead: int) -> None:
    torch.save({KEY: {**small_plain(), "schema": schemas.CHECKPOINT + ahead}}, path / "a.ckpt")
    load_source(path / "a.ckpt", dt_s=None)


def nir_file(path: Path, ahead: int) -> None:
    graph, metadata = small_network()
    graph.metadata = {**metadata.to_dict(), "schema": schemas.NIR_METADATA + ahead}
    nir.write(path / "a.nir", graph)
    load_source(path / "a.nir", dt_s=None)


def report(path: Path, ahead: int) -> None:
    document = json.loads(to_json(REPORT))
    from_json(json.dumps({**document, "schema": schemas.REPORT + ahead}))


def journal(path: Path, ahead: int) -> None:
    line = json.dumps({**json.loads(HEADING.to_line()), "schema": schemas.JOURNAL + ahead})
    (path / "points.jsonl").write_text(line + "\n")
    Journal(path / "points.jsonl", HEADING)


HEADING = Heading(sha256="0" * 64, samples=3, inputs="1" * 64, lanes="auto", populations=("lif",))
REPORT = Report(
    target="fpga",
    source=Source(path="a.ckpt", sha256="0" * 64),
    graph=GraphSummary(sha256="0" * 64, populations=()),
    accuracy=Accuracy(float_=0.9, quantized=0.9, artefact=1.0, samples=2, artefact_samples=2),
    checks=(Check(name="a", outcome=Outcome.PASSED, expected="0", got="0", detail="", seconds=0.1),),
    resources={},
    assumptions=(),
    seconds={},
)

Read = Callable[[Path, int], None]
FORMATS: list[tuple[Read, str, int, type[NeuroError]]] = [
    (checkpoint, "checkpoint", schemas.CHECKPOINT, CheckpointError),
    (nir_file, "NIR file", schemas.NIR_METADATA, NirError),
    (report, "report", schemas.REPORT, DataError),
    (journal, "journal of a search", schemas.JOURNAL, ConfigError),
]


@pytest.mark.parametrize(("read", "what", "known", "kind"), FORMATS, ids=[what for _, what, _, _ in FORMATS])
def test_a_newer_file_is_refused_and_the_present_one_is_read(
    read: Read, what: str, known: int, kind: type[NeuroError], tmp_path: Path
) -> None:
    read(tmp_path, 0)
    with pytest.raises(kind) as caught:
        read(tmp_path, 1)
    message = f"this {what} was written by a newer lightning_neuro; this one reads schema {known}"
    assert type(caught.value) is kind and caught.value.what == message
    assert caught.value.next_command == "pip install -U lightning-neuro"


@pytest.mark.parametrize("suffix", [".ckpt", ".nir"])
def test_the_command_says_so_too(suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NeuroError):
        {".ckpt": checkpoint, ".nir": nir_file}[suffix](tmp_path, 1)
    with pytest.raises(SystemExit) as ended:
        cli.main(["deploy", str(tmp_path / f"a{suffix}"), "target=spinnaker"])
    assert ended.value.code == 2
    assert "was written by a newer lightning_neuro" in capsys.readouterr().err
    assert not (tmp_path / "deploy").exists()


@pytest.mark.parametrize("found", [None, "rubbish", -1, 0, 1, "1", 1.5, []])
def test_damage_and_older_versions_are_not_called_newer(found: object) -> None:
    schemas.refuse_newer(found, 1, kind=NeuroError, what="file", where="x")


@pytest.mark.parametrize("found", [2, "2", 99])
def test_numbers_and_digits_are_versions(found: object) -> None:
    with pytest.raises(NeuroError, match="newer"):
        schemas.refuse_newer(found, 1, kind=NeuroError, what="file", where="x")


def test_the_published_schema_of_the_report_is_the_one_written() -> None:
    published = json.loads(files("lightning_neuro.report").joinpath("report.schema.json").read_text(encoding="utf-8"))
    assert published["properties"]["schema"] == {"const": schemas.REPORT}


def test_a_report_survives_writing_and_reading() -> None:
    assert asdict(from_json(to_json(REPORT))) == asdict(REPORT)
