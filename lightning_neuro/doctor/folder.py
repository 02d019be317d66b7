"""Where runs and artefacts are written."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from lightning_neuro.doctor.finding import Finding, Status

GROUP = "folders"
LITTLE_GB = 1.0


def output_folder(place: Path = Path("outputs")) -> Finding:
    """Whether runs can be written here, tried with a file."""
    return _writable("output folder", place, "hydra.run.dir=FOLDER (train), out=FOLDER (deploy, search, export)")


def temporary_folder() -> Finding:
    """Whether simulators can work."""
    return _writable("temporary folder", Path(tempfile.gettempdir()), "export TMPDIR=/path/with/space")


def _writable(name: str, place: Path, remedy: str) -> Finding:
    there = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
    try:
        handle, file = tempfile.mkstemp(prefix=".lightning-neuro-", dir=there)
        os.close(handle)
        os.unlink(file)
    except OSError as error:
        return Finding(
            group=GROUP,
            name=name,
            status=Status.BROKEN,
            found=str(place),
            detail=f"cannot be written: {error.strerror or error}",
            remedy=remedy,
        )
    free = shutil.disk_usage(there).free / 1e9
    little = free < LITTLE_GB
    return Finding(
        group=GROUP,
        name=name,
        status=Status.NOTE if little else Status.GOOD,
        found=str(place),
        detail=f"{free:,.1f} GB free" + (", which is little" if little else ""),
        remedy=remedy if little else "",
    )
