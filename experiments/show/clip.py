"""One file as the evaluation reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data_modules.clips.videos import VideoDataset, VideoFile
from data_modules.decode.frames import BrokenVideo, uniform_indices
from vjepa.corruptions import SourceClip, corrupt_source

DATA_NAME = "files"
"""With the name of the file the key of random draws."""


@dataclass(frozen=True, eq=False)
class ShownClip:
    """A clip with the frames of its video that corruptions act on.

    Args:
        path: of the file.
        source: as evaluation reads it.
    """

    path: Path
    source: SourceClip

    @property
    def frames(self) -> Tensor:
        """(1, F, H_px, W_px, 3) uint8."""
        return torch.from_numpy(self.source.clip())[None]

    def under(self, corruption: str, severity: int) -> Tensor:
        """The clip damaged as rob-v1 says, (1, F, H_px, W_px, 3) uint8."""
        return torch.from_numpy(corrupt_source(self.source, corruption, severity, DATA_NAME, self.path.name))[None]


def read_shown(path: Path, num_frames: int, size: int) -> ShownClip:
    """Read a video: evenly spaced frames, short side resized, centre crop; or an image as a clip of one frame.

    Args:
        path: of the file.
        num_frames: F.
        size: height and width in pixels.

    Raises:
        BrokenVideo: the file is missing, no video, or has fewer than F frames.
    """
    files = [VideoFile(path, (), path.name)]
    dataset = VideoDataset(files, (), "show", num_frames, size, evaluation=_enough_of(path))
    return ShownClip(path, dataset.read_source(0))


def _enough_of(path: Path) -> Callable[[int, int], NDArray[np.int64]]:
    """The frames of an evaluation clip; none is repeated, which would show motion that is not there."""

    def choose(num_available: int, num_frames: int) -> NDArray[np.int64]:
        if num_available < num_frames:
            raise BrokenVideo(
                path,
                f"has {num_available} frames, and the encoder was trained on clips of {num_frames}: give a longer one",
            )
        return uniform_indices(num_available, num_frames)

    return choose
