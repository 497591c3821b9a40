"""Where generated data is kept, how two processes share it, and what to say when it cannot be written."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vjepa.errors import UserError
from vjepa.storage import storage_error


def cache_root(root: str | None = None) -> Path:
    """Return the cache folder: ``root``, else VJEPA_CACHE, else the user's cache folder.

    Args:
        root: a folder, or None for the default.

    Returns:
        An absolute path; it need not exist.
    """
    if root is None:
        root = os.environ.get("VJEPA_CACHE")
    if not root:
        home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        return (Path(home).expanduser() / "vjepa").absolute()
    return Path(root).expanduser().absolute()


@contextmanager
def writing_to_cache(folder: Path) -> Iterator[None]:
    """Hold the folder's lock and turn any failure to write into a message with the fix.

    Args:
        folder: made if absent; its ``.lock`` is held until the block ends or the process dies.

    Raises:
        UserError: the folder cannot be made or written, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        raise _with_fix(folder, storage_error(folder, error)) from error
    except UserError as error:
        # A broken video is an error of its own, even where the system reported it.
        if type(error) is UserError and isinstance(error.__cause__, OSError):
            raise _with_fix(folder, error) from error
        raise


def _with_fix(folder: Path, error: UserError) -> UserError:
    return UserError(
        f"{error}. This is the cache {folder}: set VJEPA_CACHE, or root of the data module, "
        "to a folder with room that you may write"
    )
