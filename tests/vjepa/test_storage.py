"""Files are whole or absent."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from vjepa.errors import UserError
from vjepa.storage import (
    atomic_folder,
    atomic_path,
    atomic_write_bytes,
    atomic_write_text,
    digest,
    digest_file,
    digest_json,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writes_make_folders_and_replace(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    atomic_write_text(path, "one é")
    atomic_write_bytes(path, "two é".encode())
    assert path.read_text(encoding="utf-8") == "two é"
    assert names(path.parent) == ["file.txt"]


def test_the_file_appears_at_the_end_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_bytes() == b"half"


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize("failure", [RuntimeError("boom"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_failure_leaves_what_was_there(tmp_path: Path, old: bytes | None, failure: BaseException) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(type(failure)), atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise failure
    assert names(tmp_path) == ([] if old is None else ["file"])
    assert old is None or path.read_bytes() == old


def test_a_folder_appears_at_the_end_and_never_in_the_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "a" / "folder"
    with atomic_folder(path) as temporary:
        (temporary / "file").write_text("half")
        assert not path.exists() and temporary.parent == path.parent
    assert names(path.parent) == ["folder"] and names(path) == ["file"]
    assert path.stat().st_mode & 0o777 == 0o777 & ~_umask()
    with pytest.raises(UserError, match=r"folder exists already"), atomic_folder(path):
        pass
    assert names(path) == ["file"]


@pytest.mark.parametrize("failure", [RuntimeError("boom"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_failure_leaves_no_folder(tmp_path: Path, failure: BaseException) -> None:
    with pytest.raises(type(failure)), atomic_folder(tmp_path / "folder") as temporary:
        (temporary / "file").write_text("half")
        raise failure
    assert names(tmp_path) == []


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only"), (errno.EACCES, "permission denied")],
)
def test_a_disk_that_refuses_is_explained(tmp_path: Path, number: int, reason: str) -> None:
    path = tmp_path / "file"
    with pytest.raises(UserError, match=rf"cannot write .*file: .*{reason}.*; free space"), atomic_path(path):
        raise OSError(number, os.strerror(number))
    assert names(tmp_path) == []


def test_a_file_in_the_place_of_a_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        atomic_write_text(tmp_path / "file" / "inner", "x")


def test_files_are_as_readable_as_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        atomic_write_text(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_digests_name_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert digest_file(tmp_path / "file") == digest(b"content") != digest(b"other")
    assert len(digest(b"")) == 32
    assert digest_json({"a": 1, "b": [2]}) == digest_json({"b": [2], "a": 1}) != digest_json({"a": 1, "b": [3]})
