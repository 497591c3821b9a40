"""Views of a video are the same frames and the same pixels as clips and crops that are read one by one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from data_modules.clips.augment import CentreView, SideViews
from data_modules.clips.sampling import FrameSampling
from data_modules.clips.views import EvaluationViews, read_views
from data_modules.decode import reader
from data_modules.decode.frames import decode_video, uniform_indices
from data_modules.decode.reader import read_frames
from tests.data_modules.encoded import moving_frames, write_video
from vjepa.errors import UserError

SAMPLING = FrameSampling(4, frame_step=3)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "a.mp4", moving_frames(40), options={"bf": "2", "g": "12"})


def test_one_view_is_the_whole_video_and_its_centre(video: Path) -> None:
    whole = decode_video(video)[uniform_indices(40, 16)]
    centre = CentreView(96, 128, 64)
    assert np.array_equal(read_views(video, EvaluationViews(), 64)[0], np.stack([centre(frame) for frame in whole]))


@pytest.mark.parametrize("seed", [None, 7])
def test_views_are_clips_times_crops(video: Path, seed: int | None) -> None:
    views = EvaluationViews(num_clips=3, num_crops=3, num_frames=4, sampling=SAMPLING, seed=seed)
    got = read_views(video, views, 48)
    assert got.shape == (9, 4, 48, 48, 3) and got.dtype == np.uint8 and views.num_views == 9
    crops = SideViews(96, 128, 48, 3)
    for clip, indices in enumerate(views.clips(40, 25.0)):
        expected = np.stack([crops(frame) for frame in read_frames(video, indices)], axis=1)
        assert np.array_equal(got[3 * clip : 3 * clip + 3], expected)


def test_a_frame_that_several_views_show_is_converted_once(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converted = []
    convert = reader.upright_rgb
    monkeypatch.setattr(
        reader,
        "upright_rgb",
        lambda frame, tool: converted.append(frame.pts) or convert(frame, tool),
    )
    views = EvaluationViews(num_clips=8, num_crops=3, num_frames=4, sampling=SAMPLING)
    read_views(video, views, 48)
    assert converted == sorted(set(views.clips(40, 25.0).ravel().tolist()))


def test_even_clips_reach_from_end_to_end() -> None:
    clips = SAMPLING.even_clips(3, 40, 25.0)  # 28 starts
    assert clips[:, 0].tolist() == [0, 13, 27]
    assert [clip.tolist() for clip in clips] == [
        SAMPLING.indices_from(start, 40, 25.0).tolist() for start in (0, 13, 27)
    ]
    assert SAMPLING.even_clips(1, 40, 25.0)[0, 0] == 13
    short = SAMPLING.even_clips(4, 5, 25.0)
    assert short.shape == (4, 4) and (short == short[0]).all() and short.max() == 4


def test_random_clips_depend_on_the_seed_alone() -> None:
    def starts(seed: int) -> list[int]:
        views = EvaluationViews(num_clips=5, num_frames=4, sampling=SAMPLING, seed=seed)
        return views.clips(200, 25.0)[:, 0].tolist()

    assert starts(1) == starts(1) != starts(2)
    assert len(set(starts(1))) > 1


@pytest.mark.parametrize(("height", "width"), [(30, 90), (90, 30), (40, 40), (107, 142)])
def test_side_views_lie_along_the_long_side(height: int, width: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    first, middle, last = SideViews(height, width, 30, 3)(image)
    assert np.array_equal(middle, CentreView(height, width, 30)(image))
    assert np.array_equal(SideViews(height, width, 30, 1)(image)[0], middle)
    size = (width * 30 // min(height, width), height * 30 // min(height, width))
    resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(first, resized[:30, :30]) and np.array_equal(last, resized[-30:, -30:])


def test_an_image_is_a_still_video(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=np.uint8))
    views = EvaluationViews(num_clips=2, num_crops=3, num_frames=4, sampling=SAMPLING)
    got = read_views(path, views, 32)
    assert got.shape == (6, 4, 32, 32, 3)
    assert (got == got[:, :1]).all() and np.array_equal(got[:3], got[3:]) and not np.array_equal(got[0], got[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_clips": 0}, "num_clips is 0"),
        ({"num_crops": 0}, "num_crops is 0"),
        ({"num_clips": 2}, "set sampling"),
        ({"seed": 1}, "set sampling"),
        ({"num_frames": 8, "sampling": SAMPLING}, "num_frames is 8"),
    ],
)
def test_bad_views_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        EvaluationViews(**arguments)  # type: ignore[arg-type]
