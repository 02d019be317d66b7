"""The export command: a checkpoint as plain NIR or for another tool, proved before the file appears."""

from __future__ import annotations

from pathlib import Path

import nir
import pytest
import torch

from lightning_neuro import cli
from lightning_neuro.checkpoint import KEY
from lightning_neuro.errors import ConfigError, NirError
from lightning_neuro.export import export
from lightning_neuro.graph.digest import graph_sha256
from lightning_neuro.graph.lower import lower
from lightning_neuro.graph.nir_file import read_nir
from lightning_neuro.source import load_source
from tests.test_checkpoint import small_plain


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "epoch=4-step=10.ckpt"
    plain = small_plain()
    plain["metadata"]["resets"] = '{"lif": "zero/0"}'
    plain["quantized"] = None
    torch.save({KEY: plain}, path)
    return path


def test_plain_nir_says_everything(checkpoint: Path) -> None:
    done = export(checkpoint, out=None, profile=None, dt_s=None, samples=4)
    assert done.path == checkpoint.with_suffix(".nir") and done.comparison.mismatches == 0
    record = load_source(checkpoint, dt_s=None).record
    again = lower(*read_nir(done.path, dt_s=None))
    assert graph_sha256(again) == graph_sha256(lower(record.graph, record.metadata))


def test_a_profile_writes_for_its_reader(checkpoint: Path) -> None:
    done = export(checkpoint, out=checkpoint.parent / "n.nir", profile="norse", dt_s=None, samples=4)
    assert any("norse 1.1.0" in note for note in done.notes)
    assert nir.read(done.path).metadata["profile"] == "norse"


def test_a_refusal_leaves_no_file(checkpoint: Path) -> None:
    with pytest.raises(NirError, match="profile=hxtorch cannot say"):
        export(checkpoint, out=None, profile="hxtorch", dt_s=None, samples=4)
    assert [p.name for p in checkpoint.parent.iterdir()] == [checkpoint.name]


def test_the_source_is_not_overwritten(checkpoint: Path) -> None:
    written = export(checkpoint, out=None, profile=None, dt_s=None, samples=4).path
    with pytest.raises(ConfigError, match="is the file that is exported"):
        export(written, out=None, profile=None, dt_s=None, samples=4)


def command(*arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    monkeypatch.setattr("sys.argv", ["lightning-neuro", "export", *arguments])
    code = 0
    try:
        cli.main()
    except SystemExit as left:
        code = int(left.code or 0)
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_the_command_says_what_it_wrote(checkpoint: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(checkpoint.parent)
    code, text = command(checkpoint.name, "out=x.nir", "profile=norse", capsys=capsys, monkeypatch=monkeypatch)
    assert code == 0 and "wrote x.nir: 0 of" in text and "from_nir" in text and Path("x.nir").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "lightning-neuro export PATH"),
        (("out=x.nir",), "not a .ckpt or .nir file"),
        (("absent.ckpt",), "no such checkpoint"),
        (("x.ckpt", "profile=nest"), "profile=nest is unknown"),
        (("x.ckpt", "dt=fast"), "dt='fast'"),
        (("x.ckpt", "samples=0"), "samples=0"),
        (("x.ckpt", "colour=red"), "colour"),
    ],
)
def test_a_user_mistake_is_one_message_and_exit_code_2(
    arguments: tuple[str, ...], message: str, checkpoint: Path, capsys, monkeypatch
) -> None:
    monkeypatch.chdir(checkpoint.parent)
    checkpoint.rename("x.ckpt")
    code, text = command(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert code == 2 and message in text and "Traceback" not in text
    assert [p.name for p in Path().iterdir()] == ["x.ckpt"]
