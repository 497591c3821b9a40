"""Files that are either whole or absent, and the hashes that name their content."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vjepa.errors import UserError

NO_ROOM = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EFBIG: "the file size limit is reached",
}


def storage_error(path: Path, error: OSError) -> UserError:
    """Turn an operating system error on ``path`` into a message with the fix."""
    reason = NO_ROOM.get(error.errno or 0, error.strerror or str(error))
    return UserError(f"cannot write {path}: {reason}; free space there or choose another folder")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it is flushed and renamed to ``path``.

    Raises:
        UserError: the folder cannot be written or the disk is full; nothing is left behind.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _flush(temporary)
        temporary.chmod(_allowed(0o666))
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder of files beside ``path``; on success they are flushed and it is renamed to ``path``.

    Raises:
        UserError: there is something already, or nothing can be written there; nothing is left behind.
    """
    if path.exists():
        raise UserError(f"{path} exists already: remove it or choose another folder")
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
        yield temporary
        for file in temporary.iterdir():
            _flush(file)
        temporary.chmod(_allowed(0o777))
        temporary.rename(path)
        temporary = None
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _flush(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _allowed(mode: int) -> int:
    """What the umask leaves of a mode: temporary files are private, results as readable as the user wants."""
    umask = os.umask(0)
    os.umask(umask)
    return mode & ~umask


def clear_parts(folder: Path) -> None:
    """Remove what writers that were killed have left in and below a folder; nobody may be writing there."""
    for part in folder.rglob(".*.part"):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def atomic_write_bytes(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def atomic_write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, whole or not at all."""
    atomic_write_bytes(path, text.encode())


def read_record(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None where there is no file, or one that holds no whole object."""
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def digest(data: bytes) -> str:
    """32 hex digits of BLAKE2b: names content, not for secrets."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def digest_file(path: Path) -> str:
    """``digest`` of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def digest_json(value: Any) -> str:
    """``digest`` of a JSON-serialisable value, independent of the order of keys."""
    return digest(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())
