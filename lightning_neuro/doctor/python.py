"""The interpreter and its packages, by their metadata: nothing is imported."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

from lightning_neuro import __version__
from lightning_neuro.doctor.finding import Finding, Status
from lightning_neuro.doctor.tested import OLDEST_PYTHON, OPTIONAL_PACKAGES, PACKAGES, PYTHON
from lightning_neuro.extras import OPTIONAL, OptionalPackage, install_extra

GROUP = "Python"
OPTIONAL_GROUP = "optional packages"


def interpreter(running: tuple[int, int, int] = sys.version_info[:3]) -> Finding:
    """The version of Python."""
    found = ".".join(map(str, running))
    if running[:2] < OLDEST_PYTHON:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        return Finding(
            group=GROUP,
            name="python",
            status=Status.BROKEN,
            found=found,
            detail=f"lightning-neuro needs {oldest} or newer",
            remedy="install a newer Python and make a new environment: python3 -m venv .venv",
        )
    tested = ".".join(map(str, PYTHON))
    note = "" if running[:2] == PYTHON else f"tested with {tested}"
    return Finding(
        group=GROUP, name="python", status=Status.NOTE if note else Status.GOOD, found=found, detail=note
    )


def this_package() -> Finding:
    """The version of lightning-neuro itself."""
    return Finding(group=GROUP, name="lightning-neuro", status=Status.GOOD, found=__version__)


def required_packages() -> tuple[Finding, ...]:
    """What every command needs."""
    return tuple(_required(name, tested) for name, tested in PACKAGES.items())


def _required(name: str, tested: str) -> Finding:
    found = installed_version(name)
    if found is None:
        return Finding(
            group=GROUP,
            name=name,
            status=Status.BROKEN,
            detail="not installed",
            remedy=f"pip install '{name}=={tested}'",
        )
    return _with_version(GROUP, name, found, tested, "")


def optional_packages() -> tuple[Finding, ...]:
    """What only some commands need, and what each would enable."""
    return tuple(_optional(OPTIONAL[name], tested) for name, tested in OPTIONAL_PACKAGES.items())


def _optional(package: OptionalPackage, tested: str) -> Finding:
    found = installed_version(package.name)
    if found is None:
        return Finding(
            group=OPTIONAL_GROUP,
            name=package.name,
            status=Status.ABSENT,
            detail=f"would enable {package.enables}",
            remedy=install_extra(package.extra),
        )
    return _with_version(OPTIONAL_GROUP, package.name, found, tested, package.enables)


def _with_version(group: str, name: str, found: str, tested: str, enables: str) -> Finding:
    same = found.split("+")[0] == tested  # torch names its variant behind a plus
    parts = (enables, "" if same else f"tested with {tested}")
    return Finding(
        group=group,
        name=name,
        status=Status.GOOD if same else Status.NOTE,
        found=found,
        detail="; ".join(part for part in parts if part),
    )


def installed_version(name: str) -> str | None:
    """Version of an installed package by its name on the package index; None when it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
