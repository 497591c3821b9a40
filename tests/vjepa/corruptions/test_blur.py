"""Blurs keep flat pictures and means, scale with the side, and follow their draws."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vjepa.corruptions.clips import mean_square, scene
from vjepa.corruptions import corrupt

BLURS = ("defocus_blur", "motion_blur", "motion_blur_per_frame", "zoom_blur", "glass_blur")


@pytest.mark.parametrize("name", BLURS)
@pytest.mark.parametrize("severity", [1, 5])
def test_a_flat_picture_stays(name: str, severity: int) -> None:
    flat = np.broadcast_to(np.array([0, 117, 255], np.uint8), (2, 40, 50, 3))
    assert np.array_equal(corrupt(flat, name, severity, "d", "v"), flat)


@pytest.mark.parametrize("name", BLURS)
def test_detail_is_lost(name: str) -> None:
    clip = scene(0, side=112)
    rough = [np.abs(np.diff(item.astype(float), axis=2)).mean() for item in (clip, corrupt(clip, name, 5, "d", "v"))]
    assert rough[1] < 0.75 * rough[0]


def test_a_point_becomes_a_disk_of_the_stated_radius() -> None:
    clip = np.zeros((1, 224, 224, 3), np.uint8)
    clip[0, 112, 112] = 255
    y, x = np.nonzero(corrupt(clip, "defocus_blur", 1, "d", "v")[0, ..., 1])
    assert np.hypot(y - 112, x - 112).max() == 3
    assert len(y) == 29


def test_half_the_side_has_half_the_blur() -> None:
    ramp = np.zeros((1, 112, 112, 3), np.uint8)
    ramp[:, :, 56:] = 255
    large = np.repeat(np.repeat(ramp, 2, 1), 2, 2)
    for severity in (1, 3, 5):
        small_blur = corrupt(ramp, "defocus_blur", severity, "d", "v")[0, 50, :, 0].astype(float)
        large_blur = corrupt(large, "defocus_blur", severity, "d", "v")[0, 100, :, 0].astype(float)
        assert np.abs(small_blur - large_blur.reshape(-1, 2).mean(1)).max() < 25


def test_motion_blur_has_one_angle_a_clip_or_one_a_frame() -> None:
    still = np.repeat(scene(3, frames=1, side=64), 8, axis=0)
    clip, shaken = corrupt(still, "motion_blur", 5, "d", "v"), corrupt(still, "motion_blur_per_frame", 5, "d", "v")
    assert (clip == clip[0]).all()
    assert len({frame.tobytes() for frame in shaken}) == 8


def test_zoom_blur_leaves_the_centre_sharp() -> None:
    clip = np.concatenate([scene(seed, frames=1, side=224) for seed in range(6)])
    blurred = corrupt(clip, "zoom_blur", 3, "d", "v")
    middle = slice(104, 120)
    assert mean_square(blurred[:, middle, middle], clip[:, middle, middle]) < 0.3 * mean_square(blurred, clip)


def test_glass_displaces_all_frames_alike() -> None:
    still = np.repeat(scene(4, frames=1, side=112), 3, axis=0)
    seen = corrupt(still, "glass_blur", 4, "d", "v")
    assert (seen == seen[0]).all()
    assert not np.array_equal(seen, corrupt(still, "glass_blur", 4, "d", "w"))
