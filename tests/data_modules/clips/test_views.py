"""Views of a video are the same frames and the same pixels as a full decode gives, and cost one decode."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from data_modules.clips import sources, videos
from data_modules.clips.augment import CentreView, SideViews
from data_modules.clips.broken import BrokenLog
from data_modules.clips.datasets import Task
from data_modules.clips.videos import VideoDataset, VideoFile
from data_modules.clips.views import ONE_VIEW, EvaluationViews
from data_modules.decode import reader
from data_modules.decode.frames import BrokenVideo, decode_video, uniform_indices
from data_modules.decode.images import read_image
from data_modules.mixing.mixture import Mixture
from tests.data_modules.encoded import moving_frames, write_packed_avi, write_video
from vjepa.errors import UserError

TASKS = (Task("label", ("a", "b", "c"), temporal=True),)
FRAMES, SIZE = 6, 32
VIDEOS = ("wide.mp4", "tall.webm", "packed.avi", "short.mp4", "one.mp4")
FOUR_BY_THREE = EvaluationViews(4, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("views")
    write_video(folder / "wide.mp4", moving_frames(60, 48, 96), options={"bf": "2", "g": "12"})
    tall = moving_frames(34, 80, 40, seed=1)
    write_video(folder / "tall.webm", tall, "libvpx-vp9", {"cpu-used": "8", "deadline": "realtime"})
    write_packed_avi(folder / "packed.avi", moving_frames(30, 64, 80, seed=2))
    write_video(folder / "short.mp4", moving_frames(4, 48, 64, seed=3))
    write_video(folder / "one.mp4", moving_frames(1, 48, 64, seed=4))
    cv2.imwrite(str(folder / "image.png"), moving_frames(1, 40, 90, seed=5)[0, ..., ::-1])
    return folder


def make(folder: Path, names: tuple[str, ...] = VIDEOS, views: EvaluationViews = FOUR_BY_THREE, **options: Any) -> Any:
    files = [VideoFile(folder / name, (number % 3,), name) for number, name in enumerate(names)]
    return VideoDataset(files, TASKS, "test", FRAMES, SIZE, views=views, **options)


def cut_out(frame: np.ndarray, place: float) -> np.ndarray:
    """A square at a place along the long side, in [0, 1], of a frame whose short side becomes ``SIZE``."""
    height, width = (length * SIZE // min(frame.shape[:2]) for length in frame.shape[:2])
    resized = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
    top, left = int((height - SIZE) * place), int((width - SIZE) * place)
    return resized[top : top + SIZE, left : left + SIZE]


@pytest.mark.parametrize("number", range(len(VIDEOS)), ids=VIDEOS)
def test_every_view_is_what_a_full_decode_shows(folder: Path, number: int) -> None:
    data, whole = make(folder), decode_video(folder / VIDEOS[number])
    got = data.read_views(number).numpy()
    assert got.shape == (12, FRAMES, SIZE, SIZE, 3) and got.dtype == np.uint8
    for clip, frames in enumerate(FOUR_BY_THREE.clips(len(whole), FRAMES)):
        for crop, place in enumerate((0.5, 0.0, 1.0)):
            expected = np.stack([cut_out(frame, place) for frame in whole[frames]])
            assert np.array_equal(got[3 * clip + crop], expected), (clip, crop)
    assert np.array_equal(got[0], data.read(torch.tensor([number]))[0].numpy()), "the first view is the only one else"
    one = make(folder, views=ONE_VIEW)
    assert torch.equal(one.read_views(number)[0], one.read(torch.tensor([number]))[0])
    assert torch.equal(one.read_views(number)[0], data.fetch([number]).frames[0])


def test_clips_lie_between_one_another() -> None:
    assert EvaluationViews(4).clips(31, 4).tolist() == [
        [0, 10, 20, 30],
        [2, 12, 22, 30],
        [5, 15, 25, 30],
        [0, 7, 17, 27],
    ]
    assert EvaluationViews(3).clips(31, 4).tolist() == [[0, 10, 20, 30], [3, 13, 23, 30], [0, 6, 16, 26]]
    for available in (1, 2, 5, 6, 7, 50, 301):
        for wanted in (1, 2, 6, 16):
            clips = EvaluationViews(5).clips(available, wanted)
            assert clips.shape == (5, wanted) and clips.min() >= 0 and clips.max() < available
            assert (np.diff(clips, axis=1) >= 0).all()
            assert np.array_equal(clips[0], uniform_indices(available, wanted))
            assert available >= wanted or (clips == clips[0]).all()
    assert len(np.unique(EvaluationViews(4).clips(200, 16), axis=0)) == 4


def test_all_views_cost_one_decode(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded, converted = Counter[str](), list[int]()
    for module in (videos, sources):
        monkeypatch.setattr(
            module, "read_clip", lambda path, *more: decoded.update([Path(path).name]) or reader.read_clip(path, *more)
        )
    convert = reader.upright_rgb
    monkeypatch.setattr(reader, "upright_rgb", lambda frame, tool: converted.append(frame.pts) or convert(frame, tool))
    data = make(folder)
    data.read_views(0)
    wanted = np.unique(FOUR_BY_THREE.clips(60, FRAMES))
    assert decoded == {"wide.mp4": 1} and len(converted) == len(set(converted)) == len(wanted)
    converted.clear()
    assert len(list(data.read_sources(0))) == 4
    assert decoded == {"wide.mp4": 2} and len(converted) == len(set(converted))


@pytest.mark.parametrize("number", range(len(VIDEOS)), ids=VIDEOS)
def test_clips_with_the_frames_of_their_video(folder: Path, number: int) -> None:
    """What corruptions act on: of each clip as if it had been read alone, and the crops of the same frames."""
    data, one = make(folder), make(folder, views=ONE_VIEW)
    views, whole = data.read_views(number).numpy(), decode_video(folder / VIDEOS[number])
    found = list(data.read_sources(number))
    assert len(found) == 4
    for clip, source in enumerate(found):
        shown = FOUR_BY_THREE.crops(source.clip())
        assert np.array_equal(shown, views[3 * clip : 3 * clip + 3])
        assert np.array_equal(source.native.pictures, whole[source.native.numbers])
        assert source.native.numbers[0] == source.sampled[0] and source.native.numbers[-1] == source.sampled[-1]
    (alone,) = one.read_sources(number)
    for first in (found[0], data.read_source(number)):
        assert np.array_equal(first.sampled, alone.sampled)
        assert np.array_equal(first.native.numbers, alone.native.numbers)
        assert np.array_equal(first.native.pictures, alone.native.pictures)
    assert np.array_equal(alone.clip(), views[0])


@pytest.mark.parametrize(("height", "width"), [(30, 90), (90, 30), (40, 40), (107, 142)])
def test_side_views_lie_along_the_long_side(height: int, width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    middle, first, last = SideViews(height, width, 30, 3)(image).reshape(3, 30, 30, 3)
    assert np.array_equal(middle, CentreView(height, width, 30)(image))
    size = (width * 30 // min(height, width), height * 30 // min(height, width))
    resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(first, resized[:30, :30]) and np.array_equal(last, resized[-30:, -30:])
    five = SideViews(height, width, 30, 5)(image).reshape(5, 30, 30, 3)
    assert all(np.array_equal(a, b) for a, b in zip(five[[0, 1, 4]], (middle, first, last), strict=True))


@pytest.mark.parametrize("single", [False, True])
def test_all_clips_of_an_image_are_equal(folder: Path, single: bool) -> None:
    data = make(folder, ("image.png", "wide.mp4"), single_images=single)
    length = 1 if single else FRAMES
    got, image = data.read_views(0).numpy(), read_image(folder / "image.png")
    assert got.shape == (12, length, SIZE, SIZE, 3) and (got == got[:, :1]).all()
    for clip in range(4):
        expected = [cut_out(image, place) for place in (0.5, 0.0, 1.0)]
        assert np.array_equal(got[3 * clip : 3 * clip + 3, 0], expected)
    for source in data.read_sources(0):
        assert np.array_equal(FOUR_BY_THREE.crops(source.clip()), got[:3])


def test_a_mixture_shows_the_views_of_its_parts(folder: Path) -> None:
    parts = [make(folder, VIDEOS[:2]), make(folder, ("image.png", "packed.avi"), single_images=True)]
    mixture = Mixture("test", ["a", "b"], parts, FRAMES, SIZE)
    assert mixture.views == FOUR_BY_THREE
    for position, (part, place) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        own = parts[part].read_views(place).expand(-1, FRAMES, -1, -1, -1)
        assert torch.equal(mixture.read_views(position), own)
        assert torch.equal(mixture.read_views(position)[0], mixture.read(torch.tensor([position]))[0])
        clips = [FOUR_BY_THREE.crops(source.clip()) for source in mixture.read_sources(position)]
        assert np.array_equal(np.concatenate(clips), own.numpy())
    with pytest.raises(UserError, match="b: 1 x 1 views of a test video, a has 4 x 3"):
        Mixture("test", ["a", "b"], [parts[0], make(folder, views=ONE_VIEW)], FRAMES, SIZE)


def test_a_broken_video_has_no_views(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "half.mp4").write_bytes((folder / "wide.mp4").read_bytes()[:4000])
    data = make(tmp_path, ("half.mp4", "missing.mp4"))
    data.broken = BrokenLog(split="test")
    for number in range(2):
        with pytest.raises(BrokenVideo):
            data.read_views(number)
        with pytest.raises(BrokenVideo):
            list(data.read_sources(number))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_clips": 0}, "eval_clips is 0"),
        ({"num_crops": 0}, "eval_crops is 0"),
        ({"num_crops": 2}, "eval_crops is 2; expected an odd number"),
    ],
)
def test_bad_views_are_named(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        EvaluationViews(**arguments)


def test_several_clips_need_the_usual_frames(folder: Path) -> None:
    with pytest.raises(ValueError, match="uniform_indices"):
        make(folder, evaluation=lambda available, wanted: np.arange(wanted))
