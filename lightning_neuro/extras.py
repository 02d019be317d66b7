"""Optional packages: which extra brings them, what they are for, and the message when one is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from lightning_neuro.errors import ToolError


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionalPackage:
    """A package that only some commands need.

    Args:
        name: as the package index has it.
        module: what Python imports.
        extra: of lightning-neuro that brings it.
        enables: what works with it, a phrase.
    """

    name: str
    module: str
    extra: str
    enables: str


OPTIONAL: Mapping[str, OptionalPackage] = {
    package.name: package
    for package in (
        OptionalPackage(
            name="nest-simulator",
            module="nest",
            extra="spinnaker",
            enables="the proof that a PyNN script spikes like the golden model (target=spinnaker)",
        ),
        OptionalPackage(
            name="sPyNNaker",
            module="spynnaker",
            extra="spinnaker",
            enables="the map onto a virtual board, every synapse read back (target=spinnaker)",
        ),
        OptionalPackage(name="optuna", module="optuna", extra="search", enables="lightning-neuro search method=optuna"),
        OptionalPackage(
            name="hydra-joblib-launcher",
            module="hydra_plugins.hydra_joblib_launcher",
            extra="sweep",
            enables="runs of a sweep side by side (hydra/launcher=joblib)",
        ),
        OptionalPackage(
            name="hydra-submitit-launcher",
            module="hydra_plugins.hydra_submitit_launcher",
            extra="sweep",
            enables="runs of a sweep on a Slurm cluster (hydra/launcher=submitit_slurm)",
        ),
        OptionalPackage(
            name="tensorboard",
            module="tensorboard",
            extra="tensorboard",
            enables="curves in the browser (logger=tensorboard)",
        ),
        OptionalPackage(name="wandb", module="wandb", extra="wandb", enables="Weights & Biases (logger=wandb)"),
    )
}


def installed(package: OptionalPackage) -> bool:
    """Whether Python would find it; nothing is imported but the packages around it."""
    try:
        return find_spec(package.module) is not None
    except ModuleNotFoundError:  # of a parent, as of hydra_plugins
        return False


def install_extra(extra: str) -> str:
    """The command that installs an extra.

    >>> install_extra("spinnaker")
    "pip install 'lightning-neuro[spinnaker]'"
    """
    return f"pip install 'lightning-neuro[{extra}]'"


def absent(*names: str) -> str:
    """Reason and remedy when packages are not installed, for a check that is skipped; empty when all are there."""
    missing = [OPTIONAL[name] for name in names if not installed(OPTIONAL[name])]
    if not missing:
        return ""
    verb = "is" if len(missing) == 1 else "are"
    commands = " && ".join(dict.fromkeys(install_extra(package.extra) for package in missing))
    return f"{' and '.join(package.name for package in missing)} {verb} not installed ({commands})"


def require(name: str, *, where: str, otherwise: str) -> None:
    """Refuse to go on without an optional package.

    Args:
        name: as the package index has it.
        where: the key or file that asked for it.
        otherwise: an override that does without.

    Raises:
        ToolError: it is not installed.
    """
    package = OPTIONAL[name]
    if not installed(package):
        raise ToolError(
            f"{where} needs the package {name}, which is not installed",
            where=where,
            why=f"it is optional: it enables {package.enables}",
            next_command=f"{install_extra(package.extra)}   (or {otherwise})",
        )
