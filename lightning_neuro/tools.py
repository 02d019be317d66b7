"""Find and run external programs: no shell, nothing left running, the program's own words in every error."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lightning_neuro.errors import ToolError

APT_PACKAGES: Mapping[str, str] = {"ghdl": "ghdl-mcode", "vvp": "iverilog"}
"""Debian packages whose name differs from the program's."""

_ERROR_LINES = 40  # of a failed program's output: the first message is the one that matters, the rest is echo
_DRAIN_S = 5.0  # seconds for the last words of a program that was ended


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedRun:
    """What a program left behind.

    Args:
        args: the program and its arguments.
        rc: the exit status; negative when a signal ended the program.
        stdout: everything it wrote to standard output.
        stderr: everything it wrote to standard error.
        seconds: wall time in seconds.
    """

    args: tuple[str, ...]
    rc: int
    stdout: str
    stderr: str
    seconds: float


def environment_variable(name: str) -> str:
    """Name the environment variable that points at a program, e.g. ``LIGHTNING_NEURO_GHDL``.

    >>> environment_variable("nextpnr-ecp5")
    'LIGHTNING_NEURO_NEXTPNR_ECP5'
    """
    return "LIGHTNING_NEURO_" + "".join(c if c.isalnum() else "_" for c in name).upper()


def install_command(name: str) -> str:
    """Name the command that installs a program on Debian and Ubuntu.

    >>> install_command("ghdl")
    'apt-get install ghdl-mcode'
    """
    return f"apt-get install {APT_PACKAGES.get(name, name)}"


def find_tool(name: str) -> str | None:
    """Find a program, or return None when it is not installed.

    Args:
        name: the program, e.g. ``"ghdl"``. Its environment variable comes first, then ``PATH``.

    Raises:
        ToolError: the environment variable is set but names nothing that can be run. (Falling back to another
            copy than the one asked for would hide the mistake.)
    """
    variable = environment_variable(name)
    wanted = os.environ.get(variable, "")
    if not wanted:
        return shutil.which(name)
    found = shutil.which(os.path.expanduser(wanted))
    if found is None:
        raise ToolError(
            f"{variable}={wanted!r} does not name an executable file",
            where=f"environment variable {variable}",
            why=f"the variable says which {name} to run, so no other one is tried",
            next_command=f"export {variable}=/path/to/{name}    (or: unset {variable})",
        )
    return found


def require_tool(name: str) -> str:
    """Find a program that the next step cannot do without.

    Args:
        name: the program, e.g. ``"ghdl"``.

    Raises:
        ToolError: it is not installed; the message says where it was looked for and how to get it.
    """
    found = find_tool(name)
    if found is None:
        variable = environment_variable(name)
        raise ToolError(
            f"the program {name!r} was not found",
            where=f"environment variable {variable} (not set), then PATH={os.environ.get('PATH', '')}",
            why="this step runs it; it is a system program that pip does not install",
            next_command=f"{install_command(name)}    (or: export {variable}=/path/to/{name})",
        )
    return found


def run_tool(
    args: Sequence[str | Path],
    *,
    cwd: Path,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> CompletedRun:
    """Run a program to its end and return what it said.

    The program gets its own process group and no input; when the time is up, or the caller is interrupted,
    the whole group is ended, so no simulator keeps running behind the back of the user.

    Args:
        args: the program and its arguments; no shell reads them.
        cwd: folder to run in.
        timeout_s: the most seconds it may take.
        env: variables to set on top of the present environment.
        check: whether an exit status other than 0 is an error.

    Raises:
        ToolError: it could not be started, took too long, or (with ``check``) failed; carries its last words.
    """
    command = tuple(str(arg) for arg in args)
    start = time.perf_counter()
    process = None
    try:
        with _interrupts_later():
            process = _start(command, cwd, env)
        stdout, stderr = process.communicate(timeout=timeout_s)
    except BaseException as error:  # Ctrl-C included: nothing may stay behind
        stdout, stderr = ("", "") if process is None else _end_group(process)
        if isinstance(error, subprocess.TimeoutExpired):
            how = f"took longer than {timeout_s:g} s and was ended"
            raise _failure(command, cwd, how, stdout, stderr) from None
        raise
    seconds = time.perf_counter() - start
    if check and process.returncode != 0:
        raise _failure(command, cwd, _how_it_ended(process.returncode), stdout, stderr)
    return CompletedRun(args=command, rc=process.returncode, stdout=stdout, stderr=stderr, seconds=seconds)


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """A Ctrl-C that comes while a program is started is handled when it can be ended."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield  # no interrupt reaches other threads, and nobody waits for one that is ignored
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    for number in came[:1]:
        before(number, None)


def _start(command: tuple[str, ...], cwd: Path, env: Mapping[str, str] | None) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=None if env is None else {**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise _failure(command, cwd, f"could not be started: {error.strerror or error}", "", "") from error


def _end_group(process: subprocess.Popen[str]) -> tuple[str, str]:
    with suppress(ProcessLookupError):  # it may have ended by itself in this very moment
        os.killpg(process.pid, signal.SIGKILL)
    try:
        return process.communicate(timeout=_DRAIN_S)
    except subprocess.TimeoutExpired:  # a descendant that left the group holds the pipes: do not wait for it
        return "", ""


def _how_it_ended(rc: int) -> str:
    if rc >= 0:
        return f"failed with exit status {rc}"
    try:
        return f"was ended by {signal.Signals(-rc).name}"
    except ValueError:
        return f"was ended by signal {-rc}"


def _failure(command: tuple[str, ...], cwd: Path, how: str, stdout: str, stderr: str) -> ToolError:
    said = "\n".join(part.strip() for part in (stderr, stdout) if part.strip()).splitlines()
    if len(said) > _ERROR_LINES:
        half = _ERROR_LINES // 2
        said = [*said[:half], f"... {len(said) - 2 * half} lines left out ...", *said[-half:]]
    words = "\n".join(f"    {line}" for line in said) or "    (it said nothing)"
    return ToolError(
        f"{Path(command[0]).name} {how}",
        where=f"folder {cwd}",
        why=f"the program said:\n{words}",
        next_command=f"cd {shlex.quote(str(cwd))} && {shlex.join(command)}",
    )
