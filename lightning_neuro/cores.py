"""Work on all cores in threads, for kernels that release Python's lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

MOST = 8  # portions of samples at once: each takes a few hundred MB


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def on_cores(work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """Yield the results of tasks in their order.

    Args:
        work: function of one task.
        tasks: all are drawn at once.

    Example:
        >>> list(on_cores(abs, [-1, 2, -3]))
        [1, 2, 3]
    """
    with ThreadPoolExecutor(min(cores(), MOST)) as pool:
        yield from pool.map(work, tasks)
