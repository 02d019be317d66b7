"""A run whose folder holds it already: it is not trained twice, and one that was interrupted is trained on."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from lightning_neuro.errors import ConfigError

ASIDE = ("resume",)  # settings that change no number


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What a run folder holds.

    Args:
        metrics: of a run that has ended; None before.
        checkpoint: state after its last whole epoch; None before the first.
    """

    metrics: dict[str, float] | None
    checkpoint: Path | None


def earlier(cfg: DictConfig, folder: Path) -> Earlier:
    """Return what an earlier start of the same run has left in its folder.

    Args:
        cfg: configuration of the run.
        folder: of the run.

    Raises:
        ConfigError: the folder holds a run of other settings.
    """
    config, metrics, last = folder / "config.yaml", folder / "metrics.json", folder / "last.ckpt"
    if not config.is_file():
        return Earlier(metrics=None, checkpoint=None)
    differing = _differences(OmegaConf.to_yaml(cfg, resolve=True), config.read_text())
    if differing:
        raise ConfigError(
            f"'{folder}' holds a run of other settings: {', '.join(differing)}",
            where="hydra.sweep.dir" if cfg.resume is None else "resume",
            why="a run goes on with the settings it was started with, and no run is overwritten",
            next_command="another hydra.sweep.dir=FOLDER or hydra.run.dir=FOLDER, or the earlier settings",
        )
    return Earlier(
        metrics=json.loads(metrics.read_text()) if metrics.is_file() else None,
        checkpoint=last if last.is_file() else None,
    )


def _differences(new: str, old: str) -> list[str]:
    """Keys whose values differ, at most three."""
    here, there = _flat(OmegaConf.create(new)), _flat(OmegaConf.create(old))
    keys = [key for key in {**here, **there} if here.get(key) != there.get(key) and key not in ASIDE]
    return keys[:3] + (["..."] if len(keys) > 3 else [])


def _flat(node: object, prefix: str = "") -> dict[str, str]:
    if not isinstance(node, DictConfig):
        return {prefix: str(node)}
    return {key: text for name in node for key, text in _flat(node[name], f"{prefix}.{name}".strip(".")).items()}


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process trains in a folder; the system lifts the lock of a process that is killed.

    A job on a cluster, or one of submitit's local jobs, lives on when the process that started it was killed. The same
    command again starts the same run again, which must not write into the folder at the same time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another process trains in {folder}; waiting for it", flush=True)
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
