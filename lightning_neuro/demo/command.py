"""The command ``lightning-neuro demo``: nine cells, one table, one page."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from lightning_neuro.cores import cores
from lightning_neuro.demo.collect import LOGS, collect
from lightning_neuro.demo.display import LOG_WIDTH, result_table, watching
from lightning_neuro.demo.machine import machine, software
from lightning_neuro.demo.page import Facts, to_html, to_json
from lightning_neuro.demo.plan import Plan, jobs_of
from lightning_neuro.demo.plans import FULL, QUICK
from lightning_neuro.demo.results import CellResult, Verdict
from lightning_neuro.demo.running import run_jobs
from lightning_neuro.explain import explain_errors
from lightning_neuro.publish import publishing
from lightning_neuro.report.wording import duration

MANIFEST, PAGE = "demo.json", "index.html"
MOST_SLOTS = 4  # processes of a gigabyte each


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was typed.

    Args:
        plan: what to do.
        out: folder of the demo.
        slots: most jobs at a time.
    """

    plan: Plan
    out: Path
    slots: int


def options(arguments: Sequence[str]) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="lightning-neuro demo",
        description="Train three models, deploy each to three targets, prove every artefact; one table, one page.",
    )
    parser.add_argument("--quick", action="store_true", help="one model on one target: lif on fpga, a minute or two")
    parser.add_argument("--out", type=Path, help="folder; default outputs/demo, with --quick outputs/demo-quick")
    parser.add_argument(
        "--jobs", type=int, default=min(cores(), MOST_SLOTS), help="jobs at a time; default: one per core, up to 4"
    )
    typed = parser.parse_args([f"--{word}" if word.startswith("out=") else word for word in arguments])
    if typed.jobs < 1:
        parser.error("--jobs must be at least 1")
    default = Path("outputs", "demo-quick" if typed.quick else "demo")
    return Options(plan=QUICK if typed.quick else FULL, out=typed.out or default, slots=typed.jobs)


def demo(wanted: Options, console: Console) -> tuple[CellResult, ...]:
    """Run a plan and publish its folder, whole or not at all; an earlier one is replaced at the end.

    Args:
        wanted: what to do.
        console: where progress and the table are shown.

    Raises:
        NeuroError: the folder holds something else, or cannot be written.
    """
    inside = named(wanted.out)
    jobs = jobs_of(wanted.plan, inside.as_posix())
    start = time.perf_counter()
    with publishing(wanted.out, manifest=MANIFEST, inside=inside) as folder:
        cwd = folder.parents[len(inside.parts) - 1]
        (folder / LOGS).mkdir()
        with watching(wanted.plan, jobs, console) as show:
            states = run_jobs(jobs, slots=wanted.slots, cwd=cwd, logs=folder / LOGS, show=show)
        results = collect(wanted.plan, states, folder, inside.as_posix())
        seconds = time.perf_counter() - start
        facts = Facts(machine=machine(), software=software(), slots=wanted.slots, seconds=seconds)
        (folder / PAGE).write_text(to_html(results, facts), encoding="utf-8")
        (folder / MANIFEST).write_text(to_json(results, facts), encoding="utf-8")
    console.print()
    console.print(result_table(results))
    console.print(f"\n{len(results)} cell(s) in {duration(facts.seconds)}; page  {wanted.out / PAGE}", soft_wrap=True)
    return results


def named(out: Path) -> Path:
    """The folder's name in commands: as it was typed, where that means something from another folder too.

    >>> named(Path("outputs/demo")), named(Path("/tmp/demo")), named(Path("../demo"))
    (PosixPath('outputs/demo'), PosixPath('demo'), PosixPath('demo'))
    """
    plain = not out.is_absolute() and ".." not in out.parts and out.parts
    return out if plain else Path(out.resolve().name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point; exit code 0 when no cell failed, else 1; 2 and 130 as of every command."""
    wanted = options(sys.argv[1:] if arguments is None else arguments)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=LOG_WIDTH)
    for sign in (signal.SIGINT, signal.SIGTERM):  # also where the shell had it ignored, so that children see it
        signal.signal(sign, signal.default_int_handler)
    with explain_errors():
        results = demo(wanted, console)
    sys.exit(any(result.verdict is Verdict.FAILED for result in results))
