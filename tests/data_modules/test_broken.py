"""The list of broken files: one line a file and process, shared by all processes."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from data_modules.broken import BrokenLog, read_broken
from data_modules.decode import BrokenVideo
from vjepa.errors import UserError


def add_many(path: Path, first: int) -> int:
    log = BrokenLog(path)
    for number in range(first, first + 50):
        log.add(f"clip {number}, take 1", BrokenVideo(f"/data/{number}.mp4", "is\nempty"))
    return len(log)


def test_a_file_is_listed_once(tmp_path: Path) -> None:
    path = tmp_path / "run" / "broken.csv"
    log = BrokenLog(path)
    for _ in range(3):
        log.add("a", BrokenVideo("/data/a.mp4", "is empty"))
    log.add("b", BrokenVideo("/data/b.mp4", "has no frames"))
    assert path.read_text().splitlines() == [
        "id,file,reason",
        "a,/data/a.mp4,is empty",
        "b,/data/b.mp4,has no frames",
    ]
    assert len(log) == 2 and "a" in log and "c" not in log
    assert read_broken(path) == {"a": "is empty", "b": "has no frames"}


def test_processes_share_the_list(tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        assert list(pool.map(add_many, [path, path], [0, 25])) == [50, 50]
    reasons = read_broken(path)
    assert set(reasons) == {f"clip {number}, take 1" for number in range(75)}
    assert set(reasons.values()) == {"is\nempty"}


def test_without_a_path_the_files_are_only_counted() -> None:
    log = BrokenLog()
    log.add("a", BrokenVideo("a.mp4", "is empty"))
    assert len(log) == 1


def test_no_list_means_nothing_broken(tmp_path: Path) -> None:
    assert read_broken(tmp_path / "broken.csv") == {}


def test_a_list_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write .*broken\.csv"):
        BrokenLog(tmp_path / "run" / "broken.csv").add("a", BrokenVideo("a.mp4", "is empty"))
