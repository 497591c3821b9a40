"""x264: a reproducible stream, more loss at a higher rate factor."""

from __future__ import annotations

import re

import numpy as np

from vjepa.corruptions import corrupt
from vjepa.corruptions.codec import x264_version


def test_the_picture_survives_a_low_rate_factor() -> None:
    y, x = np.mgrid[:48, :64]
    smooth = (x * 2 + y).astype(np.uint8)
    clip = np.repeat(np.repeat(smooth[None, ..., None], 3, axis=-1), 4, axis=0)
    error = np.abs(corrupt(clip, "h264_crf", 1, "d", "v").astype(int) - clip)
    assert 0 < error.mean() < 3


def test_frames_come_back_in_order() -> None:
    levels = np.arange(20, 240, 20, dtype=np.uint8)
    clip = np.broadcast_to(levels[:, None, None, None], (len(levels), 33, 31, 3))
    means = corrupt(clip, "h264_crf", 3, "d", "v").mean(axis=(1, 2, 3))
    assert np.abs(means - levels).max() < 10


def test_repeated_encodes_are_identical() -> None:
    clip = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    results = {corrupt(clip, "h264_crf", 5, "d", "v").tobytes() for _ in range(12)}
    assert len(results) == 1


def test_the_build_of_x264_is_known() -> None:
    assert re.fullmatch(r"x264 \d+", x264_version())
