"""Reads video files frame by frame in presentation order, or says precisely why it cannot.

One decoder thread and one reused converter: per-frame converters and frame threads are both slower
when every worker process decodes a file of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
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
    frames = np.stack(list(decode_frames(path)))
    if num_frames is not None and len(frames) != num_frames:
        raise BrokenVideo(path, f"has {len(frames)} frames, expected {num_frames}")
    return frames


# FFmpeg decodes the first frame when it opens a file, to learn what the headers may not say; with no decoder it cannot.
_NO_LOOK_AHEAD = {"codec_whitelist": "none"}

MAX_PIXELS = 2**26
"""Most pixels of a frame, twice those of 8K: a small file can unfold into more memory than a machine has."""
MAX_FRAMES = 2**20
"""Most frames of a video, ten hours of it: as many are looked through for the few that a clip takes."""
MAX_STREAMS = 64
"""Most streams of a file: the decoder of each takes memory when the file is opened."""


@contextmanager
def open_video(path: Path, look_ahead: bool = True) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file's first video stream for one decoder thread; whatever fails until it closes is a ``BrokenVideo``.

    Args:
        path: the file.
        look_ahead: whether to decode the first frame or frames meanwhile; without, a tenth of the time to read a clip
            of a short file is saved, and the stream does not know how far its decoder reorders frames.

    Yields:
        The container and the stream.

    Raises:
        BrokenVideo: the file is missing, unreadable, empty or not a video, has frames too large or too many streams,
            or fails to decode.
    """
    check_readable(path)
    try:
        # Titles of unknown encoding are common, and nothing reads them.
        options = {} if look_ahead else _NO_LOOK_AHEAD
        with av.open(str(path), options=options, metadata_errors="replace") as container:
            if len(container.streams) > MAX_STREAMS:
                raise BrokenVideo(path, f"has {len(container.streams)} streams, more than the {MAX_STREAMS} allowed")
            if not container.streams.video:
                raise BrokenVideo(path, "has no video stream")
            stream = container.streams.video[0]
            if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
                size = f"{stream.codec_context.width} x {stream.codec_context.height}"
                raise BrokenVideo(path, f"has frames of {size} pixels, more than the {MAX_PIXELS:,} that are decoded")
            stream.thread_type = "NONE"
            stream.codec_context.thread_count = 1
            yield container, stream
    except av.FFmpegError as error:
        raise BrokenVideo(path, f"cannot be decoded ({error.strerror or error})") from error


def read_packets(path: Path, container: InputContainer, stream: VideoStream) -> list[Packet]:
    """All packets of a stream, with the empty ones that flush its decoder.

    Raises:
        BrokenVideo: there are more than ``MAX_FRAMES``.
    """
    packets = list(islice(container.demux(stream), MAX_FRAMES + 2))
    if sum(packet.size > 0 for packet in packets) > MAX_FRAMES:
        raise BrokenVideo(path, f"has more than the {MAX_FRAMES:,} frames that are looked through: cut it")
    return packets


def check_readable(path: Path) -> None:
    """Raise ``BrokenVideo`` unless ``path`` is a file with something in it."""
    try:
        if not path.is_file():
            raise BrokenVideo(path, "no such file")
        if path.stat().st_size == 0:
            raise BrokenVideo(path, "the file is empty")
    except OSError as error:
        raise BrokenVideo(path, f"cannot be read ({error.strerror or error})") from error


def upright_rgb(frame: VideoFrame, reformatter: VideoReformatter) -> NDArray[np.uint8]:
    """Convert a decoded frame to RGB as a player would show it.

    Args:
        frame: of any pixel format.
        reformatter: reused from frame to frame.

    Returns:
        (H, W, 3) uint8, a view of the converter's memory that keeps it alive; rows may be padded.
    """
    rgb = reformatter.reformat(frame, format="rgb24", threads=1)
    plane = rgb.planes[0]
    image: NDArray[np.uint8] = np.ndarray(
        (rgb.height, rgb.width, 3), np.uint8, memoryview(plane), strides=(plane.line_size, 3, 1)
    )
    if frame.rotation:  # degrees counter-clockwise
        image = np.rot90(image, round(frame.rotation / 90))
    return image


def announces_frames(container: InputContainer) -> bool:
    """Whether the file announces, and holds, exactly one packet per frame: only MP4 and its relatives do."""
    return "mp4" in container.format.name


def check_whole(path: Path, container: InputContainer, stream: VideoStream, num_packets: int) -> None:
    """Raise ``BrokenVideo`` if a stream that was read to its end held fewer packets than the file announces."""
    # Unlike the number of frames in the header, the index leaves out what an edit list takes away.
    announced = len(stream.index_entries)
    if announces_frames(container) and num_packets < announced:
        raise BrokenVideo(path, f"is truncated: {num_packets} of {announced} announced frames are in the file")


def decode_frames(path: Path | str) -> Iterator[NDArray[np.uint8]]:
    """Decode the frames of a video one after the other.

    Args:
        path: the file.

    Yields:
        (H, W, 3) uint8, RGB, upright, in the order in which the decoder emits them: presentation order, also where the
        file's timestamps lie.

    Raises:
        BrokenVideo: as ``decode_video``, perhaps after the last frame.
    """
    reformatter = VideoReformatter()
    for frame in decode_pictures(path):
        yield upright_rgb(frame, reformatter).copy()


def decode_pictures(path: Path | str) -> Iterator[VideoFrame]:
    """Decode as ``decode_frames``, into the colours and the rotation that the file has.

    Args:
        path: the file.

    Yields:
        Pictures of one size, in presentation order.

    Raises:
        BrokenVideo: as ``decode_video``, perhaps after the last picture.
    """
    path = Path(path)
    size, num_frames = None, 0
    with open_video(path) as (container, stream):
        packets = read_packets(path, container, stream)
        check_whole(path, container, stream, sum(packet.size > 0 for packet in packets))
        for packet in packets:
            for frame in packet.decode():
                if frame.is_corrupt:
                    raise BrokenVideo(path, f"frame {num_frames} is corrupt")
                if size is not None and (frame.height, frame.width) != size:
                    raise BrokenVideo(path, f"changes size from {size} to {(frame.height, frame.width)}")
                size = frame.height, frame.width
                num_frames += 1
                yield frame
        wanted = sum(packet.size > 0 and not packet.is_discard for packet in packets)
        is_exact = announces_frames(container)
    if not num_frames:
        raise BrokenVideo(path, "has no frames")
    if is_exact and num_frames < wanted:
        raise BrokenVideo(path, f"only {num_frames} of {wanted} frames can be decoded")
