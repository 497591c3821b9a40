"""Data sets of files: evaluation is fixed, training follows from the draw, broken files are replaced or reported."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from data_modules.clips.augment import Augmentation, CentreView
from data_modules.clips.datasets import Task
from data_modules.clips.sampling import FrameSampling
from data_modules.clips.videos import VideoDataset, VideoFile
from data_modules.decode.frames import BrokenVideo, decode_video, uniform_indices
from data_modules.decode.images import read_image
from tests.data_modules.damaged import read_broken
from tests.data_modules.encoded import moving_frames, write_video
from vjepa.errors import UserError

TASKS = (Task("label", ("a", "b", "c"), temporal=True),)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six videos of different lengths and sizes, and two images; tests do not change them."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(6):
        frames = moving_frames(20 + 5 * number, 64 + 16 * number, 96, seed=number)
        write_video(folder / f"{number}.mp4", frames, options={"bf": "2", "g": "12"}, rate=10 + 5 * number)
    for number in range(2):
        cv2.imwrite(str(folder / f"image{number}.jpg"), moving_frames(1, 60, 80, seed=number)[0, ..., ::-1])
    return folder


def make(folder: Path, names: list[str], **options: object) -> VideoDataset:
    files = [VideoFile(folder / name, (number % 3,), name) for number, name in enumerate(names)]
    defaults: dict[str, object] = {"num_frames": 8, "size": 32, "sampling": FrameSampling(8, frame_step=2)}
    return VideoDataset(files, TASKS, "train", **defaults | {"augmentation": Augmentation()} | options)  # type: ignore[arg-type]


VIDEOS = [f"{number}.mp4" for number in range(6)]


def test_evaluation_clips_cover_the_video_and_its_centre(folder: Path) -> None:
    data = make(folder, VIDEOS)
    clip = data.fetch([4, 1])
    assert clip.frames.shape == (2, 8, 32, 32, 3) and clip.frames.dtype == torch.uint8
    assert clip.index.tolist() == [4, 1] and clip.labels.tolist() == [[1], [1]]
    for row, number in enumerate([4, 1]):
        whole = decode_video(folder / f"{number}.mp4")
        chosen = whole[uniform_indices(len(whole), 8)]
        view = CentreView(*whole.shape[1:3], 32)
        assert np.array_equal(clip.frames[row].numpy(), np.stack([view(frame) for frame in chosen]))
    assert torch.equal(data.fetch([1]).frames[0], clip.frames[1])


def test_training_clips_are_a_function_of_the_draw(folder: Path) -> None:
    data = make(folder, VIDEOS, seed=3)
    clip = data.fetch_training([2, 2, 5], [10, 11, 12])
    assert clip.frames.shape == (3, 8, 32, 32, 3) and clip.labels.tolist() == [[2], [2], [2]]
    assert not torch.equal(clip.frames[0], clip.frames[1])
    again = make(folder, VIDEOS, seed=3)
    alone = again.fetch_training([2], [11])
    assert torch.equal(alone.frames[0], clip.frames[1])
    assert not torch.equal(make(folder, VIDEOS, seed=4).fetch_training([2], [11]).frames[0], clip.frames[1])
    restored = pickle.loads(pickle.dumps(data))
    assert torch.equal(restored.fetch_training([5], [12]).frames[0], clip.frames[2])


def test_training_frames_follow_the_rule_and_share_one_crop(folder: Path) -> None:
    data = make(folder, VIDEOS, seed=1)
    rng = [data._rng(7, 5, purpose) for purpose in range(2)]
    whole = decode_video(folder / "5.mp4")
    chosen = whole[FrameSampling(8, frame_step=2).clip_indices(len(whole), 35.0, rng[0])]
    view = Augmentation().view(*whole.shape[1:3], 32, rng[1])
    assert np.array_equal(data.fetch_training([5], [7]).frames[0].numpy(), np.stack([view(frame) for frame in chosen]))


def test_without_sampling_and_augmentation_training_reads_evaluation_clips(folder: Path) -> None:
    data = make(folder, VIDEOS, sampling=None, augmentation=None)
    assert torch.equal(data.fetch_training([0, 3], [5, 6]).frames, data.fetch([0, 3]).frames)


def test_a_rate_uses_the_rate_of_each_video(folder: Path) -> None:
    data = make(folder, VIDEOS, sampling=FrameSampling(8, fps=10.0), augmentation=None)
    whole = decode_video(folder / "4.mp4")  # 30 frames a second, 40 frames
    indices = FrameSampling(8, fps=10.0).clip_indices(40, 30.0, data._rng(0, 4, 0))
    assert np.diff(indices).tolist() == [3] * 7
    view = CentreView(*whole.shape[1:3], 32)
    expected = np.stack([view(frame) for frame in whole[indices]])
    assert np.array_equal(data.fetch_training([4], [0]).frames[0].numpy(), expected)


def test_a_video_that_is_too_slow_stops_with_its_name(folder: Path) -> None:
    data = make(folder, VIDEOS, sampling=FrameSampling(8, fps=16.0, fps_rule="integer_step"))
    with pytest.raises(UserError, match=r"0\.mp4: a video of 10 frames per second is too slow"):
        data.fetch_training([0], [0])
    assert not len(data.broken)


def test_images_beside_videos_are_still_videos(folder: Path) -> None:
    data = make(folder, ["0.mp4", "image0.jpg"])
    clip = data.fetch_training([0, 1], [0, 1])
    assert clip.frames.shape == (2, 8, 32, 32, 3)
    assert (clip.frames[1] == clip.frames[1, :1]).all()
    assert not (clip.frames[0] == clip.frames[0, :1]).all()
    assert data.fetch([1]).frames.shape == (1, 8, 32, 32, 3)


def test_images_alone_have_one_frame(folder: Path) -> None:
    data = make(folder, ["image0.jpg", "image1.jpg"])
    clip = data.fetch([0, 1])
    assert clip.frames.shape == (2, 1, 32, 32, 3)
    image = read_image(folder / "image1.jpg")
    assert np.array_equal(clip.frames[1, 0].numpy(), CentreView(60, 80, 32)(image))
    assert data.fetch_training([1], [0]).frames.shape == (1, 1, 32, 32, 3)


def test_a_batch_of_images_may_have_one_frame(folder: Path) -> None:
    data = make(folder, ["0.mp4", "image0.jpg", "image1.jpg"], single_images=True)
    assert data.fetch_training([1, 2], [0, 1]).frames.shape == (2, 1, 32, 32, 3)
    assert data.fetch([2]).frames.shape == (1, 1, 32, 32, 3)
    assert data.fetch_training([0, 2], [0, 1]).frames.shape == (2, 8, 32, 32, 3)
    assert data.fetch([0]).frames.shape == (1, 8, 32, 32, 3)


@pytest.mark.parametrize("rule", ["nearest", "integer_step"])
def test_a_video_of_one_frame_is_that_frame(tmp_path: Path, rule: str) -> None:
    write_video(tmp_path / "one.mp4", moving_frames(1))
    sampling = FrameSampling(8, fps=60.0, fps_rule=rule)  # type: ignore[arg-type]
    clip = make(tmp_path, ["one.mp4"], sampling=sampling).fetch_training([0], [0])
    assert clip.frames.shape == (1, 8, 32, 32, 3) and (clip.frames == clip.frames[:, :1]).all()


@pytest.fixture
def damaged(folder: Path, tmp_path: Path) -> Path:
    """Two good files, an empty one, a text and one that is missing."""
    for name in ("0.mp4", "1.mp4"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.jpg").write_text("text")
    return tmp_path


DAMAGED = ["0.mp4", "empty.mp4", "text.jpg", "missing.mp4", "1.mp4"]


def test_training_replaces_and_lists_broken_files(damaged: Path) -> None:
    data = make(damaged, DAMAGED)
    data.broken.path = damaged / "broken.csv"
    clip = data.fetch_training([0, 1, 2, 3] * 5, range(20))
    assert set(clip.index.tolist()) == {0, 4}
    assert clip.index.tolist()[::4] == [0] * 5, "a good file is not replaced"
    assert clip.labels[:, 0].tolist() == [index % 3 for index in clip.index.tolist()]
    listed = read_broken(damaged / "broken.csv")
    assert set(listed) == set(DAMAGED[1:4]) and listed["empty.mp4"] == "the file is empty"
    # Which file replaces a broken one does not depend on what was met before, nor does a file that is broken in part.
    for draw in (3, 6, 13, 19):
        alone = make(damaged, DAMAGED).fetch_training([draw % 4], [draw])
        assert torch.equal(alone.frames[0], clip.frames[draw])
        assert alone.index[0] == clip.index[draw]


def test_a_replacement_is_of_the_same_group(damaged: Path) -> None:
    data = make(damaged, DAMAGED, group_sizes=[2, 3])
    clip = data.fetch_training([1] * 6 + [2] * 6, range(12))
    assert clip.index.tolist() == [0] * 6 + [4] * 6


def test_what_a_draw_gives_does_not_depend_on_what_was_met(folder: Path, tmp_path: Path) -> None:
    """A video that is damaged in places serves the draws that pass them by, also after one that did."""
    for name in ("0.mp4", "1.mp4"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    frames = moving_frames(80, 64, 96, seed=9)
    write_video(tmp_path / "half.avi", frames, "mpeg4", {"bf": "0", "g": "1"})
    data = bytearray((tmp_path / "half.avi").read_bytes())
    for place in range(len(data) * 5 // 10, len(data) * 8 // 10, 300):
        data[place] ^= 0x5A
    (tmp_path / "half.avi").write_bytes(bytes(data))
    names = ["half.avi", "0.mp4", "1.mp4"]
    used = make(tmp_path, names).fetch_training([0] * 24, range(24)).index.tolist()
    assert 4 < used.count(0) < 20
    assert [int(make(tmp_path, names).fetch_training([0], [draw]).index) for draw in range(24)] == used


def test_when_all_is_broken_training_stops(damaged: Path) -> None:
    data = make(damaged, DAMAGED[1:4])
    with pytest.raises(UserError, match=r"empty\.mp4: the file is empty; the files that could replace it"):
        data.fetch_training([0], [0])


def test_evaluation_never_replaces(damaged: Path) -> None:
    data = make(damaged, DAMAGED)
    with pytest.raises(BrokenVideo, match="the file is empty"):
        data.read(torch.tensor([0, 1]))
    clip = data.fetch([0, 1, 4, 2, 3])
    assert clip.index.tolist() == [0, 4] and len(clip.frames) == 2 and clip.labels.tolist() == [[0], [1]]
    assert set(data.broken.found) == {"empty.mp4", "text.jpg", "missing.mp4"}
    with pytest.raises(BrokenVideo, match="neither JPEG nor PNG"):
        data[2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": []}, "train: there are no files"),
        ({"names": ["a.mp4", "a.mp4"]}, "id 'a.mp4' is that of an earlier file"),
        ({"num_frames": 16}, "num_frames is 16, but clips are sampled with 8"),
        ({"size": 0}, "size is 0"),
        ({"group_sizes": [1]}, r"groups of \[1\] files do not make 2"),
    ],
)
def test_bad_arguments_are_named(change: dict[str, object], message: str) -> None:
    options = {"names": ["a.mp4", "b.mp4"]} | change
    with pytest.raises(UserError, match=message):
        make(Path("/data"), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "message"), [((0, 1), "has 2 labels, expected 1"), ((3,), "label 3 of task 'label'")]
)
def test_labels_must_fit_the_tasks(labels: tuple[int, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        VideoDataset([VideoFile(Path("a.mp4"), labels, "a")], TASKS, "val", 8, 32)
