"""Index maps and averages along time: which frames are seen, and that severities are nested."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.vjepa.corruptions.clips import numbered
from vjepa.corruptions import CORRUPTIONS, SEVERITIES, corrupt


def shown(name: str, severity: int, video: str = "v", frames: int = 16) -> np.ndarray:
    """Which source frame is shown at each position, read off the pixels."""
    return corrupt(numbered(frames), name, severity, "d", video)[:, 0, 0, 0].astype(int)


def test_a_frame_is_shown_or_its_predecessor_is_held() -> None:
    for number in range(20):
        found = shown("frame_freeze", 3, str(number))
        assert found[0] == 0
        for position in range(1, 16):
            assert found[position] in (position, found[position - 1])


def test_frozen_sets_are_nested() -> None:
    for number in range(20):
        frozen = [set(np.flatnonzero(shown("frame_freeze", s, str(number)) != np.arange(16))) for s in SEVERITIES]
        assert all(low <= high for low, high in itertools.pairwise(frozen))


def test_the_number_of_distinct_frames_follows_the_probability() -> None:
    for severity, probability in zip(SEVERITIES, CORRUPTIONS["frame_freeze"].levels, strict=True):
        distinct = [len(set(shown("frame_freeze", severity, str(number)))) for number in range(200)]
        expected = 1 + 15 * (1 - probability)
        deviation = np.sqrt(15 * probability * (1 - probability) / 200)
        assert abs(np.mean(distinct) - expected) < 4 * deviation


def test_blacked_out_sets_are_nested_and_as_large_as_stated() -> None:
    lost = np.zeros((5, 200))
    for number in range(200):
        dark = [set(np.flatnonzero(shown("frame_blackout", s, str(number)) == 128)) for s in SEVERITIES]
        assert all(low <= high for low, high in itertools.pairwise(dark))
        lost[:, number] = [len(frames) for frames in dark]
    for mean, probability in zip(lost.mean(axis=1), CORRUPTIONS["frame_blackout"].levels, strict=True):
        assert abs(mean - 16 * probability) < 4 * np.sqrt(16 * probability * (1 - probability) / 200)


def test_a_lower_rate_holds_frames() -> None:
    assert shown("frame_rate", 2).tolist() == [0, 0, 0, 3, 3, 3, 6, 6, 6, 9, 9, 9, 12, 12, 12, 15]
    assert [len(set(shown("frame_rate", severity))) for severity in SEVERITIES] == [8, 6, 4, 3, 2]
    assert [len(set(shown("sampling", severity))) for severity in SEVERITIES] == [8, 4, 2, 1, 1]


@pytest.mark.parametrize(("severity", "rate"), list(zip(SEVERITIES, (10, 8, 6, 4, 2), strict=True)))
def test_a_rate_in_seconds_shows_so_many_frames_and_none_of_the_future(severity: int, rate: int) -> None:
    found = shown("frame_rate_fps", severity, frames=48)
    assert len(set(found)) == 4 * rate
    assert (found <= np.arange(48)).all() and (np.arange(48) - found).max() < 12 / rate + 1
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize(("severity", "half"), list(zip(SEVERITIES, (1, 2, 3, 4, 6), strict=True)))
@pytest.mark.parametrize("frames", [16, 32])
def test_temporal_blur_averages_its_window(severity: int, half: int, frames: int) -> None:
    half = half * frames // 16
    clip = np.random.default_rng(0).integers(0, 256, (frames, 3, 4, 3), dtype=np.uint8)
    padded = np.concatenate([clip[:1]] * half + [clip] + [clip[-1:]] * half).astype(float)
    expected = np.stack([padded[i : i + 2 * half].mean(axis=0) for i in range(frames)])
    assert np.abs(corrupt(clip, "temporal_blur", severity, "d", "v") - expected).max() <= 0.5


def test_half_widths_of_short_clips_are_halved_and_at_least_one() -> None:
    impulse = np.zeros((8, 1, 1, 3), np.uint8)
    impulse[4] = 240
    width = [int((corrupt(impulse, "temporal_blur", s, "d", "v")[:, 0, 0, 0] > 0).sum()) for s in SEVERITIES]
    assert width == [2, 2, 4, 4, 6]
