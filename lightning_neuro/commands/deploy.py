"""``deploy PATH target=NAME [key=value ...]``: overrides over ``conf/deploy.yaml``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lightning_neuro.arguments import file_and_overrides, help_or_nothing
from lightning_neuro.errors import ConfigError
from lightning_neuro.value_rules import positive, text, truth, whole

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from lightning_neuro.report import Report
    from lightning_neuro.targets.base import Progress

USAGE = """\
Write a trained network for hardware and prove it:  deploy PATH target=NAME [key=value ...]

  PATH            a checkpoint (.ckpt) or a NIR file (.nir)
  target=         fpga, spinnaker or brainscales
  out=            folder of the artefact; default <folder of PATH>/deploy/<target>
  dt=             step in seconds, for a .nir file without metadata; for model=spike_time how fine the hardware's steps
                  are (fpga: a power-of-two fraction of the time constant, default 1/256)
  reset=          zero or subtract, for a .nir file without metadata; NIR itself only knows zero
  quantize.weight_bits=6  quantize.state_bits=12  quantize.leak_bits=8      a list names one number per layer
  quantize=recommended    what `lightning-neuro search PATH` found best
  target.lanes=auto       neurons updated per cycle and layer (fpga): auto, a number, or a list per layer
  target.boards=1         most boards (spinnaker)
  target.profile=delgrad  virtual chips that predict the accuracy (brainscales): ideal, delgrad, measured-w66f3
  verify.samples=20       inputs run through the artefact; default fpga 20, spinnaker 50, brainscales 100
  verify.strict=true      a check that could not run counts as failed

Exit code: 0 written and every check that ran passed, 1 a check failed, 2 refused.
Example: deploy outputs/latest/best.ckpt target=fpga target.lanes=16
"""

KEYS = ("target", "out", "dt", "reset", "quantize", "verify")


def deploy_main(arguments: Sequence[str]) -> None:
    """Entry point of ``deploy`` and ``lightning-neuro deploy``."""
    help_or_nothing(arguments, USAGE)
    path, overrides = file_and_overrides(arguments, "deploy", "deploy outputs/latest/best.ckpt target=fpga", KEYS)
    report, _ = deploy_and_show(path, overrides)
    from lightning_neuro.report import Outcome

    sys.exit(1 if report.count(Outcome.FAILED) else 0)


def deploy_and_show(path: Path, overrides: Sequence[str]) -> tuple[Report, Path]:
    """Deploy with a progress bar and print the report; returns it and the artefact's folder."""
    from rich.console import Console

    from lightning_neuro.bars import bars
    from lightning_neuro.report.terminal import render

    console = Console()
    with bars(console) as progress:
        report, folder = deploy_from_overrides(path, overrides, progress)
    console.print(render(report, folder=_shown(folder), next_command=_next(folder)))
    return report, folder


def deploy_from_overrides(path: Path, overrides: Sequence[str], progress: Progress) -> tuple[Report, Path]:
    """Deploy with Hydra overrides, as the command and the callback do.

    Args:
        path: checkpoint or NIR file.
        overrides: ``key=value`` strings over ``conf/deploy.yaml``.
        progress: called with what is going on, steps done and steps in all.

    Raises:
        NeuroError: the input or an override is refused.
    """
    from omegaconf import OmegaConf

    from lightning_neuro.config import compose_overrides, create
    from lightning_neuro.deploy import VerifyRequest, deploy
    from lightning_neuro.graph.widths import QuantizeRequest

    cfg = compose_overrides("deploy", overrides, next_command="deploy --help")
    requests = {"quantize": QuantizeRequest, "verify": VerifyRequest}
    _check_plain(cfg, {group: [f.name for f in dataclasses.fields(kind)] for group, kind in requests.items()})
    return deploy(
        path,
        target=create(cfg.target, "target"),
        out=None if cfg.out is None else Path(str(cfg.out)),
        dt_s=None if cfg.dt is None else float(cfg.dt),
        reset=None if cfg.reset is None else str(cfg.reset),
        quantize=QuantizeRequest(**OmegaConf.to_container(cfg.quantize)),  # type: ignore[arg-type]
        verify=VerifyRequest(**OmegaConf.to_container(cfg.verify)),  # type: ignore[arg-type]
        progress=progress,
        overrides=overrides,
    )


def _check_plain(cfg: DictConfig, groups: dict[str, list[str]]) -> None:
    """Keys and types that Hydra lets through and that would be ignored or fail further down."""
    unknown = [str(key) for key in cfg if key not in KEYS]
    for group, fields in groups.items():
        unknown += [f"{group}.{key}" for key in cfg[group] if key not in fields]
    if unknown:
        raise ConfigError(
            f"unknown key(s) {', '.join(unknown)}",
            where="overrides",
            why="a key that is ignored in silence would look as if it had worked",
            next_command="deploy --help",
        )
    from lightning_neuro.config import check_values

    check_values(cfg, _RULES)


_RULES = {
    "dt": positive("seconds", "1e-3", optional=True),
    "verify.samples": whole(1, "20", optional=True),
    "verify.strict": truth("true"),
    "out": text("a folder", "FOLDER", optional=True),
}


def _next(folder: Path) -> str:
    shown = _shown(folder)
    return f"open {shown / 'report.html'}; how to use the artefact: {shown / 'README.md'}"


def _shown(folder: Path) -> Path:
    try:
        return folder.resolve().relative_to(Path.cwd())
    except ValueError:
        return folder
