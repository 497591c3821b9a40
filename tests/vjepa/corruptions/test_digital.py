"""Pixelation, elastic distortion and JPEG against other ways to compute them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from tests.vjepa.corruptions.clips import mean_square, scene
from vjepa.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from vjepa.corruptions.digital import elastic_transform


@pytest.mark.parametrize("shape", [(224, 224), (64, 96)])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_pixelate_is_pillows_box_filter(shape: tuple[int, int], severity: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    factor = CORRUPTIONS["pixelate"].levels[severity - 1]
    small = Image.fromarray(picture).resize((int(shape[1] * factor), int(shape[0] * factor)), Image.Resampling.BOX)
    expected = np.asarray(small.resize((shape[1], shape[0]), Image.Resampling.NEAREST)).astype(int)
    # Pillow rounds after each axis.
    assert np.abs(corrupt(picture[None], "pixelate", severity, "d", "v")[0] - expected).max() <= 1


def test_jpeg_loses_more_at_a_lower_quality_and_treats_frames_alone() -> None:
    clip = scene(0, frames=3, side=64)
    errors = [mean_square(corrupt(clip, "jpeg_compression", severity, "d", "v"), clip) for severity in SEVERITIES]
    assert 0 < errors[0] < 600
    assert all(low < high for low, high in itertools.pairwise(errors))
    alone = corrupt(clip[1:2], "jpeg_compression", 3, "d", "v")[0]
    assert np.array_equal(corrupt(clip, "jpeg_compression", 3, "d", "v")[1], alone)


def test_jpeg_keeps_the_order_of_channels() -> None:
    red = np.zeros((1, 16, 16, 3), np.uint8)
    red[..., 0] = 200
    assert np.abs(corrupt(red, "jpeg_compression", 1, "d", "v").astype(int) - red).max() < 25


def test_no_draws_leave_the_picture_as_it_is() -> None:
    clip = torch.from_numpy(scene(0, frames=2, side=48))[None]
    still = elastic_transform(clip, (488, 10, 20), torch.zeros(1, 3, 2), torch.zeros(1, 2, 48, 48))
    assert torch.equal(still, clip)


def test_the_shear_moves_the_three_points_as_drawn() -> None:
    side = 224
    corners = torch.zeros(1, 3, 2)
    corners[..., 0] = 1.0
    clip = torch.zeros(1, 1, side, side, 3, dtype=torch.uint8)
    clip[0, 0, 100, 50] = 255
    moved = elastic_transform(clip, (0.0, 10.0, 20.0), corners, torch.zeros(1, 2, side, side))
    # All three by +20 pixels along x: a translation.
    assert moved[0, 0, 100, 70].tolist() == [255] * 3 and moved.int().sum() == 3 * 255


def test_displacements_are_the_same_in_all_frames_and_scale_with_the_side() -> None:
    still = np.repeat(scene(5, frames=1, side=64), 3, axis=0)
    damaged = corrupt(still, "elastic_transform", 5, "d", "v")
    assert (damaged == damaged[0]).all() and mean_square(damaged, still) > 1
