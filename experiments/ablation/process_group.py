"""A child with all of its descendants, which never outlives the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import IO

# Leads the group, so that its number stays taken, and waits for the end of a pipe whose other end only the starter has.
_GUARD = (
    "import os, signal, sys\n"
    "for name in ('HUP', 'INT', 'TERM', 'USR1', 'USR2'): signal.signal(getattr(signal, 'SIG' + name), signal.SIG_IGN)\n"
    "sys.stdin.buffer.read()\n"
    "os.killpg(0, signal.SIGKILL)\n"
)


class ProcessGroup:
    """A running command in a process group of its own.

    When this process dies, even by SIGKILL, every process of the group is killed at once; a group that is closed
    leaves none behind. Signals of the terminal do not reach it. The child starts with SIGUSR1 and SIGUSR2 ignored:
    clusters send them to every process of a job, and this process passes them on in its own way.

    Args:
        command: of the child.
        stdout: where its output goes, errors too; ``subprocess.PIPE`` to read it from ``output``, None for that of
            this process.
        environment: of the child.
        inherit: file descriptors that the child keeps open.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdout: int | IO[bytes] | None,
        environment: Mapping[str, str],
        inherit: Sequence[int] = (),
    ) -> None:
        with _ignored(signal.SIGUSR1, signal.SIGUSR2):
            self._start(command, stdout, environment, inherit)

    def _start(
        self,
        command: Sequence[str],
        stdout: int | IO[bytes] | None,
        environment: Mapping[str, str],
        inherit: Sequence[int],
    ) -> None:
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _GUARD],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0,
        )  # fmt: skip
        try:
            self._child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.STDOUT, env=dict(environment),
                pass_fds=tuple(inherit), process_group=self._guard.pid,
            )  # fmt: skip
        except BaseException:
            self._kill_group()
            self._guard.wait()
            raise

    def __enter__(self) -> ProcessGroup:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process number of the child."""
        return self._child.pid

    @property
    def output(self) -> IO[bytes]:
        """The child's output, where it was asked for."""
        assert self._child.stdout is not None
        return self._child.stdout

    def poll(self) -> int | None:
        """Exit code of the child, negative for a signal; None while it runs."""
        return self._child.poll()

    def wait(self, seconds: float) -> int | None:
        """Exit code, or None if the child still runs after so many seconds."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def send(self, signum: int) -> None:
        """Send a signal to the child, which passes on what concerns its own children."""
        self._child.send_signal(signum)

    def terminate(self) -> None:
        """Ask the child to stop."""
        self.send(signal.SIGTERM)

    def close_processes(self) -> None:
        """Kill what is left of the group, and collect it; what the child printed can still be read."""
        self._kill_group()
        self._child.wait()
        self._guard.wait()

    def close(self) -> None:
        """Kill what is left of the group, and let go of everything."""
        self.close_processes()
        for pipe in (self._child.stdout, self._guard.stdin):
            if pipe is not None:
                pipe.close()

    def _kill_group(self) -> None:
        # The leader was not waited for, so the number is still its own.
        if self._guard.returncode is None:
            os.killpg(self._guard.pid, signal.SIGKILL)


@contextmanager
def _ignored(*signums: int) -> Iterator[None]:
    """Ignore signals for a moment: what is ignored stays so in a child that is started now."""
    if threading.current_thread() is not threading.main_thread():  # where Python can change nothing
        yield
        return
    before = {signum: signal.signal(signum, signal.SIG_IGN) for signum in signums}
    try:
        yield
    finally:
        for signum, handler in before.items():
            if handler is not None:  # one that was not installed by Python cannot be put back
                signal.signal(signum, handler)
