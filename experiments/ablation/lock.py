"""One process at a time in a folder: a lock of the operating system, and a file that says who holds it."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from vjepa.errors import UserError
from vjepa.storage import storage_error

LOCK = "LOCK"
FRESH_SECONDS = 180.0
"""A holder on another host whose file is older than this is taken for dead."""
_REFRESH_SECONDS = 30.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Args:
        what: what it does there, as ``vjepa ablation``.
        who: user.
        host, pid: process.
        since: UTC time, ISO 8601.
    """

    what: str
    who: str
    host: str
    pid: int
    since: str

    def __str__(self) -> str:
        return f"{self.what} of {self.who} on {self.host}, process {self.pid}, since {self.since}"

    @property
    def is_here(self) -> bool:
        """Whether it is a process of this host."""
        return self.host == socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """Whether a process of this host has its number; of other hosts nothing is known."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


@dataclass(frozen=True)
class Lock:
    """A lock that is held.

    Args:
        path: its file.
        descriptor: of the file; a child that inherits it keeps the folder locked for as long as it lives.
    """

    path: Path
    descriptor: int


@contextmanager
def hold(folder: Path, what: str, patience: float = 30.0) -> Iterator[Lock]:
    """Hold the lock of a folder.

    The operating system frees it when the holder dies, however it dies. File systems that several hosts share may keep
    such locks to one host; therefore a file that another host wrote not long ago counts as held too.

    Args:
        folder: made if it is not there.
        what: the work, for the message that others get.
        patience: seconds to wait where the holder may be dead: for its children to go, and for the file of one on
            another host to grow old.

    Yields:
        The lock.

    Raises:
        UserError: another process holds it (it is named), or the folder cannot be written.
    """
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise storage_error(path, error) from error
    try:
        _acquire(descriptor, path, patience)
        lock = Lock(path, descriptor)
        me = Holder(what, _user(), socket.gethostname(), os.getpid(), datetime.now(UTC).isoformat(timespec="seconds"))
        try:
            _write(lock, json.dumps(asdict(me)) + "\n")
            with _refreshed(lock):
                yield lock
        finally:
            _write(lock, "")
    finally:
        os.close(descriptor)


def read_holder(path: Path) -> Holder | None:
    """Who wrote a lock file last; None where it was given back, or cannot be read."""
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _acquire(descriptor: int, path: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        is_free, holder, hint = _try(descriptor, path), read_holder(path), ""
        if is_free:
            age = time.time() - os.fstat(descriptor).st_mtime
            if holder is None or holder.is_here or age > FRESH_SECONDS:
                return
            hint = f" (its last sign of life is {age:.0f} s old; if it is dead, remove {path})"
        # Whoever keeps a lock is alive, unless it is what a killed process of this host left behind, which goes soon.
        elif holder is not None and (not holder.is_here or holder.is_alive):
            deadline = 0.0
        if time.monotonic() >= deadline:
            raise _in_use(path, holder, hint)
        time.sleep(_POLL_SECONDS)


def _try(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the second is what some network file systems say
        return False
    except OSError as error:
        raise UserError(
            f"{path}: the file system cannot lock ({error.strerror}), so nothing keeps two processes apart; put the "
            "folder on one that can"
        ) from error
    return True


def _in_use(path: Path, holder: Holder | None, hint: str = "") -> UserError:
    who = str(holder) if holder else "a process that did not say who it is"
    return UserError(f"{path.parent} is in use by {who}{hint}: wait for it, stop it, or choose another folder")


def _write(lock: Lock, text: str) -> None:
    try:
        os.ftruncate(lock.descriptor, 0)
        os.pwrite(lock.descriptor, text.encode(), 0)
    except OSError as error:
        raise storage_error(lock.path, error) from error


@contextmanager
def _refreshed(lock: Lock) -> Iterator[None]:
    """Show other hosts all the while that the holder lives."""
    ended = threading.Event()

    def refresh() -> None:
        while not ended.wait(_REFRESH_SECONDS):
            os.utime(lock.descriptor)

    thread = threading.Thread(target=refresh, name="lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
