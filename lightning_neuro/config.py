"""From overrides to a composed configuration, and from that to objects."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lightning_neuro.data.spike_time_coding import KIND as FIRST_SPIKE
from lightning_neuro.data.spike_time_coding import SpikeTimeCoding
from lightning_neuro.errors import ConfigError, NeuroError
from lightning_neuro.explain import short
from lightning_neuro.value_rules import Rule, check, is_whole, positive, whole

if TYPE_CHECKING:  # deploy uses this module too, and must not wait for Lightning
    import pytorch_lightning as pl

    from lightning_neuro.data.module import ValuesModule

INTENSITY = "intensity"

RULES: dict[str, Rule] = {
    "seed": Rule(holds=lambda v: is_whole(v) and 0 <= v < 2**32, needed="an integer from 0 to 2^32 - 1", example="0"),
    "threads": whole(1, "1", optional=True),
    "trainer.max_epochs": whole(1, "50"),
    "trainer.devices": Rule(
        holds=lambda v: v == "auto" or (is_whole(v) and v >= 1), needed="an integer of at least 1", example="1"
    ),
    "model.tau_syn": positive("seconds", "1e-2", optional=True),
    "model.tau_ratio": positive("a number", "1.0"),
    "model.threshold": positive("a number", "1.0"),
    "model.lr": positive("a number", "0.005"),
    "model.dt": positive("seconds", "1e-3"),
    "data.batch_size": whole(1, "64"),
    "data.eval_batch_size": whole(1, "1024"),
    "data.coding.steps": whole(1, "16"),
}


def check_config(cfg: DictConfig) -> None:
    """Check what would otherwise fail deep inside a library.

    Raises:
        ConfigError: a value has the wrong type or range, or the checkpoint to resume from does not exist.
    """
    check_values(cfg, RULES)
    if cfg.ckpt_path is not None and not Path(cfg.ckpt_path).is_file():
        raise ConfigError(
            f"no checkpoint '{cfg.ckpt_path}'",
            where="ckpt_path",
            why="a run resumes from a file",
            next_command="ckpt_path=outputs/latest/last.ckpt",
        )


def check_values(cfg: DictConfig, rules: Mapping[str, Rule]) -> None:
    """Check values of a configuration; rules for keys that it lacks say nothing.

    Raises:
        ConfigError: a value breaks its rule.
    """
    found = {key: OmegaConf.select(cfg, key, default=...) for key in rules}
    check({key: value for key, value in found.items() if value is not ...}, rules)


def build_data(cfg: DictConfig) -> ValuesModule:
    """Return the data module with its data read, so that missing files are found before training starts."""
    data = create(cfg.data, "data")
    data.setup()
    return data


def build_model(cfg: DictConfig, data: ValuesModule) -> pl.LightningModule:
    """Return the model, its first and last layer size filled from the data where they are null."""
    layers = list(OmegaConf.select(cfg, "model.layers", default=[]))
    if not layers:
        return _fitting(create(cfg.model, "model", **_shapes(cfg, data)), data)
    fill = {0: math.prod(data.input_shape), len(layers) - 1: data.classes}
    filled = [fill.get(i) if size is None else size for i, size in enumerate(layers)]
    for index, size in fill.items():
        if filled[index] != size:
            raise ConfigError(
                f"layers {filled} do not fit the data: layer {index} needs {size}",
                where="model.layers",
                why=f"the data have {fill[0]} inputs and {data.classes} classes",
                next_command="model.layers='[null,128,null]'",
            )
    return _fitting(create(cfg.model, "model", layers=filled), data)


def _shapes(cfg: DictConfig, data: ValuesModule) -> dict[str, Any]:
    """Return the shape of samples and the number of classes, where the model asks for them with null."""
    found = {"input_shape": list(data.input_shape), "classes": data.classes}
    return {name: value for name, value in found.items() if cfg.model.get(name, value) is None}


FORMS: dict[str | None, str] = {
    None: "a raster of time steps",
    FIRST_SPIKE: "one spike time per input",
    INTENSITY: "one intensity per input",
}
EXAMPLES: dict[str | None, str] = {
    None: "model=lif data=digits   (or model=spike_time)",
    FIRST_SPIKE: "model=spike_time data=yin_yang   (or data=digits_latency; other models: data=digits)",
    INTENSITY: "model=rate data.coding.kind=direct data.coding.steps=1",
}


def _fitting(model: pl.LightningModule, data: ValuesModule) -> pl.LightningModule:
    """Return the model, if it takes what the data are coded as: rasters, intensities, or one spike time per input."""
    wanted = getattr(model, "input_kind", None)
    if wanted not in _forms(data):
        coded, takes = FORMS[min(_forms(data), key=str)], FORMS[wanted]
        raise ConfigError(
            f"the data are coded as {coded}, the model takes {takes}",
            where="model, data",
            why="neither can be turned into the other without a choice of time step or of spike",
            next_command=EXAMPLES[wanted],
        )
    return model


def _forms(data: ValuesModule) -> set[str | None]:
    """Return which kinds of input the coded data are; None is a raster."""
    coding = data.coding
    if isinstance(coding, SpikeTimeCoding):
        return {FIRST_SPIKE}
    return {None, INTENSITY} if coding.kind == "direct" and coding.steps == 1 else {None}


def build_callbacks(cfg: DictConfig) -> list[pl.Callback]:
    """Return the callbacks in the order of the configuration."""
    entries: Mapping[str, Any] = cfg.get("callbacks") or {}
    return [create(entry, f"callbacks.{name}") for name, entry in entries.items() if entry is not None]


_PIP = {"TensorBoardLogger": "tensorboard", "WandbLogger": "wandb"}


def build_logger(cfg: DictConfig) -> Any:
    """Return the logger.

    Raises:
        ConfigError: its package is not installed.
    """
    if cfg.get("logger") is None:
        return False
    package = _PIP.get(cfg.logger._target_.rsplit(".", 1)[-1])
    if package and find_spec(package) is None:
        raise ConfigError(
            f"logger needs the package '{package}'",
            where="logger",
            why="it is not installed",
            next_command=f"pip install {package}   (or logger=csv)",
        )
    return create(cfg.logger, "logger")


def build_trainer(cfg: DictConfig, callbacks: list[pl.Callback], logger: Any) -> pl.Trainer:
    """Return the trainer."""
    return create(cfg.trainer, "trainer", callbacks=callbacks, logger=logger)


def create(node: DictConfig, where: str, **more: Any) -> Any:
    """Instantiate ``node._target_`` with plain containers; constructors' complaints become a ConfigError."""
    try:
        return instantiate(node, _convert_="all", **more)
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, NeuroError):
            raise cause from None
        text = str(cause or error).split("\n")[0]
        raise ConfigError(
            f"{where} cannot be built: {text}",
            where=where,
            why=f"{node.get('_target_')} refused its arguments",
            next_command="python train.py --cfg job   (shows every key and value)",
        ) from error


def compose_overrides(name: str, overrides: Sequence[str], *, next_command: str) -> DictConfig:
    """Compose ``conf/<name>.yaml`` with ``key=value`` strings, also inside a running Hydra application.

    Raises:
        ConfigError: Hydra does not know a key or an option; ``next_command`` tells what does.
    """
    try:
        with _hydra_set_aside(), initialize_config_module("lightning_neuro.conf", version_base="1.3"):
            return compose(name, overrides=[*overrides, *_other_packages()])
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(
            short(str(error)),
            where=f"overrides {' '.join(overrides) or '(none)'}",
            why="they have to name keys and options that exist",
            next_command=next_command,
        ) from error


def _other_packages() -> list[str]:
    """Configurations of other installed packages: a target of one's own is a YAML in its ``target/`` folder.

    Such a package names the package of its YAML files in the group of entry points ``lightning_neuro.conf``.
    """
    places = [f"pkg://{point.value}" for point in entry_points(group="lightning_neuro.conf")]
    return [f"hydra.searchpath=[{','.join(places)}]"] if places else []


@contextmanager
def _hydra_set_aside() -> Iterator[None]:
    """Hydra allows one configuration at a time; training, which may deploy at its end, is one already."""
    holder = GlobalHydra.instance()
    running = holder.hydra
    holder.hydra = None
    try:
        yield
    finally:
        holder.hydra = running
