"""Gaussian noise: its scale, and one field for all severities."""

from __future__ import annotations

import numpy as np
import pytest

from vjepa.corruptions import CORRUPTIONS, corrupt

GREY = np.full((8, 64, 64, 3), 128, np.uint8)


@pytest.mark.parametrize("severity", [1, 2, 3])
def test_the_noise_has_the_stated_standard_deviation(severity: int) -> None:
    noise = corrupt(GREY, "gaussian_noise", severity, "d", "v").astype(float) - 128
    sigma = 255 * CORRUPTIONS["gaussian_noise"].levels[severity - 1]
    # Rounding adds 1/12 to the variance; clipping takes a little at severity 3 (beyond 2.8 sigma).
    assert noise.std() == pytest.approx(np.sqrt(sigma**2 + 1 / 12), rel=0.02)
    assert abs(noise.mean()) < 4 * sigma / np.sqrt(noise.size) + 0.5


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
