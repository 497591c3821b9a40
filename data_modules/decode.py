"""Reads video files frame by frame in presentation order, or says precisely why it cannot.

One decoder thread and one reused converter: per-frame converters and frame threads are both slower
when every worker process decodes a file of its own.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from vjepa.errors import UserError


class BrokenVideo(UserError):
    """A video file that cannot be used.

    Args:
        path: the file.
        reason: what is wrong with it, as the end of a sentence.
    """

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = Path(path)
        self.reason = reason

    def __reduce__(self) -> tuple[type[BrokenVideo], tuple[Path, str]]:
        # An exception that crosses from a worker process is rebuilt from its arguments.
        return type(self), (self.path, self.reason)


def uniform_indices(num_available: int, num_frames: int) -> NDArray[np.int64]:
    """Return which frames an evaluation clip takes: evenly spaced, first and last included.

    A video shorter than the clip is used whole and its last frame repeated.

    Args:
        num_available: frames in the video, >= 1.
        num_frames: frames wanted, >= 1.

    Returns:
        (num_frames,) int64, ascending, in [0, num_available).
    """
    if num_available < num_frames:
        return np.minimum(np.arange(num_frames), num_available - 1)
    return np.linspace(0, num_available - 1, num_frames).astype(np.int64)


def decode_video(path: Path | str, num_frames: int | None = None) -> NDArray[np.uint8]:
    """Decode every frame of a video.

    Args:
        path: the file.
        num_frames: how many frames it must have; None accepts any number.

    Returns:
        (F, H, W, 3) uint8, RGB, in presentation order, upright.

    Raises:
        BrokenVideo: the file is missing, empty, not a video, truncated, corrupt or of another length.
    """
    path = Path(path)
    if not path.is_file():
        raise BrokenVideo(path, "no such file")
    if path.stat().st_size == 0:
        raise BrokenVideo(path, "the file is empty")
    try:
        frames = _decode(path)
    except av.FFmpegError as error:
        raise BrokenVideo(path, f"cannot be decoded ({error.strerror or error})") from error
    if num_frames is not None and len(frames) != num_frames:
        raise BrokenVideo(path, f"has {len(frames)} frames, expected {num_frames}")
    return frames


def decode_uniform(path: Path | str, num_frames: int) -> NDArray[np.uint8]:
    """Decode an evaluation clip: ``num_frames`` evenly spaced frames of the whole video.

    Args:
        path: the file.
        num_frames: frames wanted, >= 1.

    Returns:
        (num_frames, H, W, 3) uint8, RGB.

    Raises:
        BrokenVideo: as ``decode_video``.
    """
    frames = decode_video(path)
    return frames[uniform_indices(len(frames), num_frames)]


def _decode(path: Path) -> NDArray[np.uint8]:
    reformatter = VideoReformatter()
    images: list[NDArray[np.uint8]] = []
    with av.open(str(path)) as container:
        if not container.streams.video:
            raise BrokenVideo(path, "has no video stream")
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        announced = stream.frames
        packets = list(container.demux(stream))
        held = sum(packet.size > 0 for packet in packets)
        # Only MP4 and its relatives announce, and hold, exactly one packet per frame.
        counted = "mp4" in container.format.name
        if counted and held < announced:
            raise BrokenVideo(path, f"is truncated: {held} of {announced} announced frames are in the file")
        for packet in packets:
            for frame in packet.decode():
                if frame.is_corrupt:
                    raise BrokenVideo(path, f"frame {len(images)} is corrupt")
                rgb = reformatter.reformat(frame, format="rgb24", threads=1)
                image = np.asarray(rgb.to_ndarray(), dtype=np.uint8)
                if frame.rotation:  # degrees counter-clockwise, as a player would show it
                    image = np.rot90(image, round(frame.rotation / 90))
                if images and image.shape != images[0].shape:
                    raise BrokenVideo(path, f"changes size from {images[0].shape} to {image.shape}")
                images.append(image)
        wanted = sum(packet.size > 0 and not packet.is_discard for packet in packets)
    if not images:
        raise BrokenVideo(path, "has no frames")
    if counted and len(images) < wanted:
        raise BrokenVideo(path, f"only {len(images)} of {wanted} frames can be decoded")
    # The decoder emits frames in display order; sorting by pts would scramble files whose timestamps lie.
    return np.stack(images)
