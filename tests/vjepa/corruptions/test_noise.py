"""Noise: its moments, and one field for all severities."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.vjepa.corruptions.clips import scene
from vjepa.corruptions import CORRUPTIONS, SEVERITIES, corrupt, keyed_generator

GREY = np.full((8, 64, 64, 3), 128, np.uint8)


@pytest.mark.parametrize("severity", [1, 2, 3])
def test_the_noise_has_the_stated_standard_deviation(severity: int) -> None:
    noise = corrupt(GREY, "gaussian_noise", severity, "d", "v").astype(float) - 128
    sigma = 255 * CORRUPTIONS["gaussian_noise"].levels[severity - 1]
    # Rounding adds 1/12 to the variance; clipping takes a little at severity 3 (beyond 2.8 sigma).
    assert noise.std() == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=0.02)
    assert abs(noise.mean()) < 4 * sigma / np.sqrt(noise.size) + 0.5


def test_the_noise_is_the_formula_in_single_precision() -> None:
    clip = scene(0, side=32)
    noise = keyed_generator("d", "v", "gaussian_noise").standard_normal(clip.shape, dtype=np.float32)
    expected = np.rint(noise * np.float32(255 * 0.18) + clip).clip(0, 255).astype(np.uint8)
    assert np.array_equal(corrupt(clip, "gaussian_noise", 3, "d", "v"), expected)


def test_severities_scale_one_field() -> None:
    weak = corrupt(GREY, "gaussian_noise", 1, "d", "v").astype(float) - 128
    strong = corrupt(GREY, "gaussian_noise", 2, "d", "v").astype(float) - 128
    inside = np.abs(strong) < 126
    # Both are rounded to whole grey levels: half a level each, the weaker one times 1.5.
    assert np.abs(strong - 1.5 * weak)[inside].max() <= 0.5 + 0.75 + 1e-3


def test_frames_and_channels_have_their_own_noise() -> None:
    noise = corrupt(GREY, "gaussian_noise", 3, "d", "v").astype(float) - 128
    flat = np.stack([noise[0, ..., 0].ravel(), noise[1, ..., 0].ravel(), noise[0, ..., 1].ravel()])
    correlation = np.corrcoef(flat)
    assert np.abs(correlation - np.eye(3)).max() < 4 / np.sqrt(flat.shape[1])


@pytest.mark.parametrize("name", ["shot_noise", "shot_noise_mild"])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_shot_noise_is_a_poisson_count(name: str, severity: int) -> None:
    photons = CORRUPTIONS[name].levels[severity - 1]
    dark = np.full((16, 64, 64, 3), 64, np.uint8)
    noisy = corrupt(dark, name, severity, "d", "v").astype(float)
    mean = 64 / 255 * photons
    assert noisy.mean() == pytest.approx(64, abs=4 * 255 * np.sqrt(mean / noisy.size) / photons + 0.3)
    if photons >= 12:
        assert noisy.std() == pytest.approx(255 * np.sqrt(mean) / photons, rel=0.02)
    black_share = (noisy == 0).mean()
    assert black_share == pytest.approx(np.exp(-mean), abs=4 * np.sqrt(np.exp(-mean) / noisy.size) + 2e-5)
    assert (corrupt(np.zeros((1, 8, 8, 3), np.uint8), name, severity, "d", "v") == 0).all()


def test_shot_noise_pushes_a_value_the_same_way_at_every_severity() -> None:
    noisy = [corrupt(GREY, "shot_noise", severity, "d", "v").astype(float).ravel() - 128 for severity in SEVERITIES]
    assert all(np.corrcoef(low, high)[0, 1] > 0.9 for low, high in itertools.pairwise(noisy))


def test_impulses_are_nested_half_black_and_half_white() -> None:
    hit = []
    for severity, amount in zip(SEVERITIES, CORRUPTIONS["impulse_noise"].levels, strict=True):
        noisy = corrupt(GREY, "impulse_noise", severity, "d", "v")
        hit.append(noisy != 128)
        assert set(np.unique(noisy)) == {0, 128, 255}
        deviation = np.sqrt(amount / noisy.size)
        assert abs(hit[-1].mean() - amount) < 4 * deviation
        assert abs((noisy == 0).mean() - (noisy == 255).mean()) < 4 * deviation
    assert all((low <= high).all() for low, high in itertools.pairwise(hit))


def test_speckle_grows_with_the_value() -> None:
    noisy = [corrupt(np.full((8, 64, 64, 3), value, np.uint8), "speckle_noise", 1, "d", "v") for value in (0, 50, 100)]
    assert noisy[0].max() == 0
    assert noisy[1].std() == pytest.approx(50 * 0.15, rel=0.02)
    assert noisy[2].std() == pytest.approx(100 * 0.15, rel=0.02)
