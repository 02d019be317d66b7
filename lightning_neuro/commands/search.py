"""``lightning-neuro search PATH [key=value ...]``: overrides over ``conf/search.yaml``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_neuro.arguments import file_and_overrides, help_or_nothing
from lightning_neuro.value_rules import Rule, is_number, text, truth, whole

if TYPE_CHECKING:
    from lightning_neuro.search.run import Found
    from lightning_neuro.targets.base import Progress

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
    path, overrides = file_and_overrides(arguments, "search", "lightning-neuro search outputs/latest/best.ckpt", KEYS)
    found, _ = search_and_show(path, overrides)
    sys.exit(0 if found.recommended is not None else 1)


def search_and_show(path: Path, overrides: Sequence[str]) -> tuple[Found, Path]:
    """Search with a progress bar, write the files and print the table; returns the result and its folder."""
    from rich.console import Console

    from lightning_neuro.bars import bars
    from lightning_neuro.search.show import render

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
    from omegaconf import OmegaConf

    from lightning_neuro.config import check_values, compose_overrides
    from lightning_neuro.search.optimise import Optimisation
    from lightning_neuro.search.run import SearchRequest, search
    from lightning_neuro.search.show import write
    from lightning_neuro.search.space import Space

    cfg = compose_overrides("search", overrides, next_command="lightning-neuro search --help")
    check_values(cfg, _RULES)
    space: Any = OmegaConf.to_container(cfg.space)
    request = SearchRequest(
        space=Space(**space),
        optimisation=Optimisation(trials=cfg.trials, seed=cfg.seed) if cfg.method == "optuna" else None,
        price=cfg.price,
        tolerance=float(cfg.tolerance),
        samples=cfg.samples,
        lanes=cfg.lanes if isinstance(cfg.lanes, int | str) else tuple(cfg.lanes),
        workers=cfg.workers or os.cpu_count() or 1,
        keep=cfg.keep,
    )
    out = path.parent / "search" if cfg.out is None else Path(cfg.out)
    found = search(path, out, request, progress)
    write(found, out)
    return found, out


_SHARE = Rule(holds=lambda v: is_number(v) and 0 <= v <= 1, needed="a number from 0 to 1", example="0.005")
_RULES: dict[str, Rule] = {
    "method": Rule(holds=lambda v: v in METHODS, needed=" or ".join(METHODS), example="grid"),
    "trials": whole(1, "200"),
    "seed": whole(0, "0"),
    "tolerance": _SHARE,
    "samples": whole(1, "2000", optional=True),
    "workers": whole(1, "2", optional=True),
    "keep": truth("false"),
    "lanes": Rule(holds=lambda v: v is not None, needed="auto, a number or a list", example="auto"),
    "out": text("a folder", "FOLDER", optional=True),
    "space.per_layer": truth("true"),
}
