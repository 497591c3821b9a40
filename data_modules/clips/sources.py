"""Reads the clips of a video with the frames of it that corruptions act on, in one pass over the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_modules.decode.reader import Image, View, read_clip
from vjepa.corruptions.source import Frames, SourceClip, native_numbers, seen_numbers

ViewOf = Callable[[int, int], View]
"""From the height and width of a frame to what the model sees of it."""


def video_sources(
    path: Path | str, choose: Callable[[int], NDArray[np.int64]], view_of: ViewOf
) -> Iterator[SourceClip]:
    """Read the evaluation clips of a video with what surrounds them, from one decode, which is over on return.

    Args:
        path: of the file.
        choose: from the number of frames in the video to those of its clips, (C, F).
        view_of: see there.

    Returns:
        The C clips; each holds frames of its own at the resolution of the video, so let go of one before the next.

    Raises:
        BrokenVideo: as ``read_clip``.
    """
    last: _Pass | None = None

    # The reader may go over a file again; what the last pass has taken counts.
    def wanted(num_available: int, fps: float) -> NDArray[np.int64]:
        nonlocal last
        last = _Pass(choose(num_available), num_available, view_of)
        return last.numbers

    def start(height: int, width: int) -> View:
        assert last is not None
        return last.start(height, width)

    pictures = read_clip(path, wanted, start)
    assert last is not None
    seen = Frames(last.numbers, pictures)
    read = last
    return (SourceClip(sampled, read.native(sampled), seen, read.view) for sampled in read.clips)


def image_source(image: Image, num_frames: int, view_of: ViewOf) -> SourceClip:
    """Make a still video of F = ``num_frames`` frames of an image (H_px, W_px, 3).

    Compression gets the image once.
    """
    view, number = view_of(image.shape[0], image.shape[1]), np.zeros(1, np.int64)
    native = Frames(number, np.ascontiguousarray(image)[None])
    return SourceClip(np.repeat(number, num_frames), native, Frames(number, view(image)[None]), view)


class _Pass:
    """One pass over a video, which shows the wanted frames in ascending order."""

    view: View

    def __init__(self, clips: NDArray[np.int64], num_available: int, view_of: ViewOf) -> None:
        self.clips = clips
        native = np.unique(np.concatenate([native_numbers(sampled) for sampled in clips]))
        self.numbers = np.unique(np.concatenate([native, *(seen_numbers(sampled, num_available) for sampled in clips)]))
        self._native = set(native.tolist())
        self._coming = iter(self.numbers.tolist())
        self._taken: dict[int, Image] = {}
        self._view_of = view_of

    def start(self, height: int, width: int) -> View:
        self.view = self._view_of(height, width)
        return self._take

    def native(self, sampled: NDArray[np.int64]) -> Frames:
        """Frames of one clip at the resolution of the video."""
        numbers = native_numbers(sampled)
        return Frames(numbers, np.stack([self._taken[number] for number in numbers.tolist()]))

    def _take(self, image: Image) -> Image:
        number = next(self._coming)
        if number in self._native:
            self._taken[number] = image.copy()
        return self.view(image)
