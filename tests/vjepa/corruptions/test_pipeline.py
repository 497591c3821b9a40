"""The order of operations: each corruption acts at its stage, on the right frames at the right resolution."""

from __future__ import annotations

import numpy as np
import pytest

from tests.vjepa.corruptions.clips import mean_square, numbered, scene
from vjepa.corruptions import PROFILES, SEVERITIES, corrupt, corrupt_video

VIDEO = scene(0, frames=20, side=64)
SAMPLE = np.arange(1, 20, 5)


def reduced(frame: np.ndarray) -> np.ndarray:
    """Half the side, then a crop."""
    small = frame.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    return small[4:28, 4:28]


def seen(video: np.ndarray) -> np.ndarray:
    return np.stack([reduced(frame) for frame in video])


def through(name: str, severity: int) -> np.ndarray:
    return corrupt_video(VIDEO, SAMPLE, reduced, name, severity, "d", "v")


@pytest.mark.parametrize("name", ["gaussian_noise", "fog", "occlusion_block", "jpeg_compression"])
def test_pixels_are_damaged_last_at_the_resolution_of_the_model(name: str) -> None:
    assert np.array_equal(through(name, 3), corrupt(seen(VIDEO[SAMPLE]), name, 3, "d", "v"))


@pytest.mark.parametrize("name", ["h264_crf", "packet_loss_sim"])
def test_the_whole_video_is_compressed_before_frames_are_chosen_and_reduced(name: str) -> None:
    damaged = through(name, 5)
    assert np.array_equal(damaged, seen(corrupt(VIDEO, name, 5, "d", "v")[SAMPLE]))
    assert not np.array_equal(damaged, corrupt(seen(VIDEO[SAMPLE]), name, 5, "d", "v"))


def test_compression_shows_less_after_reduction_than_on_the_small_clip() -> None:
    clean = seen(VIDEO[SAMPLE])
    for severity in (1, 3, 5):
        small = corrupt(clean, "h264_crf", severity, "d", "v")
        assert mean_square(through("h264_crf", severity), clean) < mean_square(small, clean)


@pytest.mark.parametrize("name", ["frame_freeze", "frame_blackout", "frame_rate", "local_shuffle", "reverse", "static"])
def test_index_maps_may_as_well_come_after_the_crop(name: str) -> None:
    assert np.array_equal(through(name, 1), corrupt(seen(VIDEO[SAMPLE]), name, 1, "d", "v"))


@pytest.mark.parametrize(
    ("num_frames", "halves"), [(16, (1, 2, 3, 4, 6)), (8, (1, 1, 2, 2, 3)), (32, (2, 4, 6, 8, 12))]
)
def test_temporal_blur_spans_source_frames_as_many_as_go_with_the_clip(
    num_frames: int, halves: tuple[int, ...]
) -> None:
    video, sample = numbered(160), np.linspace(20, 140, num_frames).astype(int)
    for severity, half in zip(SEVERITIES, halves, strict=True):
        clip = corrupt_video(video, sample, lambda frame: frame, "temporal_blur", severity, "d", "v")[:, 0, 0, 0]
        # The mean of frame numbers over [i - half, i + half) is i - 1/2.
        assert np.abs(clip - (sample - 0.5)).max() <= 0.5
        impulse = np.zeros_like(video)
        impulse[80] = 240
        spread = corrupt(impulse, "temporal_blur", severity, "d", "v", clip_frames=num_frames)[:, 0, 0, 0]
        assert np.flatnonzero(spread).tolist() == list(range(81 - half, 81 + half))


@pytest.mark.parametrize("name", PROFILES["full"].corruptions)
def test_the_video_stays_as_it_is(name: str) -> None:
    before = VIDEO.copy()
    clip = through(name, 1)
    assert clip.shape == (4, 24, 24, 3) and clip.dtype == np.uint8
    assert np.array_equal(VIDEO, before)


def test_a_clip_needs_a_frame() -> None:
    with pytest.raises(ValueError):
        corrupt_video(VIDEO, np.array([], dtype=np.int64), reduced, "fog", 1, "d", "v")
