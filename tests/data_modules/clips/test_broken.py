"""The list of broken files: one line a file, shared by all processes; and the limit to them."""

from __future__ import annotations

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from data_modules.clips.broken import BrokenFile, BrokenLimit, BrokenLog, write_broken
from data_modules.decode.frames import BrokenVideo
from tests.data_modules.damaged import read_broken
from vjepa.errors import UserError

EMPTY = BrokenVideo("/data/a.mp4", "is empty")
FIRST_LINES = [
    "id,file,reason,split,outcome",
    "a,/data/a.mp4,is empty,val,left out",
    "b,/data/b.mp4,has no frames,val,replaced",
]


def add_many(path: Path, first: int) -> int:
    log = BrokenLog(path)
    for number in range(first, first + 50):
        log.add(f"clip {number}, take 1", BrokenVideo(f"/data/{number}.mp4", "is\nempty"))
    return len(log)


def test_a_file_is_listed_once(tmp_path: Path) -> None:
    path = tmp_path / "run" / "broken.csv"
    log = BrokenLog(path, "val")
    for _ in range(3):
        log.add("a", EMPTY, "left out")
    log.add("b", BrokenVideo("/data/b.mp4", "has no frames"))
    assert path.read_text().splitlines() == FIRST_LINES
    assert len(log) == 2 and "a" in log and "c" not in log and log.num_met == 4
    assert log.is_left_out("a") and not log.is_left_out("b") and not log.is_left_out("c")
    assert str(log.error("a")) == "/data/a.mp4: is empty"
    assert read_broken(path) == {"a": "is empty", "b": "has no frames"}


def test_processes_share_the_list(tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        assert list(pool.map(add_many, [path, path], [0, 25])) == [50, 50]
    reasons = read_broken(path)
    assert sorted(reasons) == sorted(f"clip {number}, take 1" for number in range(75))
    assert set(reasons.values()) == {"is empty"}, "a reason takes one line"
    assert len(path.read_text().splitlines()) == 76, "also those that both found are listed once"


def test_a_continued_run_adds_to_the_list(tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    path.write_text("\n".join(FIRST_LINES) + "\nc,/data/c.mp")  # killed while it wrote
    log = BrokenLog(path, "val")
    log.add("a", EMPTY, "left out")
    log.add("d", EMPTY, "left out")
    assert path.read_text().splitlines() == [*FIRST_LINES, "c,/data/c.mp", "d,/data/a.mp4,is empty,val,left out"]


def test_what_was_found_before_there_was_a_file_is_listed_too(tmp_path: Path) -> None:
    log = BrokenLog()
    log.add("a", EMPTY)
    log.keep_in(tmp_path / "broken.csv")
    log.add("b", EMPTY)
    assert set(read_broken(tmp_path / "broken.csv")) == {"a", "b"}
    log.keep_in(None)
    log.add("c", EMPTY)
    assert len(log) == 3


def test_a_file_that_was_used_may_later_be_replaced(tmp_path: Path) -> None:
    log = BrokenLog(tmp_path / "broken.csv")
    for outcome in ("used", "used", "replaced", "used", "replaced"):
        log.add("a", EMPTY, outcome)  # type: ignore[arg-type]
    lines = (tmp_path / "broken.csv").read_text().splitlines()
    assert [line.rsplit(",")[-1] for line in lines] == ["outcome", "used", "replaced"]


def test_a_copy_in_another_process_leaves_the_file_to_the_first(tmp_path: Path) -> None:
    log = BrokenLog(tmp_path / "broken.csv", "val")
    log.add("a", EMPTY, "left out")
    copy = pickle.loads(pickle.dumps(log))
    copy.add("a", EMPTY, "left out")
    copy.add("b", EMPTY, "left out")
    assert set(read_broken(tmp_path / "broken.csv")) == {"a"}
    new = copy.take_new()
    assert [file.id for file in new] == ["b"] and copy.take_new() == () and copy.is_left_out("a")
    log.note(new[0])
    assert set(read_broken(tmp_path / "broken.csv")) == {"a", "b"} and log.is_left_out("b")


def test_a_flood_is_not_shown(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    log = BrokenLog(tmp_path / "broken.csv")
    for number in range(30):
        log.add(str(number), EMPTY)
    assert len(caplog.messages) == 11
    assert caplog.messages[0] == "train: broken file replaced: /data/a.mp4: is empty"
    assert caplog.messages[-1] == f"train: more files are broken; they are listed in {tmp_path / 'broken.csv'} only"


def test_a_whole_list_replaces_an_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    for name in ("old", "new"):
        write_broken(path, [BrokenFile(name, "/data/x.mp4", "is empty", "test", "left out")])
    assert read_broken(path) == {"new": "is empty"}
    write_broken(path, [])
    assert not path.exists() and read_broken(path) == {}


def test_a_list_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write .*broken\.csv"):
        BrokenLog(tmp_path / "run" / "broken.csv").add("a", EMPTY)


@pytest.mark.parametrize(
    ("ratio", "every", "expected"),
    [
        (0.01, 1, 11),  # all is broken: a hundredth of 1,000 clips, and one more
        (0.01, 50, 501),  # 2 % of the clips are
        (0.01, 110, None),  # less than the limit
        (0.0, 300, 1),  # none may be broken
        (1.0, 1, None),
    ],
)
def test_the_limit_is_a_share_of_the_clips(ratio: float, every: int, expected: int | None) -> None:
    log, limit = BrokenLog(), BrokenLimit(ratio)
    stopped = None
    for number in range(1, 3001):
        is_broken = (number - 1) % every == 0
        if is_broken:
            log.add(f"{number}", BrokenVideo(f"/data/{number}.mp4", "is empty"))
        try:
            limit.count(1, int(is_broken), log)
        except UserError as error:
            stopped = number
            assert f"more than max_broken_ratio {ratio:g}" in str(error) and "is empty" in str(error)
            assert "; ..." in str(error) or len(log) <= 3
            break
    assert stopped == expected


def test_ranks_stop_together() -> None:
    """Each adds the other's numbers, at the same batches."""

    def total(values: list[float]) -> list[float]:
        return [2 * values[0], values[1] + 20.0]

    limit, log = BrokenLimit(0.01, 2, total), BrokenLog()
    for _ in range(15):
        limit.count(4, 0, log)
    with pytest.raises(UserError, match="broken files were met 20 times in 128 clips"):
        limit.count(4, 0, log)
