"""Turned and shaken cameras."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

from tests.vjepa.corruptions.clips import scene
from vjepa.corruptions import SEVERITIES, corrupt


@pytest.mark.parametrize(("severity", "degrees"), list(zip(SEVERITIES, (7.5, 15, 30, 45, 90), strict=True)))
@pytest.mark.parametrize("shape", [(64, 64), (45, 70)])
def test_a_rotation_is_pillows(severity: int, degrees: float, shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(1, 256, (*shape, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(picture).rotate(degrees))
    found = corrupt(picture[None], "static_rotation", severity, "d", "v")[0]
    # The nearest of two pixels at equal distance may differ.
    assert (found != expected).any(axis=-1).mean() < 0.002


def angles(severity: int) -> list[int]:
    """Whole degrees by which each frame was turned, found by trial."""
    picture = scene(0, frames=1, side=64)[0]
    turned = corrupt(np.repeat(picture[None], 12, axis=0), "variable_rotation", severity, "d", "v")
    known = np.stack([np.asarray(Image.fromarray(picture).rotate(angle)) for angle in range(-31, 32)])
    different = (turned[:, None] != known).any(axis=-1).mean(axis=(-1, -2))
    assert (different.min(axis=1) < 0.01).all()
    return [int(best) - 31 for best in different.argmin(axis=1)]


def test_every_frame_turns_by_its_own_whole_degrees_and_severity_scales_them() -> None:
    weak, strong = angles(1), angles(5)
    assert max(map(abs, weak)) <= 7 and 7 < max(map(abs, strong)) <= 31
    assert len(set(strong)) > 6
    assert all(abs(w / 7 - s / 31) < 0.2 for w, s in zip(weak, strong, strict=True))


def test_translation_moves_frames_up_and_left_below_its_limit() -> None:
    place = np.zeros((32, 224, 224, 3), np.uint8)
    place[..., 0], place[..., 1] = np.arange(224)[:, None], np.arange(224)
    limits = []
    for severity in SEVERITIES:
        moved = corrupt(place, "translation", severity, "d", "v")[:, 100, 100, :2].astype(int) - 100
        assert moved.min() >= 0 and moved.max() < 8 * severity
        limits.append(moved)
    assert all((low <= high).all() for low, high in itertools.pairwise(limits))
    assert len(np.unique(limits[4], axis=0)) > 20


def test_translation_scales_with_the_side_and_repeats_the_edge() -> None:
    place = np.zeros((64, 56, 56, 3), np.uint8)
    place[..., 0], place[..., 1] = np.arange(56)[:, None], np.arange(56)
    moved = corrupt(place, "translation", 5, "d", "v")[..., :2].astype(int)
    assert (moved[:, 20, 20] - 20).max() == 9
    assert (moved[:, -1, -1] == 55).all()
