"""Independent work on threads, each with one of torch's threads: on small arrays that is the faster use of cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

import torch

T = TypeVar("T")


def side_by_side(jobs: Sequence[Callable[[Event], T]]) -> list[T]:
    """Do all jobs, as many at a time as torch has threads here; where that is one, in this thread.

    An error of one, or an interruption, ends the others too.

    Args:
        jobs: that share nothing they change. A long one should end early when the event that it is given is set:
            then nobody waits for it any more.

    Returns:
        What each returned, in order.
    """
    left, count = Event(), min(len(jobs), torch.get_num_threads())
    if count <= 1:
        return [job(left) for job in jobs]
    with threads(1), ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        started = [pool.submit(job, left) for job in jobs]
        try:
            wait(started, return_when=FIRST_EXCEPTION)
        finally:
            if not all(one.done() for one in started):
                # Leaving the pool waits for what runs.
                left.set()
                for one in started:
                    one.cancel()
        for one in started:
            # Those that were called off come after the one that failed, or return nothing that is of use.
            if not one.cancelled():
                one.result()
        return [one.result() for one in started]


@contextmanager
def threads(count: int | None) -> Iterator[int]:
    """Limit torch to some threads for a while; None leaves them. Yields the number in use.

    With one, sums do not depend on how many threads there are.
    """
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
