"""``lightning-neuro search PATH [key=value ...]``: overrides over ``conf/search.yaml``."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from lightning_neuro.arguments import file_and_overrides, help_or_nothing
from lightning_neuro.bars import bars
from lightning_neuro.config import compose_overrides, explain_errors
from lightning_neuro.errors import ConfigError
from lightning_neuro.search.optimise import Optimisation
from lightning_neuro.search.run import Found, SearchRequest, search
from lightning_neuro.search.show import render, write
from lightning_neuro.search.space import Space
from lightning_neuro.targets.base import Progress
from lightning_neuro.targets.fpga.lanes import Lanes

USAGE = """\
Find the cheapest number widths that keep the accuracy:  lightning-neuro search PATH [key=value ...]

  PATH                     a checkpoint (.ckpt)
  space.weight_bits=[4,5,6,7,8]  space.state_bits=[4,...,10]  space.leak_bits=[2,3]
  space.per_layer=true     every layer gets widths of its own
  method=grid              every point, or optuna: trials=200 points that it asks for
  price=bits               what is to be small: bits, or on Xilinx 7-series lut, ramb18, area (both), estimated
  lanes=auto               target.lanes of the FPGA that the area is estimated for
  tolerance=0.005          accuracy that the recommended point may lose against float
  samples=2000             evaluation samples; default all
  workers=2                threads; default one per core
  out=FOLDER               default <folder of PATH>/search; a search that was stopped goes on there
  keep=false               do not write the recommended widths into the checkpoint

Every point is the network in integers, run by the golden model: the accuracy is the one that deploy reports.
Example: lightning-neuro search outputs/latest/best.ckpt tolerance=0.01
Then:    deploy outputs/latest/best.ckpt target=fpga quantize=recommended
"""

METHODS = ("grid", "optuna")
KEYS = ("out", "price", "method", "lanes")


def search_main(arguments: Sequence[str]) -> None:
    """Entry point of ``lightning-neuro search``."""
    help_or_nothing(arguments, USAGE)
    with explain_errors():
        path, overrides = file_and_overrides(
            arguments, "search", "lightning-neuro search outputs/latest/best.ckpt", KEYS
        )
        found, _ = search_and_show(path, overrides)
        sys.exit(0 if found.recommended is not None else 1)


def search_and_show(path: Path, overrides: Sequence[str]) -> tuple[Found, Path]:
    """Search with a progress bar, write the files and print the table; returns the result and its folder."""
    console = Console(highlight=False)
    with bars(console, remaining=True) as progress:
        found, out = search_from_overrides(path, overrides, progress)
    console.print(render(found, path, out))
    return found, out


def search_from_overrides(path: Path, overrides: Sequence[str], progress: Progress) -> tuple[Found, Path]:
    """Search with Hydra overrides, as the command and the callback do, and write the files.

    Args:
        path: checkpoint.
        overrides: ``key=value`` strings over ``conf/search.yaml``.
        progress: called with what is going on, points done and points in all.
    """
    cfg = compose_overrides("search", overrides, next_command="lightning-neuro search --help")
    _check(cfg)
    space: Any = OmegaConf.to_container(cfg.space)
    request = SearchRequest(
        space=Space(**space),
        optimisation=Optimisation(trials=cfg.trials, seed=cfg.seed) if cfg.method == "optuna" else None,
        price=cfg.price,
        tolerance=float(cfg.tolerance),
        samples=cfg.samples,
        lanes=_lanes(cfg),
        workers=cfg.workers or os.cpu_count() or 1,
        keep=cfg.keep,
    )
    out = path.parent / "search" if cfg.out is None else Path(str(cfg.out))
    found = search(path, out, request, progress)
    write(found, out)
    return found, out


def _lanes(cfg: DictConfig) -> Lanes:
    value: Any = OmegaConf.to_container(cfg)["lanes"]  # type: ignore[call-overload, index]
    return tuple(value) if isinstance(value, list) else value


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value <= 1


_RULES: dict[str, tuple[Callable[[Any], bool], str, str]] = {
    "method": (lambda v: v in METHODS, " or ".join(METHODS), "method=grid"),
    "trials": (lambda v: _whole(v, 1), "an integer of at least 1", "trials=200"),
    "seed": (lambda v: _whole(v, 0), "an integer of at least 0", "seed=0"),
    "tolerance": (_share, "a number from 0 to 1", "tolerance=0.005"),
    "samples": (lambda v: v is None or _whole(v, 1), "an integer of at least 1, or null", "samples=2000"),
    "workers": (lambda v: v is None or _whole(v, 1), "an integer of at least 1, or null", "workers=2"),
    "keep": (lambda v: isinstance(v, bool), "true or false", "keep=false"),
    "out": (lambda v: v is None or isinstance(v, str), "a folder", "out=FOLDER"),
    "space.per_layer": (lambda v: isinstance(v, bool), "true or false", "space.per_layer=true"),
}


def _check(cfg: DictConfig) -> None:
    for key, (holds, needed, example) in _RULES.items():
        value = OmegaConf.select(cfg, key)
        if not holds(value):
            raise ConfigError(
                f"{key}={value!r} must be {needed}",
                where=key,
                why="the value has the wrong type or range",
                next_command=example,
            )
