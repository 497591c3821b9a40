"""Reads a clip with the frames of its video that corruptions act on, in one pass over the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_modules.clips.augment import CentreView
from data_modules.decode.reader import Image, View, read_clip
from vjepa.corruptions.source import Frames, SourceClip, native_numbers, seen_numbers


def video_source(
    path: Path | str, evaluation: Callable[[int, int], NDArray[np.int64]], num_frames: int, size: int
) -> SourceClip:
    """Read an evaluation clip of a video with what surrounds it.

    Args:
        path: of the file.
        evaluation: from (frames in the video, F) to frame numbers.
        num_frames: F, >= 1.
        size: height and width of the clip in pixels, >= 1.

    Raises:
        BrokenVideo: as ``read_clip``.
    """
    last: _Pass | None = None

    # The reader may go over a file again; what the last pass has taken counts.
    def choose(num_available: int, fps: float) -> NDArray[np.int64]:
        nonlocal last
        last = _Pass(evaluation(num_available, num_frames), num_available, size)
        return last.numbers

    def view_of(height: int, width: int) -> View:
        assert last is not None
        return last.start(height, width)

    pictures = read_clip(path, choose, view_of)
    assert last is not None
    native = Frames(last.native, np.stack(last.taken))
    return SourceClip(last.sampled, native, Frames(last.numbers, pictures), last.view)


def image_source(image: Image, num_frames: int, size: int) -> SourceClip:
    """Make a still video of F = ``num_frames`` frames from the centre of an image (H_px, W_px, 3).

    Compression gets the image once.
    """
    view, number = CentreView(image.shape[0], image.shape[1], size), np.zeros(1, np.int64)
    native = Frames(number, np.ascontiguousarray(image)[None])
    return SourceClip(np.repeat(number, num_frames), native, Frames(number, view(image)[None]), view)


class _Pass:
    """One pass over a video, which shows the wanted frames in ascending order."""

    view: CentreView

    def __init__(self, sampled: NDArray[np.int64], num_available: int, size: int) -> None:
        self.sampled, self.native = sampled, native_numbers(sampled)
        self.numbers = np.union1d(self.native, seen_numbers(sampled, num_available))
        self.taken: list[Image] = []
        self._size = size
        self._is_native = iter(np.isin(self.numbers, self.native).tolist())

    def start(self, height: int, width: int) -> View:
        self.view = CentreView(height, width, self._size)
        return self._take

    def _take(self, image: Image) -> Image:
        if next(self._is_native):
            self.taken.append(image.copy())
        return self.view(image)
