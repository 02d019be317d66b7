"""Two processes take the steps of one: the same losses, the same weights, everything written once."""

from __future__ import annotations

import csv
import json
import shlex
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.forks.client import Request, program, run
from tests.parallel.starting import ROOT, free_port, here, losses, state

EPOCHS = 3
SAME = 1e-5  # of losses about 1: only the order of sums differs
ONLY_TRAIN = "callbacks.quantize=null callbacks.nir=null"
RUNS = {
    "lif": f"model=lif model.layers=[null,8,null] trainer.max_epochs={EPOCHS} data.coding.kind=rate",
    "rate": f"model=rate '+ann.network=[{{dense:8}}]' trainer.max_epochs=2 {ONLY_TRAIN} callbacks.buffers=null "
    "callbacks.convert=null",
    "spike_time": "model=spike_time data=digits_latency model.layers=[null,8,null] model.tau_ratio=2 "
    f"trainer.max_epochs=2 {ONLY_TRAIN}",
}


def words(model: str, folder: Path) -> list[str]:
    return [*shlex.split(RUNS[model]), f"hydra.run.dir={folder}"]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the runs in one process, a folder for each model."""
    folder = tmp_path_factory.mktemp("one")
    for model in RUNS:
        here(*words(model, folder / model))
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """Folder of the same runs on two machines with a process each, and what these said."""
    folder = tmp_path_factory.mktemp("two")
    cluster = ["trainer=ddp", "trainer.devices=1", "trainer.num_nodes=2", "resume=true"]
    runs = [shlex.join([*words(model, folder / model), *cluster]) for model in RUNS]
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    logs = [folder / f"log{number}" for number in range(2)]
    script = str(Path(__file__).with_name("node.py"))
    log = str(folder / "log")
    command = ["python", script, *map(str, logs), "--", *runs]
    assert run(Request(words=command, folder=str(folder), output=log, errors=log, environment=address)) == 0
    return folder, [log.read_text() for log in logs]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder of a run in two processes of one machine that was killed and started again, and what it then said."""
    folder = tmp_path_factory.mktemp("killed")
    cut = ["+callbacks.cut._target_=tests.parallel.gate.PowerCut", f"+callbacks.cut.path={folder / 'cut'}"]
    command = ["python", str(ROOT / "train.py"), *words("lif", folder / "run"), "trainer=ddp", "resume=true", *cut]
    (folder / "cut").touch()
    assert program(folder, *command).returncode == -signal.SIGKILL
    assert (folder / "run" / "last.ckpt").is_file() and not (folder / "run" / "metrics.json").exists()
    done = program(folder, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run", done.stdout + done.stderr


@pytest.mark.parametrize("model", RUNS)
def test_two_processes_have_the_losses_of_one(one: Path, two: tuple[Path, list[str]], model: str) -> None:
    """Also with normalisation over the batch, and with weight bumping, for which a neuron is silent in all of it."""
    assert np.allclose(losses(two[0] / model), losses(one / model), rtol=0, atol=SAME)
    assert len(losses(one / model)) == state(one / model)["epoch"] + 1 > 1


def test_two_processes_have_the_accuracies_of_one(one: Path, two: tuple[Path, list[str]]) -> None:
    numbers = [json.loads((folder / "lif" / "metrics.json").read_text()) for folder in (one, two[0])]
    for name in ("test_accuracy", "val_accuracy", "test_loss", "spikes_per_sample"):
        assert numbers[1][name] == pytest.approx(numbers[0][name], rel=1e-3), name


def test_a_run_that_was_killed_goes_on_to_the_very_numbers(
    two: tuple[Path, list[str]], killed: tuple[Path, str]
) -> None:
    assert losses(killed[0]) == losses(two[0] / "lif")
    for name, value in state(two[0] / "lif")["state_dict"].items():
        assert torch.equal(state(killed[0])["state_dict"][name], value), name


def test_a_run_that_went_on_has_all_its_epochs_in_its_table(killed: tuple[Path, str]) -> None:
    rows = list(csv.DictReader((killed[0] / "metrics.csv").open()))
    epochs = [int(float(row["epoch"])) for row in rows if row["train/loss"]]
    assert epochs == list(range(EPOCHS))


def test_everything_is_written_and_said_once(one: Path, two: tuple[Path, list[str]], killed: tuple[Path, str]) -> None:
    files = {path.name for path in (one / "lif").iterdir()}
    assert {"best.ckpt", "best.nir", "metrics.json"} < files
    for folder in (killed[0], two[0] / "lif"):
        assert {path.name for path in folder.iterdir()} - {".lock"} == files
    first, second = two[1]
    for line in ("test accuracy", "run folder", "next   "):
        assert (first.count(line), second.count(line), killed[1].count(line)) == (len(RUNS), 0, 1)
    assert "arning" not in killed[1] + first + second and "deprecated" not in killed[1] + first + second
