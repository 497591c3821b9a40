"""Contrast and colour by their formulas, and a box of the stated area."""

from __future__ import annotations

import colorsys
import itertools

import numpy as np
import pytest

from tests.vjepa.corruptions.clips import scene
from vjepa.corruptions import CORRUPTIONS, SEVERITIES, corrupt

COLOURS = np.random.default_rng(0).integers(0, 256, (1, 20, 20, 3), dtype=np.uint8)
COLOURS[0, 0, :5] = [[0, 0, 0], [255, 255, 255], [90, 90, 90], [255, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("name", ["contrast", "contrast_image"])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_contrast_shrinks_deviations_from_the_mean_of_each_channel(name: str, severity: int) -> None:
    clip = scene(0, frames=3, side=40)
    factor = CORRUPTIONS[name].levels[severity - 1]
    mean = clip.mean(axis=(1, 2), keepdims=True)
    assert np.abs(corrupt(clip, name, severity, "d", "v") - ((clip - mean) * factor + mean)).max() < 0.51


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_raises_value_in_hsv(severity: int) -> None:
    shift = CORRUPTIONS["brightness"].levels[severity - 1]
    brighter = corrupt(COLOURS, "brightness", severity, "d", "v")
    for before, after in zip(COLOURS.reshape(-1, 3), brighter.reshape(-1, 3), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(before / 255))
        expected = np.array(colorsys.hsv_to_rgb(hue, saturation, min(1, value + shift))) * 255
        assert np.abs(after - expected).max() < 0.51


@pytest.mark.parametrize("severity", SEVERITIES)
def test_saturate_maps_saturation_in_hsv(severity: int) -> None:
    factor, shift = CORRUPTIONS["saturate"].levels[severity - 1]
    changed = corrupt(COLOURS, "saturate", severity, "d", "v")
    for before, after in zip(COLOURS.reshape(-1, 3), changed.reshape(-1, 3), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(before / 255))
        expected = np.array(colorsys.hsv_to_rgb(hue, float(np.clip(saturation * factor + shift, 0, 1)), value)) * 255
        assert np.abs(after - expected).max() < 0.51


def hidden(severity: int, video: str, shape: tuple[int, int] = (224, 224)) -> np.ndarray:
    """(F, H, W) bool: what the box covers."""
    return corrupt(np.zeros((16, *shape, 3), np.uint8), "occlusion_block", severity, "d", video)[..., 0] == 128


def test_the_box_has_the_stated_area_in_every_frame() -> None:
    for severity, area in zip(SEVERITIES, CORRUPTIONS["occlusion_block"].levels, strict=True):
        assert hidden(severity, "v").mean(axis=(1, 2)) == pytest.approx(area, rel=0.01)
        assert hidden(severity, "v", (120, 160)).mean(axis=(1, 2)) == pytest.approx(area, rel=0.02)


def test_a_weaker_box_lies_inside_a_stronger_one() -> None:
    for video in map(str, range(20)):
        boxes = [hidden(severity, video, (37, 51)) for severity in SEVERITIES]
        assert all((low <= high).all() for low, high in itertools.pairwise(boxes))


def test_the_box_drifts_along_a_line() -> None:
    tops = hidden(2, "v").any(axis=2).argmax(axis=1)
    lefts = hidden(2, "v").any(axis=1).argmax(axis=1)
    for place in (tops, lefts):
        straight = np.linspace(place[0], place[-1], 16)
        assert np.abs(place - straight).max() <= 1
    assert abs(tops[-1] - tops[0]) + abs(lefts[-1] - lefts[0]) > 10
