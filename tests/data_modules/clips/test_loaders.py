"""Loaders: broken clips are left out and listed, too many stop a run, a process that hangs or dies is named."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing import active_children
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from data_modules.clips.broken import BrokenLimit
from data_modules.clips.datasets import ClipDataset, Task, collate
from data_modules.clips.loaders import ClipStream, EvaluationLoader, StreamLoader
from data_modules.clips.videos import VideoDataset, VideoFile
from data_modules.clips.watch import reading
from data_modules.decode.frames import BrokenVideo
from data_modules.mixing.order import ShardSampler, StepSampler
from tests.data_modules.damaged import read_broken
from tests.data_modules.encoded import moving_frames, write_video
from vjepa.errors import UserError
from vjepa.latents import Clip

TASKS = (Task("label", ("a", "b"), temporal=False),)


class Numbers(ClipDataset):
    """Clips that show their number; some are broken, some hang, some end the process that reads them."""

    def __init__(self, num_clips: int, broken: tuple[int, ...] = (), hang: int = -1, kill: int = -1) -> None:
        labels = torch.arange(num_clips)[:, None] % 2
        super().__init__("val", TASKS, tuple(f"clip{number}" for number in range(num_clips)), labels)
        self.bad, self.hang, self.kill = broken, hang, kill

    def read(self, indices: Tensor) -> Tensor:
        for index in indices.tolist():
            with reading(f"/data/{index}.mp4"):
                if index in self.bad:
                    raise BrokenVideo(f"/data/{index}.mp4", "is empty")
                if index == self.hang:
                    time.sleep(600)
                if index == self.kill:
                    os.kill(os.getpid(), signal.SIGKILL)
        return indices.to(torch.uint8)[:, None, None, None, None].expand(-1, 2, 4, 4, 3).clone()

    def fetch_training(self, indices: list[int], draws: list[int]) -> Clip:  # type: ignore[override]
        used = []
        for index in indices:
            if index in self.bad:
                self.broken.add(self.video_ids[index], BrokenVideo(f"/data/{index}.mp4", "is empty"))
                index = next(number for number in range(len(self)) if number not in self.bad)
            used.append(index)
        return super().fetch_training(used, draws)


def evaluation(data: ClipDataset, **options: int) -> EvaluationLoader:
    return EvaluationLoader(data, ShardSampler(len(data)), 4, **options)


def training(data: ClipDataset, ratio: float = 1.0, **options: int) -> StreamLoader:
    return StreamLoader(ClipStream(data, StepSampler(len(data), 4, 0)), lambda: 0, BrokenLimit(ratio), **options)


@pytest.mark.parametrize("num_workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_evaluation_does_without_broken_clips(tmp_path: Path, num_workers: int) -> None:
    data = Numbers(15, broken=(1, 8, 9, 10, 11, 14))
    data.broken.keep_in(tmp_path / "broken.csv")
    loader = evaluation(data, num_workers=num_workers, timeout=120, persistent_workers=num_workers > 0)
    for _ in range(2):
        clips = list(loader)
        assert [clip.index.tolist() for clip in clips] == [[0, 2, 3], [4, 5, 6, 7], [12, 13]]
        assert all(torch.equal(clip.frames[:, 0, 0, 0, 0].long(), clip.index) for clip in clips)
        assert all(torch.equal(clip.labels[:, 0], clip.index % 2) for clip in clips)
    assert read_broken(tmp_path / "broken.csv") == {f"clip{number}": "is empty" for number in data.bad}
    assert all(data.broken.is_left_out(f"clip{number}") for number in data.bad)


def test_evaluation_of_nothing_is_an_error() -> None:
    with pytest.raises(UserError, match=r"val: all clips .* are broken \(the first is /data/0\.mp4: is empty\)"):
        list(evaluation(Numbers(6, broken=(0, 1, 2, 3, 4, 5))))


def test_one_clip_that_is_broken_is_an_error() -> None:
    data = Numbers(6, broken=(1,))
    assert int(data[2][0][0, 0, 0, 0]) == 2
    with pytest.raises(BrokenVideo, match=r"1\.mp4: is empty"):
        data[1]


def test_a_loader_of_another_kind_loses_no_clip_without_a_word() -> None:
    data = Numbers(6, broken=(5,))
    batches = iter(DataLoader(data, batch_size=3, collate_fn=collate))
    assert next(batches).index.tolist() == [0, 1, 2]
    with pytest.raises(UserError, match="1 of 3 clips of a batch are broken"):
        next(batches)


@pytest.mark.parametrize("num_workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_training_stops_when_too_much_is_broken(tmp_path: Path, num_workers: int) -> None:
    data = Numbers(100, broken=tuple(range(0, 100, 10)))
    data.broken.keep_in(tmp_path / "broken.csv")
    seen: list[int] = []
    with pytest.raises(
        UserError, match=r"broken files were met 11 times in \d+ clips, more than max_broken_ratio 0\.01"
    ) as stop:
        for clip in training(data, 0.01, num_workers=num_workers, timeout=120):
            seen += clip.index.tolist()
    assert 90 <= len(seen) <= 120, "with 10 % broken, the eleventh comes early in the second epoch"
    assert "listed in" in str(stop.value) and "is empty; ..." in str(stop.value)
    assert len(read_broken(tmp_path / "broken.csv")) == 10
    batches = training(data, 1.0)
    assert sum(len(clip) for clip, _ in zip(batches, range(500))) == 2000


@pytest.mark.slow
def test_a_loader_process_that_hangs_is_stopped_and_its_file_named() -> None:
    started = time.monotonic()
    loader = evaluation(Numbers(40, hang=21), num_workers=2, timeout=8, persistent_workers=True)
    with pytest.raises(
        UserError, match=r"val: no batch for 8 s; loader process 1 reads /data/21\.mp4 since \d+ s; look"
    ):
        list(loader)
    assert time.monotonic() - started < 60
    assert not loader._iterator, "the next pass starts new processes"  # type: ignore[truthy-function]


@pytest.mark.slow
def test_a_loader_process_that_dies_is_reported_with_its_file() -> None:
    with pytest.raises(UserError, match=r"val: a loader process was killed; .* reads /data/21\.mp4 since"):
        list(evaluation(Numbers(40, kill=21), num_workers=2, timeout=8))


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "val"])
def test_a_video_that_never_comes_is_named(tmp_path: Path, split: str) -> None:
    for number in range(8):
        write_video(tmp_path / f"{number}.mp4", moving_frames(8, 32, 32, seed=number))
    (tmp_path / "3.mp4").unlink()
    os.mkfifo(tmp_path / "3.mp4")
    data = VideoDataset([VideoFile(tmp_path / f"{n}.mp4", (0,), str(n)) for n in range(8)], TASKS, split, 4, 16)
    options = {"num_workers": 2, "timeout": 6}
    loader = training(data, **options) if split == "train" else evaluation(data, **options)
    others, started = set(active_children()), time.monotonic()
    with pytest.raises(UserError, match=rf"{split}: no batch for 6 s; loader process \d reads {tmp_path}/3\.mp4 since"):
        list(loader)
    assert time.monotonic() - started < 60
    assert set(active_children()) <= others, "no process is left behind"
