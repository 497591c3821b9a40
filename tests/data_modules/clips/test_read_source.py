"""Clips with the frames of their video, on every kind of file: the clip is that of ``read``, bit for bit."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from data_modules.clips.augment import CentreView
from data_modules.clips.datasets import Task
from data_modules.clips.mapped import MappedClips, write_frames
from data_modules.clips.videos import VideoDataset, VideoFile
from data_modules.decode.frames import BrokenVideo, decode_video, uniform_indices
from data_modules.decode.images import read_image
from data_modules.mixing.mixture import Mixture
from tests.data_modules.encoded import moving_frames, remux, write_packed_avi, write_video
from vjepa.corruptions import CORRUPTIONS, corrupt, corrupt_source
from vjepa.corruptions.source import native_numbers, seen_numbers
from vjepa.errors import UserError

TASKS = (Task("label", ("a", "b", "c"), temporal=True),)
SIZE = 32
VIDEOS = ("b.mp4", "long.mp4", "short.mp4", "one.mp4", "plain.avi", "packed.avi", "v.webm", "lying.mp4", "tail.mkv")
IMAGES = ("wide.jpg", "grey.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    write_video(folder / "b.mp4", moving_frames(23, 64, 96), options={"bf": "3", "g": "12"})
    write_video(folder / "long.mp4", moving_frames(200, 48, 70), options={"bf": "2", "g": "50"})
    write_video(folder / "short.mp4", moving_frames(5, 96, 64))
    write_video(folder / "one.mp4", moving_frames(1, 64, 64))
    write_video(folder / "plain.avi", moving_frames(40, 60, 80), "mpeg4", {"bf": "0"})
    write_packed_avi(folder / "packed.avi", moving_frames(30, 64, 80))
    write_video(folder / "v.webm", moving_frames(30, 64, 80), "libvpx-vp9", {"cpu-used": "8", "deadline": "realtime"})
    remux(folder / "b.mp4", folder / "lying.mp4", times_lie=True)
    remux(folder / "long.mp4", folder / "tail.mkv", first=30)
    cv2.imwrite(str(folder / "wide.jpg"), moving_frames(1, 60, 100)[0, ..., ::-1])
    cv2.imwrite(str(folder / "grey.png"), moving_frames(1, 80, 60)[0, ..., 0])
    return folder


def make(folder: Path, names: tuple[str, ...], num_frames: int = 8, **options: object) -> VideoDataset:
    files = [VideoFile(folder / name, (number % 3,), name) for number, name in enumerate(names)]
    return VideoDataset(files, TASKS, "test", num_frames, SIZE, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", range(len(VIDEOS)), ids=VIDEOS)
@pytest.mark.parametrize("num_frames", [8, 16])
def test_a_clip_of_a_video_with_what_surrounds_it(folder: Path, number: int, num_frames: int) -> None:
    data = make(folder, VIDEOS, num_frames)
    source = data.read_source(number)
    assert np.array_equal(source.clip(), data.read(torch.tensor([number]))[0].numpy())
    whole = decode_video(folder / VIDEOS[number])
    sampled = uniform_indices(len(whole), num_frames)
    assert np.array_equal(source.sampled, sampled)
    assert np.array_equal(source.native.numbers, native_numbers(sampled))
    assert np.array_equal(source.native.pictures, whole[source.native.numbers])
    assert set(seen_numbers(sampled, len(whole))) <= set(source.seen.numbers)
    view = CentreView(*whole.shape[1:3], SIZE)
    assert np.array_equal(source.seen.pictures, np.stack([view(frame) for frame in whole[source.seen.numbers]]))
    assert source.native.pictures.flags.c_contiguous and source.native.pictures.base is None


def test_other_frames_are_those_of_the_evaluation(folder: Path) -> None:
    data = make(folder, VIDEOS, evaluation=middle)
    source = data.read_source(1)
    assert source.sampled.tolist() == list(range(96, 112, 2)) and source.native.numbers.tolist() == list(range(96, 111))
    assert np.array_equal(source.clip(), data.read(torch.tensor([1]))[0].numpy())
    assert source.seen.numbers.tolist() == list(range(93, 113)), "blur looks beyond the ends of the clip"


def middle(num_available: int, num_frames: int) -> np.ndarray:
    return np.arange(num_frames) * 2 + (num_available - num_frames) // 2


def test_a_turned_video_is_upright(folder: Path, tmp_path: Path) -> None:
    turned = with_rotation(folder / "plain.avi", tmp_path / "turned.mp4")
    data = make(turned.parent, (turned.name,))
    source = data.read_source(0)
    assert source.native.pictures.shape[1:3] == (80, 60) and source.native.pictures.flags.c_contiguous
    assert np.array_equal(source.clip(), data.read(torch.tensor([0]))[0].numpy())


def with_rotation(video: Path, target: Path) -> Path:
    """Encode again as an MP4 whose track header asks for a quarter turn."""
    write_video(target, decode_video(video)[:12])
    data = bytearray(target.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    matrix = (0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    data[place : place + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    target.write_bytes(bytes(data))
    return target


@pytest.mark.parametrize("number", range(2))
def test_an_image_is_one_frame(folder: Path, number: int) -> None:
    for data, num_frames in (
        (make(folder, IMAGES), 1),
        (make(folder, (*IMAGES, "b.mp4")), 8),
        (make(folder, (*IMAGES, "b.mp4"), single_images=True), 1),
    ):
        source = data.read_source(number)
        clip = source.clip()
        assert len(clip) == num_frames and np.array_equal(clip, data.read(torch.tensor([number]))[0].numpy())
        assert np.array_equal(source.native.pictures, read_image(folder / IMAGES[number])[None])
        damaged = corrupt_source(source, "h264_crf", 5, "d", "v")
        assert damaged.shape == clip.shape and not np.array_equal(damaged, clip) and (damaged == damaged[:1]).all()
        assert np.array_equal(corrupt_source(source, "temporal_blur", 5, "d", "v"), clip)


def mapped(folder: Path, frames: int) -> MappedClips:
    clips = np.stack([moving_frames(frames, SIZE, SIZE, seed=seed) for seed in range(2)])
    write_frames(folder / "clips.npy", clips.shape, clips)
    return MappedClips(folder / "clips.npy", "test", TASKS, ("a", "b"), torch.zeros(2, 1, dtype=torch.int64))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_clips_that_were_never_videos_are_damaged_as_clips(tmp_path: Path, name: str) -> None:
    data = mapped(tmp_path, 8)
    source, clip = data.read_source(1), data.read(torch.tensor([1]))[0].numpy()
    assert np.array_equal(source.clip(), clip)
    assert np.array_equal(corrupt_source(source, name, 1, "d", "v"), corrupt(clip, name, 1, "d", "v"))


@pytest.mark.parametrize("single_images", [False, True])
def test_a_mixture_asks_the_data_set_of_the_clip(folder: Path, tmp_path: Path, single_images: bool) -> None:
    parts = [make(folder, IMAGES), make(folder, VIDEOS[:2]), mapped(tmp_path, 8)]
    data = Mixture("test", ("images", "videos", "mapped"), parts, 8, SIZE, single_images)
    for index in range(len(data)):
        assert np.array_equal(data.read_source(index).clip(), data.read(torch.tensor([index]))[0].numpy())
    assert data.read_source(3).native.pictures.shape[1:] == (48, 70, 3)
    wrong = Mixture("test", ("videos",), [make(folder, VIDEOS, 4)], 8, SIZE)
    with pytest.raises(UserError, match=r"videos: a clip has the shape \(4, 32, 32, 3\)"):
        wrong.read_source(0)


def test_broken_files_are_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.jpg").write_text("text")
    whole = (folder / "plain.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) * 2 // 3])
    names = ("empty.mp4", "text.jpg", "cut.avi", "missing.mp4")
    data = make(tmp_path, names)
    for number, reason in enumerate(("the file is empty", "neither JPEG nor PNG", "is cut short", "no such file")):
        with pytest.raises(BrokenVideo, match=reason):
            data.read_source(number)
