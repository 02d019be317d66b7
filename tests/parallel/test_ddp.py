"""Two processes take the steps of one: the same losses, the same weights, everything written once."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.parallel.starting import ROOT, finish, free_port, here, kill, losses, start, state, train, wait_until

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
    import shlex

    return [*shlex.split(RUNS[model]), f"hydra.run.dir={folder}"]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the runs in one process, a folder for each model."""
    folder = tmp_path_factory.mktemp("one")
    for model in RUNS:
        here(*words(model, folder / model))
    return folder


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Folder of a run in two processes, and what it said."""
    folder = tmp_path_factory.mktemp("two")
    yield folder / "run", train(*words("lif", folder / "run"), "trainer=ddp", log=folder / "log")


def test_two_processes_have_the_losses_of_one(one: Path, two: tuple[Path, str]) -> None:
    assert np.allclose(losses(two[0]), losses(one / "lif"), rtol=0, atol=SAME)
    assert len(losses(two[0])) == EPOCHS


def test_two_processes_have_the_weights_and_the_accuracies_of_one(one: Path, two: tuple[Path, str]) -> None:
    for name, value in state(one / "lif")["state_dict"].items():
        assert torch.allclose(state(two[0])["state_dict"][name], value, atol=1e-4), name
    numbers = [json.loads((folder / "metrics.json").read_text()) for folder in (one / "lif", two[0])]
    for name in ("test_accuracy", "val_accuracy", "test_loss", "spikes_per_sample"):
        assert numbers[1][name] == pytest.approx(numbers[0][name], abs=1e-2), name


def test_everything_is_written_and_said_once(one: Path, two: tuple[Path, str]) -> None:
    folder, said = two
    assert {p.name for p in folder.iterdir()} == {p.name for p in (one / "lif").iterdir()} >= {"best.nir", "best.ckpt"}
    for line in ("test accuracy", "after rounding", "run folder", "next  "):
        assert said.count(line) == 1, said
    assert "Warning" not in said and "deprecated" not in said


def test_a_run_of_two_processes_that_was_killed_goes_on(two: tuple[Path, str], tmp_path: Path) -> None:
    folder, log = tmp_path / "run", tmp_path / "log"
    overrides = [*words("lif", folder), "trainer=ddp", "resume=true"]
    process = start([str(ROOT / "train.py"), *overrides], log)
    wait_until((folder / "last.ckpt").is_file, process, log)
    kill(process)
    assert not (folder / "metrics.json").exists()
    train(*overrides, log=log)
    assert losses(folder) == losses(two[0])
    for name, value in state(two[0])["state_dict"].items():
        assert torch.equal(state(folder)["state_dict"][name], value), name
    rows = list(csv.DictReader((folder / "metrics.csv").open()))
    assert sorted({int(float(row["epoch"])) for row in rows if row["train/loss"]}) == list(range(EPOCHS))


def test_two_machines_have_the_losses_of_one_process(one: Path, tmp_path: Path) -> None:
    """With normalisation over the batch, and with weight bumping, which looks at neurons silent in the whole batch."""
    models = ("rate", "spike_time")
    cluster = "trainer=ddp trainer.devices=1 trainer.num_nodes=2 resume=true"
    runs = [" ".join((RUNS[model], cluster, f"hydra.run.dir={tmp_path / model}")) for model in models]
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    logs = [tmp_path / f"log{number}" for number in range(2)]
    node = [str(Path(__file__).with_name("node.py")), *runs]
    nodes = [start(node, log, NODE_RANK=str(number), **address) for number, log in enumerate(logs)]
    said = [finish(process, log) for process, log in zip(nodes, logs, strict=True)]
    assert said[0].count("run folder") == len(models) and "run folder" not in said[1]
    for model in models:
        assert np.allclose(losses(tmp_path / model), losses(one / model), rtol=0, atol=SAME), model
