"""The command line: ``deploy PATH target=...`` and ``lightning-neuro train|deploy``."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from lightning_neuro.arguments import file_and_overrides, help_or_nothing
from lightning_neuro.bars import bars
from lightning_neuro.config import compose_overrides, create, explain_errors
from lightning_neuro.deploy import QuantizeRequest, VerifyRequest, deploy
from lightning_neuro.errors import ConfigError
from lightning_neuro.report import Outcome, Report
from lightning_neuro.report.terminal import render
from lightning_neuro.targets.base import Progress as ProgressCallback

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

GROUPS = {
    "quantize": {field.name for field in dataclasses.fields(QuantizeRequest)},
    "verify": {field.name for field in dataclasses.fields(VerifyRequest)},
}
KEYS = {"target", "out", "dt", "reset", *GROUPS}

COMMANDS_USAGE = """\
lightning-neuro COMMAND ...

  train     train a network                 (same as: python train.py)
  deploy    write a network for hardware    (same as: deploy)
  search    find the cheapest number widths that keep the accuracy
  export    write a network as NIR, also for the readers of other tools

`lightning-neuro COMMAND --help` explains each.
"""


def deploy_from_overrides(path: Path, overrides: Sequence[str], progress: ProgressCallback) -> tuple[Report, Path]:
    """Deploy with Hydra overrides, as the command and the callback do.

    Args:
        path: checkpoint or NIR file.
        overrides: ``key=value`` strings over ``conf/deploy.yaml``.
        progress: called with what is going on, steps done and steps in all.

    Raises:
        NeuroError: the input or an override is refused.
    """
    cfg = compose_overrides("deploy", overrides, next_command="deploy --help")
    _check_plain(cfg)
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


def _check_plain(cfg: DictConfig) -> None:
    """Keys and types that Hydra lets through and that would be ignored or fail further down."""
    unknown = [str(key) for key in cfg if key not in KEYS]
    for group, fields in GROUPS.items():
        unknown += [f"{group}.{key}" for key in cfg[group] if key not in fields]
    if unknown:
        raise ConfigError(
            f"unknown key(s) {', '.join(unknown)}",
            where="overrides",
            why="a key that is ignored in silence would look as if it had worked",
            next_command="deploy --help",
        )
    rules: dict[str, tuple[Callable[[object], bool], str]] = {
        "dt": (lambda v: v is None or (_number(v) and float(v) > 0), "dt=1e-3"),  # type: ignore[arg-type]
        "verify.samples": (lambda v: v is None or type(v) is int, "verify.samples=20"),
        "verify.strict": (lambda v: isinstance(v, bool), "verify.strict=true"),
        "out": (lambda v: v is None or isinstance(v, str), "out=FOLDER"),
    }
    for key, (holds, example) in rules.items():
        value = OmegaConf.select(cfg, key)
        if not holds(value):
            raise ConfigError(
                f"{key}={value!r} is not possible",
                where=key,
                why="the value has the wrong type or sign",
                next_command=example,
            )


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def deploy_main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``deploy``."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    help_or_nothing(arguments, USAGE)
    with explain_errors():
        path, overrides = file_and_overrides(arguments, "deploy", "deploy outputs/latest/best.ckpt target=fpga", KEYS)
        report, _ = deploy_and_show(path, overrides)
        sys.exit(1 if report.count(Outcome.FAILED) else 0)


def deploy_and_show(path: Path, overrides: Sequence[str]) -> tuple[Report, Path]:
    """Deploy with a progress bar and print the report; returns it and the artefact's folder."""
    console = Console()
    with bars(console) as progress:
        report, folder = deploy_from_overrides(path, overrides, progress)
    console.print(render(report, folder=_shown(folder), next_command=_next(folder)))
    return report, folder


def _next(folder: Path) -> str:
    shown = _shown(folder)
    return f"open {shown / 'report.html'}; how to use the artefact: {shown / 'README.md'}"


def _shown(folder: Path) -> Path:
    try:
        return folder.resolve().relative_to(Path.cwd())
    except ValueError:
        return folder


def _train(arguments: Sequence[str]) -> None:
    from lightning_neuro.train import main as train_main  # imported late: Lightning takes seconds

    sys.argv = ["train", *arguments]
    train_main()


def _export(arguments: Sequence[str]) -> None:
    from lightning_neuro.export import export_main

    export_main(arguments)


def _search(arguments: Sequence[str]) -> None:
    from lightning_neuro.search.cli import search_main

    search_main(arguments)


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "train": _train,
    "deploy": deploy_main,
    "search": _search,
    "export": _export,
}


def main() -> None:
    """Entry point of ``lightning-neuro``."""
    name, *rest = sys.argv[1:] or [""]
    command = COMMANDS.get(name)
    if command is None:
        wanted = name in ("", "-h", "--help")
        print(COMMANDS_USAGE if wanted else f"unknown command {name!r}\n\n{COMMANDS_USAGE}", file=sys.stderr)
        sys.exit(0 if name in ("-h", "--help") else 2)
    command(rest)


if __name__ == "__main__":
    main()
