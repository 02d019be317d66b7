"""Whole or nothing: an artefact is made in a temporary folder and moved to its place at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lightning_neuro.errors import ConfigError, NeuroError, NirError

MANIFEST = "report.json"  # what marks a folder as ours, to be replaced


@contextmanager
def publishing(place: Path, *, manifest: str = MANIFEST, inside: Path = Path()) -> Iterator[Path]:
    """Yield an empty folder beside ``place``; on success it replaces ``place``, on any error nothing is left.

    Args:
        place: where the artefact will be; an earlier artefact there is replaced, anything else is refused.
        manifest: file in the folder that marks it as ours, to be replaced.
        inside: where in a temporary folder the yielded one lies: programs that run in the temporary folder can name
            it as it will be named afterwards.

    Raises:
        ConfigError: ``place`` holds something that is not an artefact, or cannot be written.
    """
    _check_place(place, manifest)
    made = _make_parents(place.parent)
    folder: Path | None = None
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{place.name}.partial-", dir=place.parent))
        inner = folder / inside
        inner.mkdir(parents=True, exist_ok=True)
        inner.chmod(0o755)
        yield inner
        _replace(place, inner)
        made = []
    except OSError as error:
        raise _unwritable(place, error) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        _remove_empty(made)


@contextmanager
def whole_file(place: Path) -> Iterator[Path]:
    """Yield another name beside ``place``; on success the file moves there, on any error nothing is left.

    Several processes may do so at once.

    Args:
        place: file to write; an earlier one is replaced.
    """
    temporary = place.with_name(f".{place.name}.{os.getpid()}.partial")
    try:
        yield temporary
        os.replace(temporary, place)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def nir_file(place: Path, remedy: str) -> Iterator[Path]:
    """A ``whole_file`` whose failures are told as those of a NIR file.

    Args:
        place: NIR file to write.
        remedy: what helps where the file cannot be written.

    Raises:
        NirError: the file cannot be written.
    """
    try:
        with whole_file(place) as temporary:
            yield temporary
    except OSError as error:
        raise NirError(
            "the NIR file could not be written", where=str(place), why=str(error), next_command=remedy
        ) from error


def _check_place(place: Path, manifest: str) -> None:
    if place.is_dir() and (not any(place.iterdir()) or (place / manifest).is_file()):
        return
    if place.exists() or place.is_symlink():
        raise ConfigError(
            "this place is taken by something that is not an artefact",
            where=str(place),
            why=f"only an empty folder or one with a {manifest} is replaced, so that nothing of yours is lost",
            next_command="out=ANOTHER_FOLDER",
        )


def _make_parents(folder: Path) -> list[Path]:
    """Create missing folders; returns them, innermost first."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    try:
        for path in reversed(missing):
            path.mkdir()
    except OSError as error:
        _remove_empty(missing)
        raise _unwritable(missing[0], error) from error
    return missing


def _replace(place: Path, folder: Path) -> None:
    old = None
    if place.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{place.name}.old-", dir=place.parent))
        os.rename(place, old / "artefact")
    try:
        os.rename(folder, place)
    except OSError:
        if old is not None:
            os.rename(old / "artefact", place)
        raise
    finally:
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)


def _remove_empty(folders: list[Path]) -> None:
    for path in folders:
        try:
            path.rmdir()
        except OSError:
            return


def _unwritable(place: Path, error: OSError) -> NeuroError:
    return ConfigError(
        "the artefact could not be written",
        where=str(error.filename or place),
        why=error.strerror or str(error),
        next_command="free some disk space, or out=ANOTHER_FOLDER; nothing was left behind",
    )
