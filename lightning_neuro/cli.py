"""The command line: ``lightning-neuro COMMAND ...`` and its short name ``deploy PATH target=...``.

Nothing here imports what takes long: help, version and completion answer before torch would be loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lightning_neuro import __version__
from lightning_neuro.commands.command import Command
from lightning_neuro.explain import explain_errors

NETWORK_FILES = (".ckpt", ".nir")
HYDRA_WORDS = ("--help", "--multirun", "--cfg", "--config-dir")

COMMANDS: dict[str, Command] = {
    "train": Command(
        summary="train a network                 (same as: python train.py)",
        entry="lightning_neuro.commands.train:train_main",
        config="train",
        words=HYDRA_WORDS,
    ),
    "deploy": Command(
        summary="write a network for hardware    (same as: deploy)",
        entry="lightning_neuro.commands.deploy:deploy_main",
        config="deploy",
        files=NETWORK_FILES,
        words=("--help",),
    ),
    "search": Command(
        summary="find the cheapest number widths that keep the accuracy",
        entry="lightning_neuro.commands.search:search_main",
        config="search",
        files=(".ckpt",),
        words=("--help",),
    ),
    "export": Command(
        summary="write a network as NIR, also for the readers of other tools",
        entry="lightning_neuro.commands.export:export_main",
        config="export",
        files=NETWORK_FILES,
        words=("--help",),
    ),
    "demo": Command(
        summary="three models on three targets, each proved; one page  (same as: make demo)",
        entry="lightning_neuro.demo.command:main",
        words=("--quick", "--out", "--jobs", "--help"),
    ),
    "doctor": Command(
        summary="what of this machine works, what is missing, how to get it",
        entry="lightning_neuro.commands.doctor:doctor_main",
        words=("--json", "--help"),
    ),
    "completion": Command(
        summary="words at the press of Tab, for bash, zsh and fish",
        entry="lightning_neuro.commands.completion:completion_main",
        words=("bash", "zsh", "fish", "--help"),
    ),
}


def usage() -> str:
    """The commands, one line each."""
    lines = [f"  {name:<10}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        ["lightning-neuro COMMAND ...", "", *lines, "", "`lightning-neuro COMMAND --help` explains each.", ""]
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``lightning-neuro``."""
    name, *rest = list(sys.argv[1:] if argv is None else argv) or [""]
    if name in ("--version", "-V"):
        print(f"lightning-neuro {__version__}")
    elif name in ("--help", "-h"):
        print(usage())
    elif name in COMMANDS:
        run(name, rest)
    else:
        from lightning_neuro.similar import did_you_mean

        complaint = f"unknown command {name!r}{did_you_mean(name, COMMANDS)}\n\n" if name else ""
        print(complaint + usage(), file=sys.stderr)
        sys.exit(2)


def deploy_main(argv: Sequence[str] | None = None) -> None:
    """Entry point of ``deploy``."""
    run("deploy", list(sys.argv[1:] if argv is None else argv))


def run(name: str, arguments: Sequence[str]) -> None:
    """Run a command; a user's mistake is one message and exit code 2."""
    with explain_errors():
        COMMANDS[name].load()(arguments)


if __name__ == "__main__":
    main()
