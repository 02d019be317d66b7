"""The machine that a demo ran on, in words."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lightning_neuro import __version__
from lightning_neuro.cores import cores

PACKAGES = ("torch", "pytorch-lightning")


def machine() -> str:
    """Processor, cores, system and Python."""
    count = cores()
    words = f"{processor()}, {count} core{'s' if count > 1 else ''}"
    return f"{words}, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def processor() -> str:
    """Name of the processor, as well as the system knows it."""
    try:
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    except OSError:
        names = []
    return names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()


def software() -> str:
    """Versions of this package and of what it trains with."""
    found = [f"lightning_neuro {__version__}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
