"""``python train.py model=spike_time`` end to end: the run folder, resuming, pictures, refusals."""

from __future__ import annotations

import json

import pytest
import torch

from lightning_neuro.report.spike_time_pictures import pictures_of_checkpoint
from tests.depth import thorough
from tests.test_train import train  # noqa: F401 (a fixture)

YIN_YANG = ("model=spike_time", "data=yin_yang", "callbacks.progress=null", "callbacks.nir=null")
QUICK = (*YIN_YANG, "callbacks.quantize=null", "model.layers=[null,20,null]", "model.schedule=constant")
NOISE = (
    "data.coding.noise=0.05",
    "model.noise.jitter=0.01",
    "model.noise.threshold_batch=0.02",
    "model.delays=axonal",
    "model.max_silent=[0.05,1.0]",
)


def state(folder) -> dict[str, torch.Tensor]:
    return torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]


def test_three_epochs_beat_chance_and_leave_pictures(train, tmp_path):  # noqa: F811
    code, out, _ = train(*YIN_YANG, "trainer.max_epochs=3", "model.layers=[null,30,null]")
    run = tmp_path / "outputs" / "run"
    assert code == 0
    metrics = json.loads((run / "metrics.json").read_text())
    assert 0.6 < metrics["test_accuracy"] <= 1 and metrics["epochs"] == 3
    assert 10 < metrics["spikes_per_sample"] <= 33 and metrics["seconds_per_epoch"] > 0
    pictures = {path.stem for path in (run / "pictures").iterdir()}
    assert {
        "class_map",
        "output_maps",
        "hidden_maps",
        "confusion",
        "sorted_outputs",
        "spike_times",
        "weights",
    } <= pictures
    assert {"hidden_times", "trajectories"} <= pictures
    assert "s per epoch" in out


@pytest.mark.draws
def test_pictures_of_a_checkpoint_are_those_of_the_run(train, tmp_path):  # noqa: F811
    few = [word for word in QUICK if not word.startswith("model.layers")]
    train(*few, "model.layers=[null,4,null]", "trainer.max_epochs=1")  # every neuron is a map
    folder = tmp_path / "outputs" / "run"
    during = {path.name: path.read_bytes() for path in (folder / "pictures").iterdir() if path.stem != "trajectories"}
    for path in (folder / "pictures").iterdir():
        path.unlink()
    files = pictures_of_checkpoint(folder / "best.ckpt")
    assert {path.name: path.read_bytes() for path in files} == during


@pytest.mark.parametrize(
    "more", [pytest.param((), marks=thorough), NOISE], ids=["plain", "noise, delays and bumps"]
)
def test_a_resumed_run_continues_bit_by_bit(train, tmp_path, more):  # noqa: F811
    options = (*QUICK, "test=false", *more)
    train(*options, "trainer.max_epochs=4", folder="outputs/whole")
    train(*options, "trainer.max_epochs=2", folder="outputs/half")
    half = tmp_path / "outputs" / "half" / "last.ckpt"
    code, _, _ = train(*options, "trainer.max_epochs=4", f"ckpt_path={half}", folder="outputs/rest")
    whole, rest = (state(tmp_path / "outputs" / name) for name in ("whole", "rest"))
    assert code == 0 and whole.keys() == rest.keys()
    assert all(torch.equal(whole[name], rest[name]) for name in whole)
    moved = torch.load(tmp_path / "outputs" / "rest" / "last.ckpt", weights_only=True)["trajectories"]
    assert {len(rows) for rows in moved.values()} == {5}


def test_noise_depends_on_the_seed_and_changes_the_run(train, tmp_path):  # noqa: F811
    weights = []
    for folder, more in (("a", ()), ("b", ("model.noise.jitter=0.05",)), ("c", ("model.noise.jitter=0.05",))):
        train(*QUICK, "test=false", "trainer=debug", *more, folder=f"outputs/{folder}")
        weights.append(state(tmp_path / "outputs" / folder)["network.layers.0.weights"])
    assert torch.equal(weights[1], weights[2]) and not torch.equal(weights[0], weights[1])


@pytest.mark.parametrize(
    ("overrides", "word"),
    [
        (("model=spike_time", "data=digits"), "one spike time per input"),
        (("model=lif", "data=yin_yang"), "raster"),
        (("model=spike_time", "data=yin_yang", "model.tau_ratio=0"), "tau_ratio"),
        (("model=spike_time", "data=yin_yang", "model.delays=neural"), "neural"),
        (("model=spike_time", "data=yin_yang", "data.coding.t_late=0.1"), "t_late"),
        (("model=spike_time", "data=yin_yang", "data.sample_seeds=[1,1,2]"), "sample_seeds"),
    ],
)
def test_a_mistake_gives_one_message_and_exit_code_2(train, overrides, word):  # noqa: F811
    code, _, err = train(*overrides)
    assert code == 2 and word in err and "Traceback" not in err
