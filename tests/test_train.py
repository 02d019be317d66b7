"""``python train.py`` end to end: the run folder, resuming, and one message per mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from lightning_neuro.history import History
from lightning_neuro.models.lif import LIFClassifier
from lightning_neuro.train import main

ROOT = Path(__file__).parents[1]


@pytest.fixture
def train(monkeypatch, tmp_path, capsys):
    """Run the command in this process; returns (exit code, stdout, stderr)."""

    def run(*overrides: str, folder: str = "outputs/run") -> tuple[int, str, str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["train.py", f"hydra.run.dir={tmp_path / folder}", *overrides])
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_run_leaves_everything_in_its_folder(train, tmp_path):
    code, out, _ = train("trainer.max_epochs=3", "seed=1")
    run = tmp_path / "outputs" / "run"
    assert code == 0
    assert {"best.ckpt", "last.ckpt", "config.yaml", "metrics.json", "curves.png", "metrics.csv"} <= {
        path.name for path in run.iterdir()
    }
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["epochs"] == 3 and 0.5 < metrics["test_accuracy"] <= 1
    assert metrics["spikes_per_sample"] > 100 and metrics["seconds"] > 0
    assert OmegaConf.load(run / "config.yaml").data.seed == 1
    assert (tmp_path / "outputs" / "latest").resolve() == run.resolve()
    assert "deploy" in out and "best.ckpt" in out


def test_checkpoints_load_without_unpickling_code(train, tmp_path):
    train("trainer=debug", "test=false")
    for name in ("best.ckpt", "last.ckpt"):
        checkpoint = torch.load(tmp_path / "outputs" / "run" / name, weights_only=True)
        assert checkpoint["hyper_parameters"]["layers"] == [64, 128, 10]
    model = LIFClassifier.load_from_checkpoint(tmp_path / "outputs" / "run" / "best.ckpt", weights_only=True)
    assert model.readout == "spike_count"


def test_last_checkpoint_is_the_state_after_the_last_epoch(train, tmp_path):
    train("trainer.max_epochs=4", "test=false", "model.lr=1e-12")  # weights cannot move
    run = tmp_path / "outputs" / "run"
    epochs = {name: torch.load(run / f"{name}.ckpt", weights_only=True)["epoch"] for name in ("best", "last")}
    assert epochs == {"best": 0, "last": 3}


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(train, tmp_path):
    losses = []
    for folder, seed in (("outputs/a", 3), ("outputs/b", 3), ("outputs/c", 4)):
        train("trainer=debug", f"seed={seed}", "data.coding.kind=rate", folder=folder)
        losses.append(json.loads((tmp_path / folder / "metrics.json").read_text())["test_loss"])
    assert losses[0] == losses[1] != losses[2]


def test_a_resumed_run_equals_an_uninterrupted_one(train, tmp_path):
    train("trainer.max_epochs=4", "model.schedule=constant", "data.coding.kind=rate", folder="outputs/whole")
    train("trainer.max_epochs=2", "model.schedule=constant", "data.coding.kind=rate", folder="outputs/half")
    half = tmp_path / "outputs" / "half" / "last.ckpt"
    options = (
        "trainer.max_epochs=4",
        "model.schedule=constant",
        "data.coding.kind=rate",
        f"ckpt_path={half}",
    )
    code, _, _ = train(*options, folder="outputs/rest")
    assert code == 0
    weights = [
        torch.load(tmp_path / "outputs" / name / "last.ckpt", weights_only=True)["state_dict"]["network.0.weight"]
        for name in ("whole", "rest")
    ]
    assert torch.equal(*weights)


@pytest.mark.parametrize(
    ("override", "word"),
    [("trainer.max_epochs=1", "max_epochs"), ("model.layers=[null,64,null]", "another network"), ("", "damaged")],
)
def test_what_cannot_be_resumed_is_a_message(train, tmp_path, override, word):
    train("trainer=debug", "test=false", folder="outputs/first")
    path = tmp_path / "outputs" / "first" / "last.ckpt"
    if word == "damaged":
        path.write_bytes(path.read_bytes()[:5000])
    code, _, err = train("trainer=debug", "trainer.max_epochs=2", f"ckpt_path={path}", *override.split())
    assert code == 2 and "Traceback" not in err
    assert word in err or str(path) in err


def test_history_of_a_resumed_run_starts_at_the_first_epoch():
    history = History()
    history.load_state_dict({"epochs": [{"epoch": 0.0}, {"epoch": 1.0}]})
    history.load_state_dict({"epochs": [{"epoch": 0.0}]})
    assert len(history.epochs) == 2


@pytest.mark.parametrize(
    ("override", "word"),
    [
        ("model=lift", "model/lift"),
        ("trainer.max_epochs=-3", "trainer.max_epochs"),
        ("trainer.max_epochs=many", "trainer.max_epochs"),
        ("seed=x", "seed"),
        ("model.betta=0.5", "betta"),
        ("model.beta=1.5", "beta"),
        ("model.neuron=nengo", "nengo"),
        ("model.layers=[64,32,11]", "layers"),
        ("data.coding.kind=morse", "morse"),
        ("ckpt_path=nowhere.ckpt", "nowhere.ckpt"),
        ("trainer.precision=17", "17"),
        ("model.beta=[0.5", "model.beta"),
        ("nonsense", "nonsense"),
        ("hydra.run.dir=/proc/no", "/proc/no"),
    ],
)
def test_a_mistake_gives_one_message_and_exit_code_2(train, override, word):
    code, _, err = train(override)
    assert code == 2
    assert word in err and "Traceback" not in err
    assert len(err.splitlines()) < 15


@pytest.mark.parametrize(("option", "package"), [("wandb", "wandb"), ("tensorboard", "tensorboard")])
def test_an_optional_logger_names_the_command_that_installs_it(train, monkeypatch, option, package):
    monkeypatch.setattr("lightning_neuro.extras.find_spec", lambda name: None)
    code, _, err = train(f"logger={option}")
    assert code == 2 and f"pip install 'lightning-neuro[{package}]'" in err


def test_missing_data_offline_is_a_message(train, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    code, _, err = train("data=mnist", f"data.root={tmp_path / 'none'}")
    assert code == 2 and "data.root" in err and "Traceback" not in err


def test_the_script_itself_runs_and_shows_its_help():
    done = subprocess.run(
        [sys.executable, "train.py", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0 and "trainer.max_epochs" in done.stdout
