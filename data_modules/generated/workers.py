"""Maps a function over worker processes: in order, a bounded number ahead, and no worker outlives its parent."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

from data_modules.clips.watch import end_with_parent

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 1024
"""Results that may wait for a slow consumer."""


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_in_processes(function: Callable[[T], R], items: Sequence[T], jobs: int) -> Iterator[R]:
    """Yield ``function(item)`` for every item, in order.

    Args:
        function: can be pickled; called in this process if ``jobs`` is 1.
        items: can be pickled.
        jobs: processes, >= 1.
    """
    if jobs == 1:
        yield from map(function, items)
        return
    # A fork server: forking a process that has started threads can hang.
    pool = ProcessPoolExecutor(jobs, get_context("forkserver"), initializer=_start_worker)
    try:
        call: Any = partial(pool.map, function, chunksize=8)
        for start in range(0, len(items), AHEAD):
            yield from call(items[start : start + AHEAD])
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the parent, which stops the pool
    end_with_parent()
