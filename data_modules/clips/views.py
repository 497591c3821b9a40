"""Several clips and several crops of a video, for evaluation that averages over them; one decode serves all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_modules.clips.augment import SideViews
from data_modules.clips.sampling import FrameSampling
from data_modules.decode.frames import uniform_indices
from data_modules.decode.images import is_image, read_image
from data_modules.decode.reader import read_clip
from vjepa.errors import UserError


@dataclass(frozen=True)
class EvaluationViews:
    """Which parts of a video an evaluation looks at.

    One clip and one crop, the default, are frames over the whole video and its centre, as the study has it.

    Args:
        num_clips: C, clips of a video, >= 1.
        num_crops: V, squares along the long side of each clip, >= 1; 3 are usual.
        num_frames: F, frames of a clip, >= 1.
        sampling: of the frames of a clip, with the same F; None spreads them over the whole video, and then C is 1.
        seed: of random starts, >= 0; None spaces the starts evenly over the video.

    Raises:
        UserError: a count is below 1, ``sampling`` has another F, or several clips would be the same one.
    """

    num_clips: int = 1
    num_crops: int = 1
    num_frames: int = 16
    sampling: FrameSampling | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        for name in ("num_clips", "num_crops", "num_frames"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}; expected 1 or more")
        if self.sampling is None and (self.num_clips > 1 or self.seed is not None):
            raise UserError(
                f"num_clips is {self.num_clips} and seed is {self.seed} without sampling: a clip is then spread over "
                "the whole video, so there is only one; set sampling"
            )
        if self.sampling is not None and self.sampling.num_frames != self.num_frames:
            raise UserError(f"num_frames is {self.num_frames}, but clips are sampled with {self.sampling.num_frames}")

    @property
    def num_views(self) -> int:
        """C * V, what a video becomes."""
        return self.num_clips * self.num_crops

    def clips(self, num_available: int, native_fps: float) -> NDArray[np.int64]:
        """Return the frames of every clip.

        Args:
            num_available: frames in the video, >= 1.
            native_fps: its rate in frames per second; read only where ``sampling`` goes by a rate.

        Returns:
            (C, F) int64, ascending in each row, in [0, num_available).

        Raises:
            UserError: as ``FrameSampling.num_starts``.
        """
        if self.sampling is None:
            return uniform_indices(num_available, self.num_frames)[None]
        if self.seed is None:
            return self.sampling.even_clips(self.num_clips, num_available, native_fps)
        rng = np.random.default_rng(self.seed)
        draws = [self.sampling.clip_indices(num_available, native_fps, rng) for _ in range(self.num_clips)]
        return np.stack(draws)


def read_views(path: Path | str, views: EvaluationViews, size: int) -> NDArray[np.uint8]:
    """Read all views of a video, or of an image as a still video.

    Each frame is decoded, converted and resized once, however many clips and crops show it. Scores of b videos come
    back as (b * C * V, ...): reshape to (b, C * V, ...) and average.

    Args:
        path: of the file.
        views: which.
        size: height and width of a view in pixels, >= 1.

    Returns:
        (C * V, F, size, size, 3) uint8, RGB; the crops of the first clip come first.

    Raises:
        BrokenVideo: as ``read_clip`` and ``read_image``.
        UserError: the frames of a clip cannot be chosen.
    """
    if is_image(path):
        image = read_image(path)
        squares = SideViews(image.shape[0], image.shape[1], size, views.num_crops)(image)
        return np.tile(squares[:, None], (views.num_clips, views.num_frames, 1, 1, 1))
    frames = read_clip(
        path,
        lambda num_available, fps: views.clips(num_available, fps).ravel(),
        lambda height, width: SideViews(height, width, size, views.num_crops),
    )
    by_clip = frames.reshape(views.num_clips, views.num_frames, views.num_crops, size, size, 3)
    return by_clip.swapaxes(1, 2).reshape(views.num_views, views.num_frames, size, size, 3)
