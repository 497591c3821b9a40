"""Every kind of broken file: training lists and replaces it, evaluation lists it and does without, nothing hangs."""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
import torch

from data_modules import ListSource, VideoListDataModule
from data_modules.clips.augment import Augmentation
from data_modules.clips.broken import BrokenFile
from data_modules.clips.datasets import Task
from data_modules.clips.sampling import FrameSampling
from data_modules.clips.videos import VideoDataset, VideoFile
from data_modules.decode.truncated import cut_short
from data_modules.mixing.order import StepSampler
from tests.data_modules.damaged import BROKEN, NUM_FRAMES, cut, whole

TASKS = (Task("label", ("a", "b"), temporal=True),)
GOOD = ("good0.mp4", "good1.webm", "good2.avi")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of every kind; tests do not change them."""
    folder = tmp_path_factory.mktemp("broken")
    for number, name in enumerate(GOOD):
        whole(folder / name, seed=number)
    for name, (make, _) in BROKEN.items():
        make(folder / name)
    cut(folder / "short.avi", 0.7)
    cut(folder / "short.webm", 0.7)
    (folder / "again").symlink_to(folder)
    for prefix in ("", "again/"):
        names = [*GOOD, "short.avi", "short.webm", *BROKEN]
        (folder / f"{prefix.rstrip('/') or 'train'}.csv").write_text("".join(f"{prefix}{name} 0\n" for name in names))
    return folder


def dataset(folder: Path, names: tuple[str, ...], split: str = "train") -> VideoDataset:
    files = [VideoFile(folder / name, (number % 2,), name) for number, name in enumerate(names)]
    sampling, augmentation = (FrameSampling(8, 2), Augmentation()) if split == "train" else (None, None)
    return VideoDataset(files, TASKS, split, 8, 32, sampling, augmentation)


def lines(path: Path) -> list[BrokenFile]:
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == BrokenFile._fields
    return [BrokenFile(*row) for row in rows]  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BROKEN)
def test_training_lists_and_replaces(folder: Path, tmp_path: Path, name: str) -> None:
    data = dataset(folder, (name, *GOOD))
    data.broken.keep_in(tmp_path / "broken.csv")
    clip = data.fetch_training([0, 1, 0, 0], [5, 6, 7, 8])
    assert clip.index[1] == 1 and not (clip.index == 0).any()
    assert clip.labels[:, 0].tolist() == [index % 2 for index in clip.index.tolist()]
    assert data.broken.num_met == 3, "met three times, listed once"
    (line,) = lines(tmp_path / "broken.csv")
    assert line[:2] == (name, str(folder / name)) and line[3:] == ("train", "replaced")
    assert re.search(BROKEN[name][1], line.reason), line.reason
    again = dataset(folder, (name, *GOOD)).fetch_training([0], [8])
    assert again.index[0] == clip.index[3] and torch.equal(again.frames[0], clip.frames[3])


def test_evaluation_lists_and_leaves_out(folder: Path, tmp_path: Path) -> None:
    names = (GOOD[0], *BROKEN, *GOOD[1:], "short.avi", "short.webm")
    data = dataset(folder, names, "test")
    data.broken.keep_in(tmp_path / "broken.csv")
    clip = data.fetch(range(len(names)))
    assert [names[index] for index in clip.index.tolist()] == list(GOOD)
    assert torch.equal(clip.frames, dataset(folder, GOOD, "test").fetch([0, 1, 2]).frames)
    listed = {line.id: line for line in lines(tmp_path / "broken.csv")}
    assert set(listed) == set(names) - set(GOOD)
    assert {line[3:] for line in listed.values()} == {("test", "left out")}
    for name, (_, reason) in BROKEN.items():
        assert re.search(reason, listed[name].reason), (name, listed[name].reason)
    assert listed["short.avi"].reason.startswith("is cut short: it holds")
    assert torch.equal(data.fetch(range(len(names))).index, clip.index), "the second pass leaves out the same"
    assert not len(data.fetch([1, 2]))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_the_loaders_meet_every_kind(folder: Path, tmp_path: Path, num_workers: int) -> None:
    def make(workers: int) -> VideoListDataModule:
        lists, val = [ListSource("train.csv")], [ListSource("again.csv")]
        options = {"num_frames": 8, "size": 32, "max_broken_ratio": 1.0, "root": str(folder), "batch_size": 4}
        return VideoListDataModule(lists, val, num_workers=workers, timeout=120, **options)

    data, alone = make(num_workers), make(0).dataset("train")
    data.broken_path = tmp_path / "broken.csv"
    sampler = StepSampler(len(alone), 4, seed=0)
    for number, clip in enumerate(islice(data.train_dataloader(), 8)):
        expected = alone.fetch_training(sampler.batch(number), sampler.draws(number))
        assert torch.equal(clip.index, expected.index) and torch.equal(clip.frames, expected.frames)
    shown = torch.cat([clip.index for clip in data.val_dataloader()])
    assert shown.tolist() == [0, 1, 2], "the good ones"
    found = {(line.id, line.split, line.outcome) for line in lines(tmp_path / "broken.csv")}
    for name in BROKEN:
        assert {(name, "train", "replaced"), (f"again/{name}", "val", "left out")} <= found
    others = {(f"again/short.{suffix}", "val", "left out") for suffix in ("avi", "webm")}
    others |= {(f"short.{suffix}", "train", outcome) for suffix in ("avi", "webm") for outcome in ("used", "replaced")}
    assert len(found) <= 2 * len(BROKEN) + len(others)


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Root may read every file."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("suffix", ["mp4", "avi", "jpg"])
def test_a_file_that_may_not_be_read(suffix: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, denied = Path(name), f"denied.{suffix}"
        folder.chmod(0o755)  # the folders of tests are closed to others
        whole(folder / GOOD[0])
        (folder / denied).write_bytes((folder / GOOD[0]).read_bytes())
        (folder / denied).chmod(0)
        for split in ("train", "test"):
            data = dataset(folder, (denied, GOOD[0]), split)
            with ordinary_user():
                clip = data.fetch_training([0, 1], [0, 1]) if split == "train" else data.fetch([0, 1])
            assert clip.index.tolist() == ([1, 1] if split == "train" else [1])
            assert re.search("(?i)permission denied", data.broken.found[denied].reason)


@pytest.mark.parametrize("name", ["short.avi", "short.webm"])
def test_training_uses_what_is_left_of_a_file(folder: Path, tmp_path: Path, name: str) -> None:
    data = dataset(folder, (name, *GOOD))
    data.broken.keep_in(tmp_path / "broken.csv")
    clip = data.fetch_training([0] * 12, range(12))
    assert (clip.index == 0).sum() > 6, "the last frame may be damaged, the others are not"
    first = lines(tmp_path / "broken.csv")[0]
    assert first.id == name and first.outcome == "used" and "is cut short" in first.reason
    assert data.broken.num_met == 12


def test_what_is_left_of_a_file_must_hold_a_clip(folder: Path) -> None:
    data = dataset(folder, ("short.webm", *GOOD))
    data.sampling = FrameSampling(8, 7)  # 50 frames
    assert (data.fetch_training([0] * 4, range(4)).index > 0).all()
    assert data.broken.found["short.webm"].outcome == "replaced"
    data.sampling = None
    assert (data.fetch_training([0] * 4, range(4)).index > 0).all(), "a clip over the whole video would be another"


@pytest.mark.parametrize("suffix", ["avi", "webm"])
def test_only_lost_frames_make_a_file_short(tmp_path: Path, suffix: str) -> None:
    path = whole(tmp_path / f"a.{suffix}")
    data = path.read_bytes()
    assert cut_short(path) is None
    path.write_bytes(data + b"junk behind the end")
    assert cut_short(path) is None
    path.write_bytes(data[: len(data) // 2])
    found = re.fullmatch(r"is cut short: it holds (\d+) of about (\d+) frames", cut_short(path) or "")
    assert found and 0 < int(found[1]) < NUM_FRAMES and abs(int(found[2]) - NUM_FRAMES) <= 1
    if suffix == "avi":
        path.write_bytes(data[:-50])  # a part of the index, which no frame needs
        assert cut_short(path) is None
        path.write_bytes(data[:4] + bytes(4) + data[8 : len(data) // 2])  # a recorder that never wrote the length
        assert cut_short(path) is None


@pytest.mark.parametrize(
    "head", [b"", b"RIFF", b"RIFF\xff\xff\0\0WAVE", b"\x1a\x45\xdf\xa3", b"\0" * 2000, b"\x1a" * 2000]
)
def test_other_files_are_not_short(tmp_path: Path, head: bytes) -> None:
    (tmp_path / "a").write_bytes(head)
    assert cut_short(tmp_path / "a") is None
