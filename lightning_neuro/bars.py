"""Progress bars in the terminal, one per activity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lightning_neuro.progress_lines import tell_progress


@contextmanager
def bars(console: Console, *, remaining: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """Yield what is called with an activity, steps done and steps in all; bars are removed at the end.

    Args:
        console: where they are shown.
        remaining: show the time left too.
    """
    columns = [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}")]
    columns += [TimeElapsedColumn(), *([TextColumn("left"), TimeRemainingColumn()] if remaining else [])]
    progress = Progress(*columns, console=console, transient=True)
    tasks: dict[str, TaskID] = {}

    def update(what: str, done: int, total: int) -> None:
        tell_progress(what, done, total)
        if what not in tasks:
            tasks[what] = progress.add_task(what, total=total)
        progress.start()  # not before there is something to show: a refusal is one message and no empty lines
        progress.update(tasks[what], completed=done, total=total)

    try:
        yield update
    finally:
        if tasks:
            progress.stop()
