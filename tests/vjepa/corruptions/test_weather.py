"""Fog, frost, snow and rain: formulas, constancy over the clip, scaling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vjepa.corruptions import CORRUPTIONS, SEVERITIES, corrupt, keyed_generator
from vjepa.corruptions.weather import plasma

GREY = np.full((4, 64, 64, 3), 100, np.uint8)


def slow_plasma(uniform: np.ndarray, decay: float) -> np.ndarray:
    """Diamond-square point by point, on a torus."""
    size = len(uniform)
    field = np.zeros((size, size))
    weight, step = 100.0, size
    while step >= 2:
        half = step // 2
        for y in range(half, size, step):
            for x in range(half, size, step):
                corners = [field[(y + a) % size, (x + b) % size] for a in (-half, half) for b in (-half, half)]
                field[y, x] = sum(corners) / 4 + weight**2 * (2 * uniform[y, x] - 1)
        for y in range(0, size, half):
            for x in range((y + half) % step, size, step):
                near = [
                    field[(y + a) % size, (x + b) % size] for a, b in ((-half, 0), (half, 0), (0, -half), (0, half))
                ]
                field[y, x] = sum(near) / 4 + weight**2 * (2 * uniform[y, x] - 1)
        weight, step = weight / decay, half
    field -= field.min()
    return field / field.max()


@pytest.mark.parametrize("decay", [2, 1.4])
def test_plasma_is_diamond_square(decay: float) -> None:
    uniform = np.random.default_rng(0).random((2, 16, 16))
    found = plasma(torch.from_numpy(uniform), decay).numpy()
    for field, draws in zip(found, uniform, strict=True):
        assert np.allclose(field, slow_plasma(draws, decay))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_fog_is_one_field_added_and_rescaled(severity: int) -> None:
    clip = np.random.default_rng(0).integers(0, 200, (3, 40, 50, 3), dtype=np.uint8)
    amount, decay = CORRUPTIONS["fog"].levels[severity - 1]
    uniform = keyed_generator("d", "v", "fog").random((64, 64), dtype=np.float32)
    field = plasma(torch.from_numpy(uniform)[None], decay)[0].numpy()[:40, :50, None]
    brightest = clip.max(axis=(1, 2, 3), keepdims=True) / 255
    expected = (clip / 255 + amount * field) * brightest / (brightest + amount) * 255
    assert np.abs(corrupt(clip, "fog", severity, "d", "v") - expected).max() < 0.51


@pytest.mark.parametrize("name", ["fog", "frost", "snow"])
def test_a_still_clip_stays_still(name: str) -> None:
    damaged = corrupt(GREY, name, 3, "d", "v")
    assert (damaged == damaged[0]).all()
    assert damaged.std() > 3


def test_frost_is_bluish_ice_in_the_stated_proportion() -> None:
    black, white = np.zeros_like(GREY), np.full_like(GREY, 255)
    ice = corrupt(black, "frost", 1, "d", "v").astype(float)
    assert ice.mean(axis=(0, 1, 2)) / 0.4 == pytest.approx(np.array([133, 155, 166]), rel=0.25)
    assert ice[..., 2].mean() > ice[..., 0].mean()
    for severity, (clear, weight) in zip(SEVERITIES, CORRUPTIONS["frost"].levels, strict=True):
        expected = np.clip(255 * clear + ice / 0.4 * weight, 0, 255)
        assert np.abs(corrupt(white, "frost", severity, "d", "v") - expected).max() <= 1 + 1.5 * weight / 0.4


def test_snow_falls_and_its_mirror_image_rises() -> None:
    black = np.zeros((1, 224, 224, 3), np.uint8)
    flakes = corrupt(black, "snow", 1, "d", "v")[0, ..., 0].astype(float)
    flakes -= np.median(flakes)
    assert np.array_equal(flakes, flakes[::-1, ::-1])
    roughness = [np.abs(np.diff(flakes, axis=axis)).mean() for axis in (0, 1)]
    assert roughness[0] < roughness[1]


def test_rain_is_redrawn_in_every_frame_with_the_stated_drops() -> None:
    black = np.zeros((4, 224, 224, 3), np.uint8)
    rainy = corrupt(black, "rain", 1, "d", "v")[..., 0]
    assert len({frame.tobytes() for frame in rainy}) == 4
    # 65 streaks of 11 pixels, blurred within themselves: they hardly overlap.
    wet = (rainy > rainy.min()).mean(axis=(1, 2)) * 224**2
    assert (wet > 0.9 * 65 * 11).all() and (wet <= 65 * 11).all()


def test_rain_darkens_towards_the_mean_and_covers_alike_at_any_side() -> None:
    assert abs(int(corrupt(GREY, "rain", 1, "d", "v").mean()) - 100) < 15
    cover = []
    for side in (112, 224):
        black = np.zeros((8, side, side, 3), np.uint8)
        damaged = corrupt(black, "rain", 4, "d", "v")[..., 0]
        cover.append((damaged > damaged.min(axis=(1, 2), keepdims=True)).mean())
    # Half as long streaks of the same width on a quarter of the area.
    assert cover[0] == pytest.approx(2 * cover[1], rel=0.15)
