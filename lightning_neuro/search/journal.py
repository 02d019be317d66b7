"""Points that were measured, one line each, written as they come: a search that was killed goes on where it stopped."""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lightning_neuro.checkpoint import Inputs
from lightning_neuro.data.spike_time_set import SpikeTimeSet
from lightning_neuro.errors import ConfigError
from lightning_neuro.graph.widths import Widths
from lightning_neuro.schemas import JOURNAL as SCHEMA
from lightning_neuro.schemas import refuse_newer
from lightning_neuro.search.cost import Cost
from lightning_neuro.search.measure import Point
from lightning_neuro.search.space import from_numbers, numbers
from lightning_neuro.targets.fpga.lanes import Lanes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What the points belong to; a journal of something else is not continued.

    Args:
        sha256: hex digest of the network in real numbers.
        samples: number of evaluation samples.
        inputs: hex digest of evaluation and calibration samples (``inputs_digest``).
        lanes: the FPGA target's setting, which the area depends on.
        populations: names in order.
    """

    sha256: str
    samples: int
    inputs: str
    lanes: Lanes
    populations: tuple[str, ...]

    def to_line(self) -> str:
        """As one line of JSON."""
        return json.dumps({"schema": SCHEMA, **dataclasses.asdict(self)})


def inputs_digest(*sets: Inputs | None) -> str:
    """Hex digest of samples and their labels."""
    digest = hashlib.sha256()
    for inputs in sets:
        if inputs is not None:
            values = inputs.times if isinstance(inputs, SpikeTimeSet) else inputs.spikes
            for array in (values, inputs.labels):
                digest.update(f"{array.shape} {array.dtype}".encode())
                digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


class Journal:
    """A file of points, which several processes may fill at once.

    Args:
        path: file; made when it does not exist. ``.lock`` beside it keeps writers apart.
        heading: what is searched for.

    Attributes:
        points: each once, in order of measurement; what other processes measure appears with ``refresh`` and ``add``.

    Raises:
        ConfigError: the file belongs to another network or other samples.
    """

    def __init__(self, path: Path, heading: Heading) -> None:
        self._path, self._heading = path, heading
        self._read, self._keys = 0, set[str]()  # bytes that were understood, points that are known
        self.points: list[Point] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if not path.is_file() or b"\n" not in path.read_bytes():  # killed before the heading was whole
                path.write_text(heading.to_line() + "\n")
            self._catch_up()

    def __contains__(self, widths: Widths) -> bool:
        """Whether a point was measured, by this process or, as far as is known, by another."""
        return self._key(widths) in self._keys

    def refresh(self) -> None:
        """Read what other processes have measured meanwhile."""
        with self._alone():
            self._catch_up()

    def add(self, point: Point) -> None:
        """Keep a point, unless another process was faster; it is on the disk when this returns."""
        with self._alone():
            self._catch_up()
            if point.widths in self:
                return
            with self._path.open("r+b") as stream:
                stream.seek(self._read)
                stream.truncate()  # of a line that a killed process left
                stream.write(json.dumps(_to_plain(point, self._heading.populations)).encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            self._catch_up()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process reads or writes; the system lifts the lock of a process that is killed."""
        with self._path.with_name(f".{self._path.name}.lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def _catch_up(self) -> None:
        """Take the whole lines behind those that were read before."""
        with self._path.open("rb") as stream:
            stream.seek(self._read)
            lines = [line for line in stream if line.endswith(b"\n")]
        if self._read == 0:
            self._check(lines[0].decode().strip())
        for line in lines[1 if self._read == 0 else 0 :]:
            point = _from_plain(json.loads(line), self._heading.populations)
            self._keys.add(self._key(point.widths))
            self.points.append(point)
        self._read += sum(map(len, lines))

    def _check(self, heading: str) -> None:
        refuse_newer(_schema(heading), SCHEMA, kind=ConfigError, what="journal of a search", where=str(self._path))
        if heading != self._heading.to_line():
            raise ConfigError(
                "the points in this folder belong to another network, to other samples or to other lanes",
                where=str(self._path),
                why="a search goes on where it stopped only with the same network, evaluation samples and lanes",
                next_command=f"out=ANOTHER_FOLDER, or remove {self._path}",
            )

    def _key(self, widths: Widths) -> str:
        return str(numbers(widths, self._heading.populations))


def _schema(heading: str) -> object:
    """What the first line says; a line that is no JSON is another file, not a newer one."""
    try:
        return json.loads(heading)["schema"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return None


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
