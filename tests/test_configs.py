"""Every option of every group composes and builds what it names."""

from __future__ import annotations

from pathlib import Path

import pytest
import pytorch_lightning as pl
from hydra import compose, initialize_config_module
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict

from lightning_neuro.config import (
    build_callbacks,
    build_data,
    build_logger,
    build_model,
    build_trainer,
    check_config,
)
from lightning_neuro.data.coding import Coding
from lightning_neuro.data.spike_time_coding import SpikeTimeCoding
from lightning_neuro.errors import DataError, ToolError
from lightning_neuro.graph.nir_hdf5 import write_graph
from tests.test_checkpoint import small_network

CONF = Path(__file__).parents[1] / "conf"


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def small_nir(folder: Path) -> Path:
    path = folder / "small.nir"
    write_graph(path, small_network()[0])
    return path


@pytest.fixture
def composed(tmp_path):
    def run(*overrides: str):
        with initialize_config_module("lightning_neuro.conf", version_base="1.3"):
            cfg = compose(
                "train", overrides=[f"hydra.run.dir={tmp_path}", *overrides], return_hydra_config=True
            )
            with open_dict(cfg):
                cfg.hydra.runtime.output_dir = str(tmp_path)
                cfg.hydra.job.num = 0
            HydraConfig.instance().set_config(cfg)
            plain = OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])
            check_config(plain)
            return plain

    return run


def test_every_group_has_options():
    assert {"lif"} <= set(options("model"))
    assert {"digits", "mnist"} <= set(options("data"))
    assert {"default", "debug", "gpu"} <= set(options("trainer"))
    assert {"csv", "tensorboard", "wandb"} <= set(options("logger"))


@pytest.mark.parametrize("name", options("model"))
def test_every_model_builds(composed, name, tmp_path):
    more = [f"model.path={small_nir(tmp_path)}", "model.dt=1e-3"] if name == "nir" else []
    more += ["data=digits_latency"] if name.startswith("spike_time") else []
    cfg = composed(f"model={name}", *more)
    assert isinstance(build_model(cfg, build_data(cfg)), pl.LightningModule)


@pytest.mark.parametrize("name", ["lif", "spike_time", "spike_time_brainscales"])
def test_a_profile_of_chips_is_named_in_place_of_numbers(composed, name):
    data = "digits" if name == "lif" else "yin_yang"
    cfg = composed(f"model={name}", f"data={data}", "model.noise=measured-w66f3")
    assert build_model(cfg, build_data(cfg)).hparams["noise"] == "measured-w66f3"


@pytest.mark.parametrize("name", options("data"))
def test_every_data_module_builds_and_is_documented(composed, name):
    cfg = composed(f"data={name}")
    try:
        data = build_data(cfg)
    except DataError as error:
        assert "data.root" in str(error)  # a data set that is not here says where it should be
        return
    assert isinstance(data.coding, Coding | SpikeTimeCoding) and data.classes > 1


@pytest.mark.parametrize("name", options("trainer"))
def test_every_trainer_builds(composed, name):
    cfg = composed(f"trainer={name}")
    if name == "gpu":
        assert cfg.trainer.accelerator == "gpu"
        cfg.trainer.accelerator = "cpu"
    assert isinstance(build_trainer(cfg, [], False), pl.Trainer)


@pytest.mark.parametrize("name", options("callbacks"))
def test_every_callback_builds(composed, name):
    cfg = composed(f"callbacks={name}")
    assert all(isinstance(callback, pl.Callback) for callback in build_callbacks(cfg))


@pytest.mark.parametrize("name", options("logger"))
def test_every_logger_builds_or_names_its_package(composed, name):
    try:
        assert build_logger(composed(f"logger={name}")) is not None
    except ToolError as error:
        assert "pip install" in error.next_command


@pytest.mark.parametrize(
    "path", sorted(CONF.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_every_key_is_explained(path):
    lines = path.read_text().splitlines()
    assert lines[0].startswith("#")
    if path.parent.name in ("model", "data", "trainer"):
        groups = ("defaults", "coding:", "data:", "model:", "mode:", "network:", "- {")
        silent = ("_target_", *groups, "enable_model_summary", "accelerator: gpu")
        bare = [
            line
            for line in lines[1:]
            if line.strip() and "#" not in line and not line.strip().startswith(silent)
        ]
        assert not bare
