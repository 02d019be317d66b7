"""Points that were measured, one line each, written as they come: a search that was killed goes on where it stopped."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

from lightning_neuro.errors import ConfigError
from lightning_neuro.search.cost import Cost
from lightning_neuro.search.measure import Point
from lightning_neuro.search.space import from_numbers, numbers

SCHEMA = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What the points belong to; a journal of something else is not continued.

    Args:
        sha256: hex digest of the network in real numbers.
        samples: number of evaluation samples.
        populations: names in order.
    """

    sha256: str
    samples: int
    populations: tuple[str, ...]

    def to_line(self) -> str:
        """As one line of JSON."""
        return json.dumps({"schema": SCHEMA, **dataclasses.asdict(self)})


class Journal:
    """A file of points.

    Args:
        path: file; made when it does not exist.
        heading: what is searched for.

    Raises:
        ConfigError: the file belongs to another network or other samples.
    """

    def __init__(self, path: Path, heading: Heading) -> None:
        self._path, self._heading = path, heading
        self.points: list[Point] = []
        if path.is_file() and path.stat().st_size:
            self._read()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._append(heading.to_line())

    def add(self, point: Point) -> None:
        """Keep a point; it is on the disk when this returns."""
        self.points.append(point)
        self._append(json.dumps(_to_plain(point, self._heading.populations)))

    def _append(self, line: str) -> None:
        with self._path.open("a") as stream:
            stream.write(line + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def _read(self) -> None:
        heading, *lines = self._path.read_text().splitlines(keepends=True)
        if heading.strip() != self._heading.to_line():
            raise ConfigError(
                "the points in this folder belong to another network or to other samples",
                where=str(self._path),
                why="a search goes on where it stopped only with the same network and the same evaluation samples",
                next_command=f"out=ANOTHER_FOLDER, or remove {self._path}",
            )
        whole = [line for line in lines if line.endswith("\n")]
        self.points = [_from_plain(json.loads(line), self._heading.populations) for line in whole]
        if len(whole) < len(lines):  # killed in the middle of a line: the rest of the file stays usable
            kept = heading + "".join(whole)
            temporary = self._path.with_name(f".{self._path.name}.partial")
            temporary.write_text(kept)
            temporary.replace(self._path)


def _to_plain(point: Point, populations: Sequence[str]) -> dict[str, object]:
    return {
        "widths": numbers(point.widths, populations),
        "accuracy": point.accuracy,
        "cost": dataclasses.asdict(point.cost),
        "saturation": point.saturation,
    }


def _from_plain(values: dict[str, object], populations: Sequence[str]) -> Point:
    widths, cost, saturation = values["widths"], values["cost"], values["saturation"]
    assert isinstance(widths, list) and isinstance(cost, dict) and isinstance(saturation, dict)
    return Point(
        widths=from_numbers(widths, populations),
        accuracy=float(str(values["accuracy"])),
        cost=Cost(**cost),
        saturation={str(name): float(share) for name, share in saturation.items()},
    )
