"""Crops and flips: the study's boxes and pixels, the same for all frames, inside the frame."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from data_modules.clips.augment import Augmentation, CentreView, CropView
from tests.conftest import Golden
from vjepa.errors import UserError
from vjepa.pixels import to_pixels


class StudyDraws:
    """Python's generator for the crop and NumPy's legacy one for the flip."""

    def __init__(self, seed: int) -> None:
        self.crop, self.flip = random.Random(seed), np.random.RandomState(seed)

    def uniform(self, low: float, high: float) -> float:
        if (low, high) == (0.0, 1.0):
            return self.flip.uniform()
        if low < 0:  # the aspect ratio: the study also draws whether to exchange the sides, and never does
            self.flip.uniform()
        return self.crop.uniform(low, high)

    def integers(self, low: int, high: int) -> int:
        return self.crop.randint(low, high - 1)


def test_the_study_crops_here(golden: Golden) -> None:
    case = golden("data")
    video = np.asarray(case["video_u8"])
    view = Augmentation().view(*video.shape[1:3], 32, StudyDraws(5))
    assert [view.top, view.left, view.height, view.width] == case["video_crop_i_j_h_w"].tolist()
    frames = torch.from_numpy(np.stack([view(np.ascontiguousarray(frame)) for frame in video]))
    grey_levels = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1, 1) * 255
    difference = (to_pixels(frames[None])[0] - case["video_out"]) * grey_levels
    assert difference.abs().max() <= 1.0
    assert difference.abs().max() > 0  # rounded to whole grey levels: this is a comparison, not a copy


def test_an_image_of_the_study_is_cropped_alike(golden: Golden) -> None:
    case = golden("data")
    image = np.ascontiguousarray(np.asarray(case["image_u8"]).transpose(1, 2, 0))
    view = Augmentation().view(*image.shape[:2], 32, StudyDraws(0))
    out = to_pixels(torch.from_numpy(view(image))[None, None])[0, :, 0]
    grey_levels = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1) * 255
    assert ((out - case["image_buf0"]) * grey_levels).abs().max() <= 1.0


@pytest.mark.parametrize(("height", "width"), [(240, 320), (1, 1), (7, 300), (300, 7), (224, 224)])
def test_boxes_lie_inside_the_frame(height: int, width: int) -> None:
    augmentation = Augmentation()
    for seed in range(100):
        top, left, crop_height, crop_width = augmentation.box(height, width, np.random.default_rng(seed))
        assert 0 <= top <= top + crop_height <= height and crop_height > 0
        assert 0 <= left <= left + crop_width <= width and crop_width > 0


def test_area_and_aspect_follow_their_ranges() -> None:
    boxes = [Augmentation().box(480, 480, np.random.default_rng(seed)) for seed in range(400)]
    area = np.array([height * width / 480**2 for _, _, height, width in boxes])
    aspect = np.array([width / height for _, _, height, width in boxes])
    assert 0.29 < area.min() < 0.34 and 0.9 < area.max() <= 1.0
    assert 0.74 < aspect.min() < 0.8 and 1.28 < aspect.max() < 1.36
    assert len({box[:2] for box in boxes}) > 300


def test_a_frame_that_fits_no_crop_is_cut_from_its_centre() -> None:
    assert Augmentation().box(300, 7, np.random.default_rng(0)) == (145, 0, 9, 7)
    assert Augmentation().box(7, 300, np.random.default_rng(0)) == (0, 145, 7, 9)


def test_half_of_the_clips_are_flipped_unless_switched_off() -> None:
    flips = [Augmentation().view(60, 80, 32, np.random.default_rng(seed)).flip for seed in range(400)]
    assert 160 < sum(flips) < 240
    off = Augmentation(horizontal_flip=False)
    assert not any(off.view(60, 80, 32, np.random.default_rng(seed)).flip for seed in range(50))


def test_a_flip_mirrors_the_crop() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    plain, mirrored = CropView(3, 4, 20, 30, 16)(image), CropView(3, 4, 20, 30, 16, flip=True)(image)
    assert plain.shape == (16, 16, 3) and plain.dtype == np.uint8
    assert np.array_equal(mirrored, plain[:, ::-1])


@pytest.mark.parametrize(("height", "width"), [(240, 320), (320, 240), (107, 142), (214, 300), (32, 32), (20, 11)])
def test_the_centre_has_the_asked_size(height: int, width: int) -> None:
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 2 :, width // 2 :] = 200
    out = CentreView(height, width, 32)(image)
    assert out.shape == (32, 32, 3)
    assert out[4, 4].max() == 0 and out[-5, -5].min() == 200


def test_the_centre_of_a_frame_of_that_size_is_the_frame() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert np.array_equal(CentreView(32, 32, 32)(image), image)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": (0.0, 1.0)}, "scale is"),
        ({"scale": (0.5, 1.1)}, "scale is"),
        ({"scale": (0.6, 0.5)}, "scale is"),
        ({"aspect_ratio": (0.0, 1.0)}, "aspect_ratio is"),
        ({"aspect_ratio": (2.0, 1.0)}, "aspect_ratio is"),
    ],
)
def test_bad_ranges_are_named(arguments: dict[str, tuple[float, float]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Augmentation(**arguments)
