"""Shuffles: permutations that stay in their windows, as disordered as stated."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.vjepa.corruptions.clips import numbered
from vjepa.corruptions import SEVERITIES, corrupt


def shown(name: str, severity: int, video: str = "v", frames: int = 16) -> np.ndarray:
    return corrupt(numbered(frames), name, severity, "d", video)[:, 0, 0, 0].astype(int)


def disorder(name: str, severity: int, frames: int = 16, videos: int = 200) -> float:
    """Share of the pairs of frames that are shown in the wrong order."""
    found = np.stack([shown(name, severity, str(video), frames) for video in range(videos)])
    first, second = np.triu_indices(frames, 1)
    return float((found[:, first] > found[:, second]).mean())


@pytest.mark.parametrize(("severity", "window"), list(zip(SEVERITIES, (2, 3, 4, 8, 16), strict=True)))
def test_frames_stay_in_their_window(severity: int, window: int) -> None:
    for video in map(str, range(20)):
        found = shown("local_shuffle", severity, video)
        assert sorted(found) == list(range(16))
        assert (found // window == np.arange(16) // window).all()


def test_the_disorder_is_that_of_the_protocol() -> None:
    found = [disorder("local_shuffle", severity) for severity in SEVERITIES]
    assert found == pytest.approx([0.03, 0.06, 0.10, 0.23, 0.50], abs=0.015)
    assert all(low < high for low, high in itertools.pairwise(found))


def test_windows_scale_with_the_number_of_frames() -> None:
    assert (shown("local_shuffle", 5, frames=32) // 32 == 0).all()
    assert disorder("local_shuffle", 5, frames=32, videos=50) == pytest.approx(0.5, abs=0.05)
    # At 8 frames windows of 2 and 3 are 2 at least, and that of 16 is the whole clip.
    for severity in (1, 2, 3):
        assert (shown("local_shuffle", severity, frames=8) // 2 == np.arange(8) // 2).all()
    assert disorder("local_shuffle", 5, frames=8, videos=100) == pytest.approx(0.5, abs=0.05)


def test_jumbling_runs_backwards_and_box_jumbling_stops() -> None:
    jumble = [disorder("jumbling", severity) for severity in SEVERITIES]
    assert jumble == pytest.approx([0.5, 0.5, 0.23, 0.10, 0.03], abs=0.02)
    box = [disorder("box_jumbling", severity) for severity in SEVERITIES]
    assert box[:2] == pytest.approx([0.389, 0.276], abs=0.05) and box[2:] == [0, 0, 0]


def test_box_jumbling_keeps_the_order_within_a_box() -> None:
    for video in map(str, range(10)):
        boxes = shown("box_jumbling", 1, video).reshape(4, 4)
        assert (np.diff(boxes, axis=1) == 1).all() and sorted(boxes[:, 0]) == [0, 4, 8, 12]


def test_reverse_and_static() -> None:
    assert shown("reverse", 1).tolist() == list(range(15, -1, -1))
    assert shown("reverse_sampling", 2).tolist() == [12] * 4 + [8] * 4 + [4] * 4 + [0] * 4
    assert set(shown("static", 1)) == {8}
    assert set(shown("static", 1, frames=5)) == {2}
