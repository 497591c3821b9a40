"""The store of generated clips, where the glyph tests do not reach: other splits and processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from data_modules.clips.datasets import Task
from data_modules.generated.spec import folder_name
from data_modules.generated.store import ClipStore
from data_modules.generated.workers import map_in_processes
from vjepa.errors import UserError

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class GreySpec:
    """Clips of one grey that becomes lighter."""

    clips: int = 6
    size: int = 32
    num_frames: int = 6
    fps: int = 5
    crf: int = 10

    @property
    def folder_name(self) -> str:
        return folder_name("grey", self)

    def num_clips(self, split: str) -> int:
        return {"extra": 2, "train": self.clips, "val": 1, "test": 1}[split]


class GreyStore(ClipStore[GreySpec]):
    title = "greys"
    tasks = (Task("level", ("dark", "light"), temporal=False),)
    splits = ("extra", "train", "val", "test")

    def draw(self, split: str, index: int) -> NDArray[np.uint8]:
        level = 40 * (index + 1) + 5 * np.arange(self.spec.num_frames, dtype=np.uint8)
        return np.broadcast_to(level[:, None, None, None], (self.spec.num_frames, 32, 32, 3)).astype(np.uint8)

    def labels(self, split: str, index: int) -> tuple[int]:
        return (-1 if split == "extra" else index % 2,)


def test_a_store_may_have_splits_of_its_own(tmp_path: Path) -> None:
    store = GreyStore(GreySpec(), tmp_path)
    assert store.prepare() == store.hash()
    content = json.loads(store.manifest_path.read_text())
    assert content["benchmark"] == "greys" and list(content["splits"]) == list(store.splits)
    assert content["splits"]["extra"][1] == {
        "id": "extra-000001",
        "labels": {"level": -1},
        "bytes": store.path("extra", 1).stat().st_size,
        "blake2b": content["splits"]["extra"][1]["blake2b"],
    }
    assert store.label_table("extra").tolist() == [[-1], [-1]] and store.label_table("train")[:3, 0].tolist() == [
        0,
        1,
        0,
    ]
    assert store.video_ids("val") == ("val-000000",) and store.paths("extra")[1] == store.path("extra", 1)


def test_files_do_not_depend_on_the_number_of_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_modules.generated.store.available_cores", lambda: 1)
    alone = GreyStore(GreySpec(), tmp_path / "alone")
    alone.prepare()
    monkeypatch.setattr(GreyStore, "clips_per_job", 2)
    jobs: list[int] = []

    def recorded(function: Any, items: Any, number: int) -> Any:
        jobs.append(number)
        return map_in_processes(function, items, number)

    monkeypatch.setattr("data_modules.generated.store.available_cores", lambda: 3)
    monkeypatch.setattr("data_modules.generated.store.map_in_processes", recorded)
    together = GreyStore(GreySpec(), tmp_path / "together")
    assert together.prepare() == alone.hash() and jobs == [3]
    together.path("train", 0).unlink()
    together.manifest_path.unlink()
    assert together.prepare() == alone.hash() and jobs == [3, 1], "few missing clips need no other process"


def broken(item: int) -> int:
    if item == 5:
        raise UserError("five is out of order")
    return item * item


def test_results_come_in_order_and_errors_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("data_modules.generated.workers.AHEAD", 2)
    assert list(map_in_processes(broken, range(5), 2)) == [0, 1, 4, 9, 16]
    with pytest.raises(UserError, match="five is out of order"):
        list(map_in_processes(broken, range(8), 2))
    assert list(map_in_processes(broken, range(3), 1)) == [0, 1, 4]


def running(session: int) -> list[int]:
    """Processes of a session that still run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(entry.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_its_parent(tmp_path: Path, ending: signal.Signals) -> None:
    (tmp_path / "napping.py").write_text(
        textwrap.dedent("""
        import time
        from data_modules.generated.workers import map_in_processes

        def nap(item):
            time.sleep(0.2)
            return item

        if __name__ == "__main__":
            for result in map_in_processes(nap, range(1000), 2):
                print(result, flush=True)
        """)
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "napping.py"]
    parent = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert parent.stdout is not None and parent.stdout.readline()
    assert len(running(parent.pid)) >= 3
    os.killpg(parent.pid, ending) if ending == signal.SIGINT else parent.kill()
    parent.wait(timeout=30)
    deadline = time.monotonic() + 20
    while running(parent.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert running(parent.pid) == []
