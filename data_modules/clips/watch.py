"""Knows which file each process is reading, so that one that never ends can be named."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.context import BaseContext
from typing import NamedTuple

_log = logging.getLogger(__name__)

_SLOT = 1024
_CLOCK = 8  # bytes of a slot that hold the start of the read

PATIENCE = 60.0
"""Seconds after which a read in the main process, which nothing can end, is named in a warning."""


def end_with_parent() -> None:
    """Make this worker process end when the one that started it is gone, also if that was killed.

    Nothing else does: a fork server lives as long as its children do, and torch's loader asks after the fork server.
    """
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class Reading(NamedTuple):
    """A read that has not ended.

    Args:
        worker: number of the loader process.
        path: of the file.
        seconds: since it began.
    """

    worker: int
    path: str
    seconds: float


class ReadingBoard:
    """Memory shared with loader processes, in which each of them writes the file that it reads.

    Args:
        num_workers: loader processes, >= 1.
        context: by which they are started.
    """

    def __init__(self, num_workers: int, context: BaseContext) -> None:
        self._num_workers = num_workers
        self._memory = context.RawArray("c", num_workers * _SLOT)

    def claim(self, worker: int) -> None:
        """Make this process write into the slot of loader process ``worker``."""
        global _slot
        _slot = (self, worker)

    def write(self, worker: int, path: str) -> None:
        """Say what a loader process reads from now on; an empty path is nothing."""
        name = path.encode(errors="replace")[-(_SLOT - _CLOCK) :]
        now = int(time.time() * 1000).to_bytes(_CLOCK, "little")
        start = worker * _SLOT
        memory = memoryview(self._memory).cast("B")
        memory[start : start + _SLOT] = (now + name).ljust(_SLOT, b"\0")

    def readings(self) -> list[Reading]:
        """Return the reads that are under way, the longest first."""
        content, now = bytes(memoryview(self._memory).cast("B")), time.time()
        found = []
        for worker in range(self._num_workers):
            slot = content[worker * _SLOT : (worker + 1) * _SLOT]
            path = slot[_CLOCK:].rstrip(b"\0").decode(errors="replace")
            if path:
                found.append(Reading(worker, path, now - int.from_bytes(slot[:_CLOCK], "little") / 1000))
        return sorted(found, key=lambda reading: -reading.seconds)


_slot: tuple[ReadingBoard, int] | None = None
_own: dict[int, tuple[str, float]] = {}
_watchman: threading.Thread | None = None
_starting = threading.Lock()


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Let it be known, while the block runs, that this process reads ``path``."""
    if _slot is not None:
        board, worker = _slot
        board.write(worker, path)
        try:
            yield
        finally:
            board.write(worker, "")
        return
    _start_watchman()
    thread = threading.get_ident()
    _own[thread] = (path, time.monotonic())
    try:
        yield
    finally:
        _own.pop(thread, None)


def _start_watchman() -> None:
    global _watchman
    # Several threads may begin to read at once.
    with _starting:
        if _watchman is None or not _watchman.is_alive():
            _watchman = threading.Thread(target=_watch, name="slow reads", daemon=True)
            _watchman.start()


def _watch() -> None:
    named: set[tuple[str, float]] = set()
    while True:
        time.sleep(min(PATIENCE / 4, 5.0))
        if threading.current_thread() is not _watchman:
            return
        for path, start in list(_own.values()):
            seconds = time.monotonic() - start
            if seconds > PATIENCE and (path, start) not in named:
                named.add((path, start))
                _log.warning(
                    "%s has been read for %.0f s and may never end; if so, interrupt, look at the file and its disk, "
                    "or set num_workers to 1 or more: a loader process that hangs is stopped",
                    path,
                    seconds,
                )
