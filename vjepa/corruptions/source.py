"""Clips that can still be damaged where rob-v1 says: in the frames of their video, before sampling and cropping.

Of a long video not all frames are kept. Compression and transmission get ``native_numbers``: the frames from the first
to the last of the clip, at most ``NATIVE_PER_SAMPLED`` for each frame of the clip, evenly spaced. That bounds memory
and time; a longer video is compressed as if it had been recorded at a lower rate. Averages over time get
``seen_numbers``: every frame of the video that any of them asks for, however long it is. They are taken of frames that
are already resized and cropped, which differs from resizing averages by the rounding of each, at most one grey level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vjepa.corruptions.base import SourceCorruption, average_frames
from vjepa.corruptions.registry import CORRUPTIONS, corrupt, corrupt_batch, corruption

NATIVE_PER_SAMPLED = 4
"""Most frames that are compressed for each frame of a clip."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Some frames of a video.

    Args:
        numbers: (N,) int64, ascending, of these frames in the video.
        pictures: (N, H_px, W_px, 3) uint8.
    """

    numbers: NDArray[np.int64]
    pictures: NDArray[np.uint8]

    def places(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where frames of the video stand among these; beyond the first and the last, those stand in.

        Raises:
            ValueError: a frame between them is not there.
        """
        inside = np.clip(numbers, self.numbers[0], self.numbers[-1])
        found = np.searchsorted(self.numbers, inside)
        if not np.array_equal(self.numbers[found], inside):
            raise ValueError(f"frames {np.setdiff1d(inside, self.numbers).tolist()} of the video were not kept")
        return found


@dataclass(frozen=True, eq=False)
class SourceClip:
    """A clip with the frames of its video that corruptions act on.

    Args:
        sampled: (F,) int64, F >= 1, numbers of its frames in the video.
        native: frames at the resolution of the video, ``native_numbers`` of them.
        seen: frames as the model sees them, ``seen_numbers`` of them.
        view: from a frame (H_px, W_px, 3) to what the model sees of it (h_px, w_px, 3), both uint8.
    """

    sampled: NDArray[np.int64]
    native: Frames
    seen: Frames
    view: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

    @classmethod
    def of_clip(cls, frames: NDArray[np.uint8]) -> SourceClip:
        """A clip (F, h_px, w_px, 3) uint8 that was not made from anything else: these are all frames of the video."""
        numbers = np.arange(len(frames))
        whole = Frames(numbers, frames)
        return cls(numbers, whole, whole, _unchanged)

    def clip(self) -> NDArray[np.uint8]:
        """The clip as it is, (F, h_px, w_px, 3) uint8."""
        return self.seen.pictures[self.seen.places(self.sampled)]


def corrupt_source(
    source: SourceClip, name: str, severity: int, dataset: str, video_id: str, *, independent: bool = False
) -> NDArray[np.uint8]:
    """Damage a clip at the stage of the corruption.

    Random draws have the keys that they have for clips. Draws of the stages ``sampled`` and ``model`` fit the clip, so
    they are also the same numbers. What packet_loss_sim and bit_error draw follows the bytes of the stream: other
    packets are lost in a large picture than in the small one.

    Args:
        source: not changed; it serves any number of corruptions.
        name, severity, dataset, video_id, independent: as for ``corrupt_batch``.

    Returns:
        (F, h_px, w_px, 3) uint8; for ``SourceClip.of_clip`` what ``corrupt`` makes of the clip.

    Raises:
        UserError: unknown corruption or severity.
    """
    chosen = corruption(name, severity)
    if isinstance(chosen, SourceCorruption):
        places = source.seen.places(chosen.wanted(source.sampled, severity, len(source.sampled)))
        return average_frames(torch.from_numpy(source.seen.pictures)[None], places)[0].numpy()
    if chosen.stage == "native":
        video = torch.from_numpy(source.native.pictures)[None]
        damaged = corrupt_batch(video, name, severity, dataset, [video_id], independent=independent)[0].numpy()
        return np.stack([source.view(damaged[place]) for place in source.native.places(source.sampled)])
    return corrupt(source.clip(), name, severity, dataset, video_id, independent=independent)


def native_numbers(sampled: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the frames that are compressed for a clip, ascending.

    Args:
        sampled: (F,) int64, numbers of its frames.
    """
    own = np.unique(sampled)
    gaps = np.diff(own)
    between = [own[:-1] + gaps * part // NATIVE_PER_SAMPLED for part in range(NATIVE_PER_SAMPLED)]
    return np.unique(np.concatenate([*between, own[-1:]]))


def seen_numbers(sampled: NDArray[np.int64], num_available: int) -> NDArray[np.int64]:
    """Numbers of the frames that are averaged for a clip by any corruption, and of its own, ascending.

    Args:
        sampled: (F,) int64, numbers of its frames.
        num_available: frames in the video.
    """
    wanted = [
        item.wanted(sampled, severity, len(sampled)).ravel()
        for item in CORRUPTIONS.values()
        if isinstance(item, SourceCorruption)
        for severity in range(1, len(item.levels) + 1)
    ]
    return np.unique(np.concatenate([sampled, *wanted]).clip(0, num_available - 1))


def _unchanged(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return frame
