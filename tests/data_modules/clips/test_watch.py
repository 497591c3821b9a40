"""Each process says what it reads, so that a read that never ends has a name."""

from __future__ import annotations

import time
from multiprocessing import get_context
from pathlib import Path

import pytest

from data_modules.clips import watch
from data_modules.clips.watch import ReadingBoard, reading


def read_for_ever(board: ReadingBoard, worker: int, started: object) -> None:
    board.claim(worker)
    with reading("/data/done.mp4"):
        pass
    if worker == 2:
        return
    with reading("/data/" + "long/" * 300 + f"{worker}.mp4"):
        started.set()  # type: ignore[attr-defined]
        time.sleep(60)


@pytest.mark.slow
def test_other_processes_see_what_is_read() -> None:
    context = get_context("forkserver")
    board = ReadingBoard(3, context)
    assert board.readings() == []
    started = [context.Event() for _ in range(3)]
    readers = [context.Process(target=read_for_ever, args=(board, worker, started[worker])) for worker in (1, 0, 2)]
    for reader in readers[::-1]:
        reader.start()
    assert started[0].wait(60) and started[1].wait(60)
    readers[2].join(60)
    found = board.readings()
    assert sorted(item.worker for item in found) == [0, 1]
    assert all(item.path.endswith(f"long/{item.worker}.mp4") for item in found), "the end of a long path is kept"
    assert found[0].seconds >= found[1].seconds >= 0
    for reader in readers:
        reader.terminate()
        reader.join()


def test_a_slow_read_of_this_process_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watch, "PATIENCE", 0.2)
    monkeypatch.setattr(watch, "_watchman", None)
    path = str(Path("/data/slow.mp4"))
    with reading("/data/fast.mp4"):
        pass
    with reading(path):
        time.sleep(0.6)
    assert len(caplog.messages) == 1, "it is named once"
    assert caplog.messages[0].startswith(f"{path} has been read for 0 s and may never end")
    assert not watch._own
