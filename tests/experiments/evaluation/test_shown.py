"""Chunks of test clips under every condition, from real files: damaged where the protocol says, whatever reads them."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from data_modules.clips.datasets import ClipDataset, Task
from data_modules.clips.mapped import MappedClips, write_frames
from data_modules.clips.videos import VideoDataset, VideoFile
from experiments.evaluation.analyses.base import Analysis, Found, Report
from experiments.evaluation.conditions import CLEAN, Condition, show
from experiments.evaluation.encoded import encode
from experiments.evaluation.harvest import Participant, harvest
from experiments.evaluation.shown import Shown, acts_on_video, read_shown
from experiments.evaluation.subjects import Subject
from tests.data_modules.damaged import read_broken
from tests.data_modules.encoded import moving_frames, write_video
from tests.experiments.evaluation.analyses.made import subject
from vjepa.corruptions import PROFILES, SourceClip, corrupt_source
from vjepa.errors import UserError
from vjepa.latents import Clip

TASKS = (Task("label", ("a", "b", "c"), temporal=True),)
CONDITIONS: tuple[Condition, ...] = (
    CLEAN,
    ("h264_crf", 5),
    ("packet_loss_sim", 5),
    ("temporal_blur", 3),
    ("frame_rate_fps", 5),
    ("gaussian_noise", 3),
    ("frame_freeze", 5),
    ("local_shuffle", 5),
)
STAGED = {"h264_crf", "packet_loss_sim", "temporal_blur", "frame_rate_fps"}
CHUNKS = torch.arange(6).split(4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shown")
    for number in range(6):
        write_video(folder / f"{number}.mp4", moving_frames(20 + 7 * number, 64, 96, seed=number))
    return folder


def videos(folder: Path, names: Sequence[str] | None = None) -> VideoDataset:
    names = names or [f"{number}.mp4" for number in range(6)]
    files = [VideoFile(folder / name, (number % 3,), name) for number, name in enumerate(names)]
    return VideoDataset(files, TASKS, "test", 8, 32)


def chunks_of(dataset: ClipDataset, chunks: Sequence[Tensor] = CHUNKS, num_threads: int = 2) -> list[tuple[int, Shown]]:
    return list(read_shown(dataset, chunks, range(len(chunks)), CONDITIONS, "made", num_threads))


def equal(a: Clip, b: Clip) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ("frames", "index", "labels"))


def test_clips_are_damaged_where_the_protocol_says(folder: Path) -> None:
    data = videos(folder)
    for number, shown in chunks_of(data):
        assert equal(shown.clip, data.fetch(CHUNKS[number]))
        assert shown.under(CLEAN) is shown.clip.frames
        for condition in CONDITIONS[1:]:
            seen = shown.under(condition)
            on_clips = show(shown.clip.frames, condition, "made", shown.video_ids)
            assert torch.equal(seen, on_clips) == (condition[0] not in STAGED)
            expected = [
                corrupt_source(data.read_source(int(index)), *condition, "made", data.video_ids[int(index)])
                for index in shown.clip.index
            ]
            assert np.array_equal(seen.numpy(), np.stack(expected)), condition


def test_which_conditions_act_on_the_video() -> None:
    assert {condition[0] for condition in CONDITIONS if acts_on_video(condition)} == STAGED
    core = {condition[0] for condition in PROFILES["core"].conditions if acts_on_video(condition)}
    assert core == {"temporal_blur", "h264_crf", "packet_loss_sim"}


def test_neither_chunks_nor_threads_change_a_clip(folder: Path) -> None:
    expected = {condition: shown_as_one(chunks_of(videos(folder)), condition) for condition in CONDITIONS}
    for chunk_clips, num_threads in ((1, 1), (6, 5)):
        read = chunks_of(videos(folder), torch.arange(6).split(chunk_clips), num_threads)
        for condition in CONDITIONS:
            assert torch.equal(shown_as_one(read, condition), expected[condition])


def shown_as_one(read: list[tuple[int, Shown]], condition: Condition) -> Tensor:
    return torch.cat([shown.under(condition) for _, shown in read])


def test_clips_that_were_never_videos_are_damaged_as_clips(tmp_path: Path) -> None:
    clips = np.stack([moving_frames(8, 32, 32, seed=seed) for seed in range(6)])
    write_frames(tmp_path / "clips.npy", clips.shape, clips)
    names = tuple("abcdef")
    data = MappedClips(tmp_path / "clips.npy", "test", TASKS, names, torch.zeros(6, 1, dtype=torch.int64))
    for number, shown in chunks_of(data):
        assert equal(shown.clip, data.fetch(CHUNKS[number]))
        for condition in CONDITIONS:
            assert torch.equal(shown.under(condition), show(shown.clip.frames, condition, "made", shown.video_ids))


def test_without_such_conditions_no_video_is_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = videos(folder)
    monkeypatch.setattr(data, "read_source", None)
    conditions = [CLEAN, ("fog", 1), ("reverse", 1)]
    for number, shown in read_shown(data, CHUNKS, [1], conditions, "made"):
        assert number == 1 and equal(shown.clip, data.fetch(CHUNKS[1])) and not shown.staged


def test_broken_clips_are_left_out_and_listed(folder: Path, tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.mp4").write_bytes((folder / f"{number}.mp4").read_bytes())
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("text")
    names = ["empty.mp4", "0.mp4", "missing.mp4", "text.mp4", "1.mp4"]
    data, chunks = videos(tmp_path, names), torch.arange(5).split(2)
    data.broken.keep_in(tmp_path / "broken.csv")
    fetched = videos(tmp_path, names)
    read = chunks_of(data, chunks)
    assert [shown.clip.index.tolist() for _, shown in read] == [[1], [], [4]]
    for number, shown in read:
        assert equal(shown.clip, fetched.fetch(chunks[number]))
        assert all(len(shown.under(condition)) == len(shown.clip) for condition in CONDITIONS if len(shown.clip))
    assert data.broken.found == fetched.broken.found and set(read_broken(tmp_path / "broken.csv")) == {
        "empty.mp4",
        "missing.mp4",
        "text.mp4",
    }
    # What is listed is not tried again.
    met = data.broken.num_met
    assert [shown.clip.index.tolist() for _, shown in chunks_of(data, chunks)] == [[1], [], [4]]
    assert data.broken.num_met == met


def test_an_image_beside_videos_is_a_still_video(folder: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "image.png"), moving_frames(1, 64, 80)[0])
    files = [VideoFile(folder / "0.mp4", (0,), "video"), VideoFile(tmp_path / "image.png", (0,), "image")]
    data = VideoDataset(files, TASKS, "test", 8, 32, single_images=True)
    for chunks in ([torch.tensor([0, 1])], [torch.tensor([1])]):
        for number, shown in chunks_of(data, chunks):
            assert equal(shown.clip, data.fetch(chunks[number]))
            for condition in CONDITIONS:
                assert shown.under(condition).shape == shown.clip.frames.shape


def test_frames_of_videos_are_let_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, kept, most = videos(folder), weakref.WeakSet[SourceClip](), []
    read = data.read_source

    def watched(index: int) -> SourceClip:
        source = read(index)
        kept.add(source)
        most.append(len(kept))
        return source

    monkeypatch.setattr(data, "read_source", watched)
    reading: Iterator[tuple[int, Shown]] = read_shown(data, CHUNKS, range(2), CONDITIONS, "made", 2)
    held = list(reading)
    assert len(held) == 2 and len(most) == 6
    assert max(most) <= 2 and not kept


def test_an_error_ends_the_reading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = videos(folder)

    def fail(index: int) -> SourceClip:
        raise UserError("no such thing")

    monkeypatch.setattr(data, "read_source", fail)
    with pytest.raises(UserError, match="no such thing"):
        chunks_of(data)


class Means(Analysis):
    """Keeps mean features under two conditions."""

    name = "means"
    needs_mean = True

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (("h264_crf", 5), ("fog", 3))

    def report(self, subject: Subject, probes: object, found: Found) -> Report:
        return Report()


def test_the_evaluation_sees_them(folder: Path, tmp_path: Path) -> None:
    data, who = videos(folder), subject()
    found = harvest(
        [Participant(who, ())], [Means()], data, torch.arange(6), tmp_path, data_name="made", chunk_clips=4
    )["it"]
    for condition in (CLEAN, *Means().conditions):
        clips = [
            data.read_source(i).clip()
            if condition == CLEAN
            else corrupt_source(data.read_source(i), *condition, "made", data.video_ids[i])
            for i in range(6)
        ]
        expected = encode(who.encoder, torch.from_numpy(np.stack(clips))).mean.half().float()
        assert torch.equal(found.mean(condition), expected)
