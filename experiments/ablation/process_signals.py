"""Signals that ask this process to stop, noted and not obeyed at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """Yield a list to which the number of every signal that asks to stop is added."""
    requests: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        requests.append(signum)

    before = {signum: signal.signal(signum, note) for signum in STOP_SIGNALS}
    try:
        yield requests
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
