"""A tiny demo from one end to the other: one training, an artefact that passes and one that physics forbids."""

from __future__ import annotations

import json
import shutil

import pytest
from rich.console import Console

from lightning_neuro.demo.command import Options, demo, main, named, options
from lightning_neuro.demo.plan import Cell, Plan, Training
from lightning_neuro.demo.plans import FULL, QUICK
from lightning_neuro.demo.results import Verdict
from lightning_neuro.errors import ConfigError
from lightning_neuro.report.json_form import from_json

NETWORK = ("model=lif", "trainer=debug", "model.layers=[null,8,null]", "model.bias=true")  # BrainScaleS-2 has none
TINY = Plan(
    models=("lif",),
    targets=("fpga", "brainscales"),
    trainings=(Training(name="lif", overrides=NETWORK),),
    cells=(
        Cell(model="lif", target="fpga", training="lif", overrides=("verify.samples=1", "target.synthesis=false")),
        Cell(model="lif", target="brainscales", training="lif", forbidden=True),
    ),
)


@pytest.mark.skipif(shutil.which("ghdl") is None, reason="ghdl is not installed; apt-get install ghdl-mcode")
def test_two_cells_from_training_to_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    console = Console(file=(tmp_path / "said").open("w"), width=132)
    wanted = options(["--out=results", "--jobs=2"])
    passed, refused = demo(Options(plan=TINY, out=wanted.out, slots=wanted.slots), console)
    console.file.close()

    results = tmp_path / "results"
    report = from_json((results / "lif/deploy/fpga/report.json").read_text())
    assert passed.verdict is not Verdict.FAILED, passed.words
    assert passed.wrong is not None and passed.wrong.compared > 0 and passed.wrong.differing == 0
    assert passed.on_target is not None and passed.on_target.samples == report.accuracy.artefact_samples == 1
    assert refused.verdict is Verdict.REFUSED and refused.refusal is not None
    assert "bias" in refused.refusal.reason
    assert not (results / "lif/deploy/brainscales").exists()

    assert {path.name for path in results.iterdir()} == {"lif", "logs", "index.html", "demo.json"}
    assert {path.name for path in (results / "logs").iterdir()} == {"lif.log", "lif-fpga.log", "lif-brainscales.log"}
    assert all((results / name).is_file() for name in (passed.report, passed.log, refused.log) if name)
    document = json.loads((results / "demo.json").read_text())
    assert document["ok"] and [cell["verdict"] for cell in document["cells"]] == [passed.verdict.value, "refused"]
    assert report.source.path == "results/lif/best.ckpt"  # as it is found afterwards, not the temporary place
    said = (tmp_path / "said").read_text()
    assert "lif: training" in said and "2 cell(s) in" in said and "results/index.html" in said


def test_a_folder_of_somebody_else_is_kept(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match="taken"):
        demo(Options(plan=QUICK, out=tmp_path, slots=1), Console(quiet=True))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(("verdict", "code"), [(Verdict.PASSED, 0), (Verdict.REFUSED, 0), (Verdict.FAILED, 1)])
def test_the_exit_code_is_one_when_a_cell_failed(nine, monkeypatch, verdict, code):
    rows = [row for row in nine if row.verdict is verdict]
    monkeypatch.setattr("lightning_neuro.demo.command.demo", lambda *_: rows)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as leaving:
        main(["--quick"])
    assert int(leaving.value.code or 0) == code


def test_options_choose_the_plan_and_the_folder():
    assert options([]).plan is FULL and options([]).out.as_posix() == "outputs/demo"
    quick = options(["--quick", "out=here"])
    assert quick.plan is QUICK and quick.out.as_posix() == "here"
    assert named(quick.out).as_posix() == "here"


def test_less_than_one_job_is_refused(capsys):
    with pytest.raises(SystemExit) as leaving:
        options(["--jobs=0"])
    assert leaving.value.code == 2 and "at least 1" in capsys.readouterr().err
