"""``python train.py model.quantize=...`` and what comes after it: fine-tuning, a search, deployment with its widths."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from lightning_neuro.checkpoint import load_record
from lightning_neuro.commands.deploy import deploy_from_overrides
from lightning_neuro.commands.search import search_from_overrides
from lightning_neuro.errors import ConfigError
from lightning_neuro.tools import find_tool
from lightning_neuro.train import main

SMALL = ("model.layers=[null,16,null]", "trainer.max_epochs=2", "callbacks.progress=null", "test=false")
FEW = ("space.weight_bits=[4,5]", "space.state_bits=[8]", "space.leak_bits=[3]", "workers=1", "tolerance=1.0")
needs_ghdl = pytest.mark.skipif(find_tool("ghdl") is None, reason="needs ghdl (apt-get install ghdl-mcode)")


def silent(what: str, done: int, total: int) -> None:
    del what, done, total


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a run in real numbers, ``plain``, and a fine-tuned one, ``rounded``."""
    folder = tmp_path_factory.mktemp("runs")
    more = {"plain": (), "rounded": ("model.quantize=w3v9d4", f"start_from={folder / 'plain' / 'best.ckpt'}")}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, overrides in more.items():
            patch.setattr(sys, "argv", ["train.py", f"hydra.run.dir={folder / name}", *SMALL, *overrides])
            main()
    return folder


def copied(path: Path, folder: Path) -> Path:
    (folder / "best.ckpt").write_bytes(path.read_bytes())
    return folder / "best.ckpt"


def test_a_fine_tuned_run_keeps_its_weights_when_it_is_rounded(runs: Path) -> None:
    record = load_record(runs / "rounded" / "best.ckpt")
    assert record.quantized is not None
    widths = record.quantized.widths
    assert (widths.weight_bits, widths.state_bits, widths.leak_bits) == (3, 9, 4)
    weights = {name: node.weight for name, node in record.graph.nodes.items() if hasattr(node, "weight")}
    assert len(weights) == 2 and all(len(set(weight.ravel())) <= 8 for weight in weights.values())
    numbers = json.loads((runs / "rounded" / "metrics.json").read_text())
    before = json.loads((runs / "plain" / "metrics.json").read_text())
    assert numbers["val_accuracy"] > before["val_accuracy"] - 0.1  # it started with these weights, not anew
    state = torch.load(runs / "rounded" / "last.ckpt", weights_only=True)["state_dict"]
    assert int(state["network.0.parametrizations.weight.0.updates"]) > 10


@needs_ghdl
def test_the_recommended_widths_are_deployed_with_the_accuracy_of_the_search(runs: Path, tmp_path: Path) -> None:
    path = copied(runs / "rounded" / "best.ckpt", tmp_path)
    found, _ = search_from_overrides(path, FEW, silent)
    deploy = ("target=fpga", "target.synthesis=false", "quantize=recommended", "verify.samples=2")
    report, _ = deploy_from_overrides(path, deploy, silent)
    assert found.recommended is not None and report.ok
    assert report.accuracy.quantized == found.recommended.accuracy
    assert {p.weight_bits for p in report.graph.populations} == {4}
    assert not any("rounded at deployment" in line for line in report.assumptions)


@needs_ghdl
def test_every_layer_may_have_widths_of_its_own(runs: Path, tmp_path: Path) -> None:
    path = copied(runs / "plain" / "best.ckpt", tmp_path)
    widths = ("quantize.weight_bits=[4,6]", "quantize.state_bits=[9,11]")
    overrides = ("target=fpga", "target.synthesis=false", "verify.samples=2", *widths)
    report, folder = deploy_from_overrides(path, overrides, silent)
    assert report.ok and [p.weight_bits for p in report.graph.populations] == [4, 6]
    assert [p.state_bits for p in report.graph.populations] == [9, 11]
    assert json.loads((folder / "report.json").read_text())["ok"] is True


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("quantize.weight_bits=[4,6,8]", "3 numbers, the network 2 populations"),
        ("quantize.state_bits=[9]", "1 numbers, the network 2 populations"),
        ("quantize.weight_bits=[4,60]", "integer from 2 to 16"),
        ("quantize.leak_bits=[3,x]", "integer from 1 to 16"),
    ],
)
def test_lists_that_do_not_fit_the_layers_are_refused(runs: Path, tmp_path: Path, override: str, message: str) -> None:
    path = copied(runs / "plain" / "best.ckpt", tmp_path)
    with pytest.raises(ConfigError, match=message):
        deploy_from_overrides(path, ("target=fpga", override), silent)


@pytest.mark.parametrize(
    ("overrides", "word"),
    [
        (("model.quantize=4bits",), "names no widths"),
        (("model.quantize=w4v8", "model.quantize_scale=guessed"), "quantize_scale"),
        (("start_from=nowhere.ckpt",), "nowhere.ckpt"),
    ],
)
def test_mistakes_are_one_message(monkeypatch, tmp_path: Path, capsys, overrides: tuple[str, ...], word: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", *SMALL, *overrides])
    with pytest.raises(SystemExit) as leaving:
        main()
    shown = capsys.readouterr().err
    assert leaving.value.code == 2 and word in shown and "Traceback" not in shown
