"""Programs as a user types them, without the seconds that each would need to import torch."""

from __future__ import annotations

import atexit
import dataclasses
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
LONGEST_S = 300


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A program to run; see ``tests.forks.server``.

    Args:
        words: as typed: a console script of this package, ``python FILE ...`` or ``python -m MODULE ...``.
        folder: working folder.
        output, errors: files to which its two streams are added.
        longest_s: seconds after which it is ended.
        pictures: whether pictures are drawn; without, their files are written and stay empty.
        environment: variables besides those of the test.
    """

    words: list[str]
    folder: str
    output: str
    errors: str
    longest_s: int = LONGEST_S
    pictures: bool = False
    environment: dict[str, str] = dataclasses.field(default_factory=dict)


@cache
def server() -> subprocess.Popen[str]:
    """One process for all tests of a worker; it ends with it."""
    own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "COLUMNS": "100"}
    found = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | own,
        text=True,
    )
    atexit.register(found.communicate)
    return found


def run(request: Request) -> int:
    """Run a program; returns its exit code, negative where a signal ended it."""
    asked, answer = server().stdin, server().stdout
    assert asked is not None and answer is not None
    print(json.dumps(dataclasses.asdict(request)), file=asked, flush=True)
    return json.loads(answer.readline())["code"]


def program(folder: Path, *words: str, pictures: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder; what it said is in the result.

    Args:
        folder: working folder.
        words: as for ``Request``.
        pictures: as for ``Request``.
    """
    said = [folder.parent / f".{folder.name}.{name}" for name in ("output", "errors")]
    for path in said:
        path.write_text("")
    output, errors = map(str, said)
    code = run(Request(words=list(words), folder=str(folder), output=output, errors=errors, pictures=pictures))
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in said]
    for path in said:
        path.unlink()
    return subprocess.CompletedProcess(words, code, *texts)
