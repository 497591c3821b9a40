"""Frame numbers of training clips: the study's rule to the frame, and the nearest frames at a rate."""

from __future__ import annotations

import json

import numpy as np
import pytest

from data_modules.clips.sampling import FrameSampling
from tests.conftest import Golden
from vjepa.errors import UserError


class StudyDraws:
    """Draws as the study does, from NumPy's legacy generator."""

    def __init__(self) -> None:
        self.state = np.random.RandomState(0)

    def integers(self, high: int) -> int:
        return int(self.state.randint(0, high))


def test_the_study_reads_these_frames(golden: Golden) -> None:
    cases = json.loads(str(golden("data")["frame_index_cases"]))
    assert len(cases) == 30
    for case in cases:
        sampling = FrameSampling(case["fpc"], case["step"], case["fps"], "integer_step" if case["fps"] else None)
        if "error" in case:
            with pytest.raises(UserError, match="too slow for fps 16 with fps_rule integer_step"):
                sampling.clip_indices(case["nframes"], case["vfps"], StudyDraws())  # type: ignore[arg-type]
        else:
            indices = sampling.clip_indices(case["nframes"], case["vfps"], StudyDraws())  # type: ignore[arg-type]
            assert indices.dtype == np.int64 and indices.tolist() == case["idx"], case


def test_a_step_does_not_depend_on_the_rate() -> None:
    sampling = FrameSampling(8, frame_step=3)
    assert sampling.num_starts(100, 25.0) == sampling.num_starts(100, 0.0) == 76
    assert np.array_equal(sampling.indices_from(5, 100, 25.0), sampling.indices_from(5, 100, 12.0))


@pytest.mark.parametrize(
    ("native", "available", "start", "expected"),
    [
        (25.0, 100, 0, [0, 2, 3, 5, 6, 8]),  # 0, 1.56, 3.13, 4.69, 6.25, 7.81
        (25.0, 100, 10, [10, 12, 13, 15, 16, 18]),
        (16.0, 100, 3, [3, 4, 5, 6, 7, 8]),
        (8.0, 100, 3, [3, 4, 4, 5, 5, 6]),  # a slower video shows frames twice
        (32.0, 7, 0, [0, 2, 4, 6, 6, 6]),  # a shorter one repeats its last
        (32.0, 1, 0, [0, 0, 0, 0, 0, 0]),
    ],
)
def test_nearest_frames_at_a_rate(native: float, available: int, start: int, expected: list[int]) -> None:
    sampling = FrameSampling(6, fps=16.0, fps_rule="nearest")
    assert sampling.indices_from(start, available, native).tolist() == expected
    assert FrameSampling(6, fps=16.0).indices_from(start, available, native).tolist() == expected


@pytest.mark.parametrize("rule", ["nearest", "integer_step", None])
@pytest.mark.parametrize("available", [1, 2, 5, 31, 32, 33, 34, 200])
@pytest.mark.parametrize("native", [16.0, 23.976, 29.97, 60.0])
def test_all_starts_give_frames_of_the_video(rule: str | None, available: int, native: float) -> None:
    sampling = (
        FrameSampling(16, frame_step=2) if rule is None else FrameSampling(16, fps=16, fps_rule=rule)  # type: ignore[arg-type]
    )
    count = sampling.num_starts(available, native)
    assert count >= 1
    for start in range(count):
        indices = sampling.indices_from(start, available, native)
        assert indices.shape == (16,) and indices.dtype == np.int64
        assert indices.min() >= 0 and indices.max() < available
        assert (np.diff(indices) >= 0).all()


def test_nearest_can_reach_both_ends() -> None:
    sampling = FrameSampling(4, fps=10.0)
    last = sampling.num_starts(50, 30.0) - 1
    assert sampling.indices_from(last, 50, 30.0).tolist() == [40, 43, 46, 49]
    drawn = {int(sampling.clip_indices(50, 30.0, np.random.default_rng(seed))[0]) for seed in range(600)}
    assert drawn == set(range(last + 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "set exactly one"),
        ({"frame_step": 1, "fps": 4.0}, "set exactly one"),
        ({"frame_step": 0}, "frame_step is 0"),
        ({"fps": 0.0}, "fps is 0.0"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"fps": 4.0, "fps_rule": "nearst"}, "did you mean 'nearest'"),
        ({"num_frames": 0, "fps": 4.0}, "num_frames is 0"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        FrameSampling(**{"num_frames": 16} | arguments)  # type: ignore[arg-type]


def test_an_unknown_rate_is_named() -> None:
    with pytest.raises(UserError, match="set frame_step instead of fps"):
        FrameSampling(4, fps=4.0).num_starts(10, 0.0)
