"""Programs as a user types them, without the seconds that each would need to import torch."""

from __future__ import annotations

import atexit
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A program to run; see ``tests.forks.server``.

    Args:
        words: as typed: a console script of this package, ``python FILE ...`` or ``python -m MODULE ...``.
        folder: working folder.
        output, errors: files to which its two streams are added.
        environment: variables besides those of the test.
    """

    words: list[str]
    folder: str
    output: str
    errors: str
    environment: dict[str, str] = dataclasses.field(default_factory=dict)


@cache
def server(python: str) -> subprocess.Popen[str]:
    """One process for all tests of a worker; it ends with it."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "COLUMNS": "100"}
    environment["PYTHONPATH"] = str(ROOT)
    if python != sys.executable:  # another environment has its own package
        del environment["PYTHONPATH"]
    found = subprocess.Popen(
        [python, str(Path(__file__).with_name("server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    atexit.register(found.communicate)
    return found


def run(request: Request, python: str = sys.executable) -> int:
    """Run a program, of another environment if ``python`` is its; returns its exit code, negative after a signal."""
    asked, answer = server(python).stdin, server(python).stdout
    assert asked is not None and answer is not None
    print(json.dumps(dataclasses.asdict(request)), file=asked, flush=True)
    return json.loads(answer.readline())["code"]


def program(folder: Path, *words: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder; what it said is in the result.

    Args:
        folder: working folder.
        words: as for ``Request``.
        python: interpreter of the environment whose program it is.
    """
    with tempfile.TemporaryDirectory() as name:
        said = [Path(name) / stream for stream in ("output", "errors")]
        code = run(Request(words=list(words), folder=str(folder), output=str(said[0]), errors=str(said[1])), python)
        texts = [path.read_text(encoding="utf-8", errors="replace") for path in said]
    return subprocess.CompletedProcess(words, code, *texts)
