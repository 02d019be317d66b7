"""Work in threads: the kernels and matrix products release Python's lock, and all threads share the samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_threads(work: Callable[[Task], Result], tasks: Iterable[Task], workers: int) -> Iterator[tuple[Task, Result]]:
    """Yield tasks and results as they are finished; a task is drawn only when a thread is free for it.

    Args:
        work: function of one task.
        tasks: may be a generator that looks at earlier results.
        workers: threads.
    """
    waiting = iter(tasks)
    with ThreadPoolExecutor(workers) as pool:
        running: dict[Future[Result], Task] = {}
        try:
            while True:
                for task in islice(waiting, workers - len(running)):
                    running[pool.submit(work, task)] = task
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.result()
        finally:
            for future in running:
                future.cancel()
