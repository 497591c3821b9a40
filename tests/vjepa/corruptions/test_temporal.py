"""Freezing: held frames repeat their predecessor, and severities are nested."""

from __future__ import annotations

import itertools

import numpy as np

from vjepa.corruptions import CORRUPTIONS, SEVERITIES, corrupt


def shown_frames(severity: int, video: str, frames: int = 16) -> np.ndarray:
    """Which source frame is shown at each position, read off the pixels."""
    clip = np.broadcast_to(np.arange(frames, dtype=np.uint8)[:, None, None, None], (frames, 2, 2, 3))
    return corrupt(clip, "frame_freeze", severity, "d", video)[:, 0, 0, 0].astype(int)


def test_a_frame_is_shown_or_its_predecessor_is_held() -> None:
    for number in range(20):
        shown = shown_frames(3, str(number))
        assert shown[0] == 0
        for position in range(1, 16):
            assert shown[position] in (position, shown[position - 1])


def test_frozen_sets_are_nested() -> None:
    for number in range(20):
        frozen = [set(np.flatnonzero(shown_frames(s, str(number)) != np.arange(16))) for s in SEVERITIES]
        assert all(low <= high for low, high in itertools.pairwise(frozen))


def test_the_number_of_distinct_frames_follows_the_probability() -> None:
    for severity, probability in zip(SEVERITIES, CORRUPTIONS["frame_freeze"].levels, strict=True):
        distinct = [len(set(shown_frames(severity, str(number)))) for number in range(300)]
        expected = 1 + 15 * (1 - probability)
        deviation = np.sqrt(15 * probability * (1 - probability) / 300)
        assert abs(np.mean(distinct) - expected) < 4 * deviation
