"""Which frames of a video make a training clip: index rules without any decoding.

F frames per clip, n frames in the video, s the step between the frames of a clip.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vjepa.errors import UserError, unknown_name

FpsRule = Literal["nearest", "integer_step"]
FPS_RULES: tuple[FpsRule, ...] = ("nearest", "integer_step")


@dataclass(frozen=True)
class FrameSampling:
    """How far apart the frames of a clip lie: a fixed step, or a rate in frames per second.

    A step s takes F*s frames of the video from a random start a and reads floor(linspace(a, a + F*s, F)) of them, the
    end clipped to the last of those frames: step 2 gives 0, 2, ..., 14, 17, ..., 31. A video of n <= F*s frames is read
    from its start with its last frame repeated.

    Args:
        num_frames: F, >= 1.
        frame_step: s, >= 1; exactly one of ``frame_step`` and ``fps`` is set.
        fps: rate of the clip in frames per second, > 0.
        fps_rule: with ``fps``. ``nearest`` (also None) takes the frame nearest to each asked time and shows a frame
            twice where the video is slower. ``integer_step`` turns the rate into the step
            floor(ceil(native fps) / fps): 16 frames per second of a video of 25 are every frame of it.

    Raises:
        UserError: a value is out of range, or not exactly one of step and rate is set.

    Source: the study's video data set (``integer_step``); golden case data.npz, frame_index_cases.
    Differs: a rate that a video is too slow for names the video's rate and the fix.
    """

    num_frames: int
    frame_step: int | None = None
    fps: float | None = None
    fps_rule: FpsRule | None = None

    def __post_init__(self) -> None:
        if self.num_frames < 1:
            raise UserError(f"num_frames is {self.num_frames}; expected 1 or more")
        if (self.frame_step is None) == (self.fps is None):
            raise UserError(f"frame_step is {self.frame_step} and fps is {self.fps}: set exactly one of them")
        if self.frame_step is not None and self.frame_step < 1:
            raise UserError(f"frame_step is {self.frame_step}; expected 1 or more")
        if self.fps is not None and not (math.isfinite(self.fps) and self.fps > 0):
            raise UserError(f"fps is {self.fps}; expected a rate above 0")
        if self.fps_rule is not None and self.fps_rule not in FPS_RULES:
            raise unknown_name("fps_rule", self.fps_rule, FPS_RULES)

    def clip_indices(self, num_available: int, native_fps: float, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the frames of one random clip.

        Args:
            num_available: n, frames in the video, >= 1.
            native_fps: rate of the video in frames per second; read only where ``fps`` is set.
            rng: draws the start.

        Returns:
            (F,) int64, ascending, in [0, n).

        Raises:
            UserError: as ``num_starts``.
        """
        start = int(rng.integers(self.num_starts(num_available, native_fps)))
        return self.indices_from(start, num_available, native_fps)

    def num_starts(self, num_available: int, native_fps: float) -> int:
        """Return how many starts a clip can have, 1 for a video that is shorter than a clip.

        Raises:
            UserError: ``integer_step`` cannot reach the rate, or the video's rate is unknown.
        """
        stride = self.stride(native_fps)
        if self._by_step:
            # The study draws the end below n, so that the very last frame of a longer video is never read.
            return max(1, num_available - self.num_frames * int(stride))
        return max(0, math.floor(num_available - 1 - (self.num_frames - 1) * stride)) + 1

    def indices_from(self, start: int, num_available: int, native_fps: float) -> NDArray[np.int64]:
        """Return the frames of the clip with a given start, 0 <= start < ``num_starts``; (F,) int64, ascending."""
        stride = self.stride(native_fps)
        if self._by_step:
            return _study_indices(start, num_available, self.num_frames, int(stride))
        asked = start + stride * np.arange(self.num_frames)
        return np.minimum(np.floor(asked + 0.5).astype(np.int64), num_available - 1)

    def stride(self, native_fps: float) -> float:
        """Return s, frames of the video per frame of the clip.

        Raises:
            UserError: as ``num_starts``.
        """
        if self.frame_step is not None:
            return self.frame_step
        assert self.fps is not None
        if not (math.isfinite(native_fps) and native_fps > 0):
            raise UserError(f"the video says it has {native_fps} frames per second; set frame_step instead of fps")
        if self.fps_rule != "integer_step":
            return native_fps / self.fps
        step = int(math.ceil(native_fps) // self.fps)
        if step < 1:
            raise UserError(
                f"a video of {native_fps:g} frames per second is too slow for fps {self.fps:g} with fps_rule "
                "integer_step; lower fps, set frame_step, or take fps_rule nearest"
            )
        return step

    @property
    def _by_step(self) -> bool:
        return self.frame_step is not None or self.fps_rule == "integer_step"


def _study_indices(start: int, num_available: int, num_frames: int, step: int) -> NDArray[np.int64]:
    length = num_frames * step
    if num_available > length:
        end = start + length
        return np.clip(np.linspace(start, end, num_frames), start, end - 1).astype(np.int64)
    read = num_available // step
    indices = np.linspace(0, num_available, read)
    indices = np.concatenate([indices, np.full(num_frames - read, num_available)])
    return np.clip(indices, 0, num_available - 1).astype(np.int64)
