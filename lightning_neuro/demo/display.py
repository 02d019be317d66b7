"""The demo in the terminal: a live table of cells, plain lines in a log, and the table of results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lightning_neuro.demo.plan import Job, Plan
from lightning_neuro.demo.progress import cell_activity, job_line
from lightning_neuro.demo.results import CellResult, Verdict
from lightning_neuro.demo.running import Phase, States
from lightning_neuro.report.wording import ABSENT, AccuracyRow, duration

LOG_WIDTH = 110  # columns of the table where there is no terminal
_PHASE_STYLE: Mapping[Phase, str] = {
    Phase.WAITING: "dim",
    Phase.RUNNING: "cyan",
    Phase.DONE: "green",
    Phase.FAILED: "bold red",
    Phase.REFUSED: "yellow",
    Phase.BLOCKED: "bold red",
}
_VERDICT_STYLE: Mapping[Verdict, str] = {
    Verdict.PASSED: "green",
    Verdict.INCOMPLETE: "yellow",
    Verdict.FAILED: "bold red",
    Verdict.REFUSED: "yellow",
}


@contextmanager
def watching(plan: Plan, jobs: Sequence[Job], console: Console) -> Iterator[Callable[[States], None]]:
    """Yield what is called with the states of all jobs: a live table on a terminal, lines elsewhere."""
    if not console.is_terminal:
        yield _Lines(jobs, console)
        return
    start = time.perf_counter()
    with Live(console=console, transient=True, auto_refresh=False) as live:
        yield lambda states: live.update(live_table(plan, states, time.perf_counter() - start), refresh=True)


class _Lines:
    """Prints a line when a job does something else."""

    def __init__(self, jobs: Sequence[Job], console: Console) -> None:
        self.jobs, self.console, self.start = jobs, console, time.perf_counter()
        self.said: dict[str, str] = {}

    def __call__(self, states: States) -> None:
        for job in self.jobs:
            line = job_line(job, states[job.name])
            if states[job.name].phase is not Phase.WAITING and self.said.get(job.name) != line:
                self.said[job.name] = line
                seconds = time.perf_counter() - self.start
                self.console.print(Text(f"{seconds:6.1f} s  {line}"), soft_wrap=True)


def live_table(plan: Plan, states: States, seconds: float) -> RenderableType:
    """All cells while they are made.

    Args:
        plan: all of it.
        states: of all jobs.
        seconds: since the start.
    """
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name, width in (("model", 10), ("target", 11), ("", 14), ("", 50), ("time", 9)):
        side = "right" if name == "time" else "left"
        table.add_column(name, min_width=width, no_wrap=True, header_style="dim", justify=side)
    for cell in plan.shown:
        now = cell_activity(plan, cell, states)
        bar = ProgressBar(total=1.0, completed=now.share or 0.0, width=14) if now.phase is Phase.RUNNING else Text()
        style = _PHASE_STYLE[now.phase]
        time_ = duration(now.seconds) if now.seconds else ""
        table.add_row(cell.model, cell.target, bar, Text(now.words, style=style), Text(time_, style="dim"))
    ended = sum(states[cell.name].phase.ended for cell in plan.cells)
    return Group(table, Text(f"{ended} of {len(plan.cells)} cells, {duration(seconds)}", style="dim"))


def result_table(results: Sequence[CellResult]) -> RenderableType:
    """The one table, and below it what does not fit into a row.

    Rows have two lines, so that the table fits beside an editor; what a narrower terminal cannot hold is folded.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("model\ntarget", "verdict"):
        table.add_column(name, overflow="fold")
    for name in ("trained", "quantised", "on target", "wrong\nspikes"):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("cost", overflow="fold")
    table.add_column("training\ndeployment", justify="right", overflow="fold")
    for result in results:
        table.add_row(*_row(result))
    notes = [_note(result) for result in results if result.refusal is not None or result.words]
    return Group(table, *([Text(), *notes] if notes else []))


def _row(result: CellResult) -> tuple[RenderableType, ...]:
    cost = "\n".join(f"{amount} {name}" for name, amount in result.cost)
    return (
        f"{result.cell.model}\n{result.cell.target}",
        Text(result.verdict.value, style=_VERDICT_STYLE[result.verdict]),
        percent(result.trained),
        percent(result.quantized),
        on_target(result.on_target),
        wrong(result),
        cost or ABSENT,
        f"{duration(result.training_s)}\n{duration(result.deploy_s)}",
    )


def percent(row: AccuracyRow | None) -> str:
    """An accuracy, or that there is none."""
    return row.percent if row is not None and row.measured else ABSENT


def on_target(row: AccuracyRow | None) -> str:
    """The artefact's accuracy with its samples, which are few where a simulator is slow."""
    return f"{row.percent}\n{row.fraction}" if row is not None and row.measured else ABSENT


def wrong(result: CellResult) -> str:
    """Spikes and membranes that differ from the golden model's."""
    return ABSENT if result.wrong is None else f"{result.wrong.differing:,}\nof {result.wrong.compared:,}"


def _note(result: CellResult) -> Text:
    name = f"{result.cell.model} on {result.cell.target}"
    if result.refusal is not None:
        return Text(f"{name}: {refusal_words(result)}")
    return Text(f"{name}: {result.words}")


def refusal_words(result: CellResult) -> str:
    """Why a target takes no such network, and the remedy, in the target's own words."""
    assert result.refusal is not None
    return f"refused: {result.refusal.reason}; remedy: {result.refusal.remedy}"
