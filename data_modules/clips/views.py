"""Which views of a video an evaluation looks at: several clips of it, several crops of each clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data_modules.clips.augment import CentreView, SideViews
from data_modules.decode.frames import uniform_indices
from data_modules.decode.reader import View
from vjepa.errors import UserError


@dataclass(frozen=True)
class EvaluationViews:
    """C clips of a video and K crops of each, V = C * K views; the first is the one that there is by default.

    Every clip is spread over the whole video: its frames lie between those of the others. Crops are squares along the
    long side. The first view is the study's evaluation clip: frames from the first to the last, and their centre.

    Args:
        num_clips: C, >= 1. The second clip lies half a step later than the first, and so on.
        num_crops: K, odd, so that one is the centre; 3 are usual: the centre and both ends.

    Raises:
        UserError: a number is out of range.
    """

    num_clips: int = 1
    num_crops: int = 1

    def __post_init__(self) -> None:
        if self.num_clips < 1:
            raise UserError(f"eval_clips is {self.num_clips}; expected 1 or more")
        if self.num_crops < 1 or self.num_crops % 2 == 0:
            raise UserError(
                f"eval_crops is {self.num_crops}; expected an odd number (1, 3, ...): the centre is always one of them"
            )

    @property
    def num_views(self) -> int:
        """V = C * K."""
        return self.num_clips * self.num_crops

    @property
    def options(self) -> dict[str, int]:
        """What numbers depend on, as the options of a data module; nothing for one view."""
        return {"eval_clips": self.num_clips, "eval_crops": self.num_crops} if self.num_views > 1 else {}

    def clips(self, num_available: int, num_frames: int) -> NDArray[np.int64]:
        """Return the frames of every clip.

        Args:
            num_available: n, frames in the video, >= 1.
            num_frames: F, frames of a clip, >= 1.

        Returns:
            (C, F) int64, ascending in each row, in [0, n). The first row is ``uniform_indices``; the others lie parts
            of the step (n - 1) / (F - 1) before or after it, and end where the video ends. All are equal where the
            video has no frames between.
        """
        first = uniform_indices(num_available, num_frames)
        if num_available < num_frames:
            return np.tile(first, (self.num_clips, 1))
        even, step = np.linspace(0, num_available - 1, num_frames), (num_available - 1) / max(1, num_frames - 1)
        others = [np.floor(even + part * step).clip(0, num_available - 1) for part in self._parts()]
        return np.stack([first, *others]).astype(np.int64)

    def view_of(self, height: int, width: int, size: int) -> View:
        """Return what makes the crops of a frame of ``height`` x ``width`` pixels.

        Args:
            height, width: of the frame.
            size: height and width of a crop, >= 1.

        Returns:
            From (height, width, 3) to (K * size, size, 3) uint8: the crops one below the other, the centre on top.
        """
        if self.num_crops == 1:
            return CentreView(height, width, size)
        return SideViews(height, width, size, self.num_crops)

    def crops(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Take the crops of a clip apart, (F, K * h, w, 3) as ``view_of`` made them -> (K, F, h, w, 3)."""
        num_frames, height, width, channels = frames.shape
        apart = frames.reshape(num_frames, self.num_crops, height // self.num_crops, width, channels)
        return apart.swapaxes(0, 1)

    def _parts(self) -> list[float]:
        """How far the clips after the first lie from it, in steps, in (-1/2, 1/2]."""
        parts = [number / self.num_clips for number in range(1, self.num_clips)]
        return [part if part <= 0.5 else part - 1 for part in parts]


ONE_VIEW = EvaluationViews()
