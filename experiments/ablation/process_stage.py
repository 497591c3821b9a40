"""One command of a cell from start to end: its output, its signs of life, its time, and how it is stopped."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import PIPE

from experiments.ablation.lock import LOCK, Lock
from experiments.ablation.process_events import EventSteps
from experiments.ablation.process_group import ProcessGroup
from experiments.ablation.process_log import LogFilter
from experiments.ablation.process_pulse import Pulse
from vjepa.storage import NO_ROOM, storage_error

STOP_SECONDS = 25.0
"""A child that was asked to stop gets so long; schedulers give its parent 30 s."""
_ABORT_SECONDS = 5.0
_POLL_SECONDS = 0.5
_BEAT_SECONDS = 2.0
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Watched:
    """A command, and where it shows that it is alive.

    Args:
        command: of the child.
        environment: of the child.
        stop_signal: what asks it to stop.
        log: file that its output is appended to.
        heartbeat: file that is written at every sign of life.
        folder: of the run; files in it that change are a sign of life.
        pulse: state at the start.
        lock: of the run; the child keeps it too.
        hang_seconds: silence after which it is killed; None waits for ever.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    stop_signal: int
    log: Path
    heartbeat: Path
    folder: Path
    pulse: Pulse
    lock: Lock
    hang_seconds: float | None = None


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Args:
        code: exit code, negative for a signal.
        hung: seconds of silence for which it was killed; None if it was not.
        pulse: state at the end.
    """

    code: int
    hung: float | None
    pulse: Pulse


def run_watched(work: Watched, stop_asked: Callable[[], bool]) -> Ended:
    """Run a command to its end, or until a stop is asked for.

    Args:
        work: what is run.
        stop_asked: asked twice a second; once it says so, the child is asked to stop, and killed if it does not.

    Raises:
        UserError: the log or the heartbeat cannot be written; the child has been killed.
    """
    with (
        _named(work.log),
        open(work.log, "ab", buffering=0) as log,
        ProcessGroup(work.command, stdout=PIPE, environment=work.environment, inherit=(work.lock.descriptor,)) as group,
    ):
        os.set_blocking(group.output.fileno(), False)
        return _Watch(work, group, LogFilter(log)).follow(stop_asked)


@contextmanager
def _named(log: Path) -> Iterator[None]:
    """Turn what keeps a log from being written into a message that names it."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise storage_error(log, error) from error


@dataclass
class _Watch:
    work: Watched
    group: ProcessGroup
    output: LogFilter
    hung: float | None = None
    started: float = field(default_factory=time.monotonic)
    kill_at: float = float("inf")

    def __post_init__(self) -> None:
        self.steps = EventSteps(self.work.folder)
        self.pulse = self.work.pulse
        self.last_sign = self.last_look = self.started
        self.changed = self._newest_change()
        self.beat()

    def follow(self, stop_asked: Callable[[], bool]) -> Ended:
        """Until the child has ended."""
        asked = False
        while self.group.poll() is None and time.monotonic() < self.kill_at:
            if self._read(_POLL_SECONDS):
                self.last_sign = time.monotonic()
            self._look()
            if not asked and stop_asked():
                asked = True
                self._ask(self.work.stop_signal, STOP_SECONDS)
            self._check_silence()
        code = self.group.poll()
        self.group.close_processes()
        while self._read(0):
            pass
        self.output.close()
        self.beat()
        return Ended(-signal.SIGKILL if code is None else code, self.hung, self.pulse)

    def beat(self) -> None:
        """Write the heartbeat."""
        seconds = dict(self.work.pulse.seconds)
        seconds[self.pulse.stage] = seconds.get(self.pulse.stage, 0.0) + time.monotonic() - self.started
        step = min(self.steps.newest() + 1, self.pulse.num_steps or 0)
        self.pulse = replace(self.pulse, step=max(step, self.pulse.step), doing=self.output.doing, seconds=seconds)
        self.pulse.write(self.work.heartbeat)

    def _read(self, patience: float) -> bool:
        """Read what the child printed; whether there was any."""
        pipe = self.group.output.fileno()
        if not select.select([pipe], [], [], patience)[0]:
            return False
        try:
            data = os.read(pipe, _CHUNK)
        except BlockingIOError:
            return False
        if data:
            self.output.feed(data)
        else:  # it closed its output and may live on
            time.sleep(min(patience, 0.05))
        return bool(data)

    def _look(self) -> None:
        """Every now and then look for changed files; beat if there was a sign of life since the last beat."""
        now = time.monotonic()
        if now - self.last_look < _BEAT_SECONDS:
            return
        newest = self._newest_change()
        if newest > self.changed:
            self.changed, self.last_sign = newest, now
        if self.last_sign >= self.last_look:
            self.beat()
        self.last_look = now

    def _newest_change(self) -> int:
        newest = 0
        for root, _, names in os.walk(self.work.folder):
            for name in names:
                try:
                    # The lock is refreshed whatever the child does.
                    newest = max(newest, 0 if name == LOCK else os.stat(os.path.join(root, name)).st_mtime_ns)
                except OSError:
                    continue
        return newest

    def _check_silence(self) -> None:
        silence = time.monotonic() - self.last_sign
        if self.hung is None and self.work.hang_seconds is not None and silence > self.work.hang_seconds:
            self.hung = silence
            # Python answers with the stack of every thread, which tells where it hangs.
            self._ask(signal.SIGABRT, _ABORT_SECONDS)

    def _ask(self, signum: int, seconds: float) -> None:
        self.group.send(signum)
        self.kill_at = time.monotonic() + seconds
