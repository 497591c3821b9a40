"""Encoders: reproducible streams, more loss at a higher parameter, frames in order."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from tests.vjepa.corruptions.clips import mean_square, scene
from vjepa.corruptions import SEVERITIES, codec_versions, corrupt
from vjepa.corruptions.codec import x264_version

CODECS = ("h264_crf", "h265_crf", "mpeg2_quantiser", "mpeg4_quantiser")


@pytest.mark.parametrize("name", CODECS)
def test_the_picture_survives_the_weakest_level(name: str) -> None:
    y, x = np.mgrid[:48, :64]
    smooth = (x * 2 + y).astype(np.uint8)
    clip = np.repeat(np.repeat(smooth[None, ..., None], 3, axis=-1), 4, axis=0)
    error = np.abs(corrupt(clip, name, 1, "d", "v").astype(int) - clip)
    assert 0 < error.mean() < 4


@pytest.mark.parametrize("name", CODECS)
def test_frames_come_back_in_order(name: str) -> None:
    levels = np.arange(20, 240, 20, dtype=np.uint8)
    clip = np.broadcast_to(levels[:, None, None, None], (len(levels), 33, 31, 3))
    means = corrupt(clip, name, 3, "d", "v").mean(axis=(1, 2, 3))
    assert np.abs(means - levels).max() < 12


@pytest.mark.parametrize("name", CODECS)
def test_repeated_encodes_are_identical(name: str) -> None:
    clip = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    results = {corrupt(clip, name, 5, "d", "v").tobytes() for _ in range(12)}
    assert len(results) == 1


def test_h265_loses_more_at_each_level() -> None:
    clip = scene(0, side=64)
    errors = [mean_square(corrupt(clip, "h265_crf", severity, "d", "v"), clip) for severity in SEVERITIES]
    assert all(low < high for low, high in itertools.pairwise(errors))


@pytest.mark.parametrize(("name", "levels"), [("mpeg2_quantiser", 2), ("mpeg4_quantiser", 3)])
def test_mpeg_has_no_quantiser_above_31(name: str, levels: int) -> None:
    clip = scene(0, side=64)
    damaged = [corrupt(clip, name, severity, "d", "v").tobytes() for severity in SEVERITIES]
    assert len(set(damaged)) == levels == len(set(damaged[:levels]))


def test_the_builds_of_the_encoders_are_known() -> None:
    assert re.fullmatch(r"x264 \d+", x264_version())
    versions = codec_versions()
    assert set(versions) == {"pyav", "libavcodec", "x264", "x265"}
    assert all(re.fullmatch(r"[\d.]+", version) for version in versions.values())
