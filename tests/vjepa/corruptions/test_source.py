"""Clips with their video: every corruption acts at its stage, on as few frames as serve the clip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.vjepa.corruptions.clips import mean_square, numbered, scene
from vjepa.corruptions import CORRUPTIONS, SEVERITIES, corrupt, corrupt_source, corrupt_video
from vjepa.corruptions.base import SourceCorruption
from vjepa.corruptions.source import NATIVE_PER_SAMPLED, Frames, SourceClip, native_numbers, seen_numbers
from vjepa.errors import UserError

VIDEO = scene(0, frames=17, side=64)
SAMPLE = np.arange(0, 17, 4)


def reduced(frame: np.ndarray) -> np.ndarray:
    """Half the side, then a crop."""
    small = frame.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    return small[4:28, 4:28]


def source_of(
    video: np.ndarray, sample: np.ndarray, view: Callable[[np.ndarray], np.ndarray] = lambda frame: frame
) -> SourceClip:
    native, seen = native_numbers(sample), seen_numbers(sample, len(video))
    pictures = np.stack([view(frame) for frame in video[seen]])
    return SourceClip(sample, Frames(native, video[native]), Frames(seen, pictures), view)


SOURCE = source_of(VIDEO, SAMPLE, reduced)


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("frames", [8, 1])
def test_a_clip_without_a_video_is_damaged_as_a_clip(name: str, frames: int) -> None:
    clip = scene(1, frames=frames, side=32)
    severity = len(CORRUPTIONS[name].levels)
    for independent in (False, True):
        damaged = corrupt_source(SourceClip.of_clip(clip), name, severity, "d", "v", independent=independent)
        assert np.array_equal(damaged, corrupt(clip, name, severity, "d", "v", independent=independent))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_it_is_what_the_whole_video_gives(name: str) -> None:
    """The clip spans this video, and four frames between two sampled ones are all that there are."""
    severity = len(CORRUPTIONS[name].levels)
    found = corrupt_source(SOURCE, name, severity, "d", "v")
    whole = corrupt_video(VIDEO, SAMPLE, reduced, name, severity, "d", "v")
    if CORRUPTIONS[name].stage == "source":
        # Reduced frames are rounded before they are averaged, and not only after.
        assert np.abs(found.astype(int) - whole).max() <= 1 and not np.array_equal(found, SOURCE.clip())
    else:
        assert np.array_equal(found, whole)


@pytest.mark.parametrize("severity", [1, 3, 5])
def test_compression_acts_on_the_large_picture(severity: int) -> None:
    clean, found = SOURCE.clip(), corrupt_source(SOURCE, "h264_crf", severity, "d", "v")
    small = corrupt(clean, "h264_crf", severity, "d", "v")
    assert not np.array_equal(found, small)
    assert 0 < mean_square(found, clean) < mean_square(small, clean)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_source_stays_as_it_is(name: str) -> None:
    before = SOURCE.native.pictures.copy(), SOURCE.seen.pictures.copy()
    damaged = corrupt_source(SOURCE, name, 1, "d", "v")
    assert damaged.shape == (5, 24, 24, 3) and damaged.dtype == np.uint8
    assert np.array_equal(SOURCE.native.pictures, before[0]) and np.array_equal(SOURCE.seen.pictures, before[1])
    assert not np.shares_memory(damaged, SOURCE.seen.pictures)


@pytest.mark.parametrize(
    ("num_frames", "halves"), [(16, (1, 2, 3, 4, 6)), (8, (1, 1, 2, 2, 3)), (32, (2, 4, 6, 8, 12))]
)
def test_blur_counts_true_frames_of_a_long_video_by_the_clip(num_frames: int, halves: tuple[int, ...]) -> None:
    sample = np.linspace(20, 239, num_frames).astype(int)
    assert len(native_numbers(sample)) < 220, "not all frames are compressed"
    for severity, half in zip(SEVERITIES, halves, strict=True):
        reached = np.zeros((256, num_frames), bool)
        for lit in range(256):
            video = np.zeros((256, 1, 1, 3), np.uint8)
            video[lit] = 255
            reached[lit] = corrupt_source(source_of(video, sample), "temporal_blur", severity, "d", "v")[:, 0, 0, 0] > 0
        for position, number in enumerate(sample):
            assert np.flatnonzero(reached[:, position]).tolist() == list(range(number - half, number + half))


def test_blur_of_a_ramp_by_hand() -> None:
    """Frame i is 4 i grey; half-widths 1, 2, 3, 4, 6 around frames 0, 2 and 19 of twenty, 16 frames sampled."""
    video = 4 * numbered(20)
    sample = np.array([0, 2, *range(3, 16), 19])
    expected = {
        1: (0.0, 6.0, 74.0),  # (0+0)/2, (4+8)/2, (72+76)/2
        2: (1.0, 6.0, 73.0),  # (0+0+0+4)/4, (0+4+8+12)/4, (68+72+76+76)/4
        3: (2.0, 40 / 6, 72.0),  # (0*4+4+8)/6, (0+0+4+8+12+16)/6, (64+68+72+3*76)/6
        4: (3.0, 60 / 8, 71.0),  # (0*5+4+8+12)/8, (0*3+4+8+12+16+20)/8, (60+64+68+72+4*76)/8
    }
    for severity, values in expected.items():
        found = corrupt_source(source_of(video, sample), "temporal_blur", severity, "d", "v")[[0, 1, -1], 0, 0, 0]
        assert np.abs(found - np.array(values)).max() <= 0.5


def test_a_rate_in_seconds_counts_frames_of_the_video() -> None:
    sample = np.array([0, 7, 20, 59])
    found = corrupt_source(source_of(numbered(60), sample), "frame_rate_fps", 5, "d", "v")[:, 0, 0, 0]
    assert found.tolist() == [0, 6, 18, 54]


def test_what_is_compressed_is_spread_evenly_between_the_frames_of_the_clip() -> None:
    assert native_numbers(np.array([5])).tolist() == [5]
    assert native_numbers(np.array([0, 1, 2, 2, 2])).tolist() == [0, 1, 2]
    assert native_numbers(np.array([0, 3, 6])).tolist() == list(range(7))
    assert native_numbers(np.array([10, 50, 90])).tolist() == [10, 20, 30, 40, 50, 60, 70, 80, 90]
    for length in (16, 45, 61, 62, 400, 10_000):
        sample = np.linspace(0, length - 1, 16).astype(int)
        kept = native_numbers(sample)
        assert set(sample) <= set(kept) and len(kept) == min(length, 15 * NATIVE_PER_SAMPLED + 1)
        assert length < 62 or np.diff(kept).max() <= np.diff(kept).mean() + 1


def test_what_is_averaged_lies_in_the_video() -> None:
    for length in (1, 5, 45, 400):
        sample = np.minimum(np.linspace(0, length - 1, 16).astype(int), length - 1)
        seen = seen_numbers(sample, length)
        assert set(sample) <= set(seen) and seen[0] == 0 and seen[-1] == length - 1
        assert len(seen) == length if length <= 45 else len(seen) <= 12 * 16


def test_only_averages_over_time_act_between_compression_and_sampling() -> None:
    at_source = {name for name, item in CORRUPTIONS.items() if item.stage == "source"}
    assert at_source == {name for name, item in CORRUPTIONS.items() if isinstance(item, SourceCorruption)}


def test_a_frame_that_was_not_kept_is_not_made_up() -> None:
    frames = Frames(np.array([2, 5, 9]), np.zeros((3, 1, 1, 3), np.uint8))
    assert frames.places(np.array([[0, 5], [9, 12]])).tolist() == [[0, 1], [2, 2]]
    with pytest.raises(ValueError, match=r"frames \[6\] of the video were not kept"):
        frames.places(np.array([6]))


def test_bad_conditions_are_named() -> None:
    with pytest.raises(UserError, match="did you mean 'h264_crf'"):
        corrupt_source(SOURCE, "h264_crv", 1, "d", "v")
    for name in ("h264_crf", "temporal_blur", "fog"):
        with pytest.raises(UserError, match="severity 6 does not exist"):
            corrupt_source(SOURCE, name, 6, "d", "v")
