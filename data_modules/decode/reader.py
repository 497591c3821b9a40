"""Reads some frames of a video and decodes no more of it than they need.

The frames are those of ``decode_video``: number i is the i-th that the decoder emits when it decodes the whole file.
Where the display order is known beforehand (``PacketIndex``) decoding starts at the last key frame before the first
wanted frame and leaves out pictures that no other refers to. Every frame that comes back carries its number; one that
is missing, out of turn or damaged sends the reader back to the start of the file, to decode it in order.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from data_modules.decode.frames import BrokenVideo, announces_frames, open_video, upright_rgb
from data_modules.decode.packets import PacketIndex, index_packets
from vjepa.errors import UserError

Image = NDArray[np.uint8]
View = Callable[[Image], Image]
Choose = Callable[[int, float], NDArray[np.int64]]

_local = threading.local()


def read_clip(path: Path | str, choose: Choose, view_of: Callable[[int, int], View] | None = None) -> NDArray[np.uint8]:
    """Read the frames that ``choose`` asks for.

    Args:
        path: the file.
        choose: from the number of frames and the rate in frames per second (0 if unknown) to K frame numbers; called
            again if decoding finds another number of frames than the file promised, so it must be a pure function.
        view_of: from the height and width of an upright frame to a function that is applied to each wanted frame
            (H, W, 3) while it is still in the converter's memory, and returns an array of its own; None copies.

    Returns:
        (K, H, W, 3) uint8, RGB, or what the view makes of H and W.

    Raises:
        BrokenVideo: the file is missing, empty, not a video, truncated or damaged before the last wanted frame.
        UserError: a frame number is out of range.
    """
    path = Path(path)
    count, look_ahead, trust = None, False, True
    while True:
        try:
            with open_video(path, look_ahead) as (container, stream):
                index = index_packets(path, container, stream, look_ahead)
                if not (index.ranks or look_ahead):
                    raise _Doubt
                in_order = not (index.ranks and trust)
                wanted = _Wanted(path, choose, index, count, in_order, view_of)
                if not in_order:
                    for number, frame in decode_by_rank(stream, index, wanted.slots):
                        wanted.take(number, frame)
                    return wanted.result()
                found = _read_in_order(stream, index, wanted)
                is_exact = announces_frames(container)
        except _Doubt:
            # Once more with all that can be known of the file, then without.
            look_ahead, trust = True, not look_ahead
            continue
        if found == wanted.num_frames and not wanted.must_count:
            return wanted.result()
        if not found:
            raise BrokenVideo(path, "has no frames")
        if count is not None or (is_exact and found < wanted.num_frames):
            raise BrokenVideo(path, f"only {found} of {wanted.num_frames} frames can be decoded")
        count, trust = found, False


class _Doubt(Exception):
    """The packets do not tell the order of the frames, or the frames did not come as they tell."""


class _Wanted:
    """Collects the wanted frames of one pass over a file."""

    def __init__(
        self,
        path: Path,
        choose: Choose,
        index: PacketIndex,
        num_frames: int | None,
        in_order: bool,
        view_of: Callable[[int, int], View] | None,
    ) -> None:
        self.path = path
        self.num_frames = index.num_frames if num_frames is None else num_frames
        indices = choose(self.num_frames, index.native_fps)
        # Only a count that a first pass has made is certain where packets may hold more or less than a frame.
        self.must_count = False
        if len(indices) == 0 or indices.min() < 0 or indices.max() >= self.num_frames:
            if num_frames is not None or not in_order:
                raise UserError(f"{path}: frames {indices.tolist()} were asked for; it has {self.num_frames}")
            self.must_count, indices = True, np.array([], dtype=np.int64)
        unique, self._order = np.unique(indices, return_inverse=True)
        self.slots = {int(number): slot for slot, number in enumerate(unique)}
        self.last = int(unique[-1]) if len(unique) else self.num_frames
        self._view_of = view_of
        self._view: View | None = None
        self._shape: tuple[int, ...] | None = None
        self._frames: NDArray[np.uint8] | None = None
        self.num_missing = len(unique)

    def take(self, number: int, frame: VideoFrame) -> None:
        image = upright_rgb(frame, _reformatter())
        if self._shape is None:
            self._shape = image.shape
            self._view = None if self._view_of is None else self._view_of(*image.shape[:2])
        elif image.shape != self._shape:
            raise BrokenVideo(self.path, f"changes size from {self._shape} to {image.shape}")
        seen = image if self._view is None else self._view(image)
        if self._frames is None:
            self._frames = np.empty((len(self.slots), *seen.shape), dtype=np.uint8)
        self._frames[self.slots[number]] = seen
        self.num_missing -= 1

    def result(self) -> NDArray[np.uint8]:
        assert self._frames is not None
        in_order = np.array_equal(self._order, np.arange(len(self.slots)))
        return self._frames if in_order else self._frames[self._order]


def decode_by_rank(
    stream: VideoStream, index: PacketIndex, numbers: Collection[int]
) -> Iterator[tuple[int, VideoFrame]]:
    """Decode what is needed to see some frames of a freshly opened stream whose index has ranks.

    Args:
        stream, index: as ``open_video`` and ``index_packets`` give them.
        numbers: of the frames, at least one, all in the video.

    Yields:
        Number and frame, ascending; fewer if frames do not come as the index says, which ends in an error.
    """
    codec = stream.codec_context
    start = index.start(min(numbers))
    stop = max(place for place, rank in enumerate(index.ranks) if rank in numbers) + 1
    shown, skipping, num_missing = -1, None, len(numbers)
    for place in (*range(start, stop), None):
        if place is None:
            packet = None  # the decoder hands out the frames it has held back
        else:
            packet, rank = index.packets[place], index.ranks[place]
            if index.spare[place] and rank not in numbers:
                continue
            packet.pts = rank
            if skipping != (rank not in numbers):
                skipping = rank not in numbers
                codec.skip_frame = "NONREF" if skipping else "DEFAULT"
        for frame in _decoded(codec, packet):
            if frame.pts is None or frame.pts <= shown:
                raise _Doubt
            if frame.pts < index.ranks[start]:
                continue  # shown before the key frame, and refers to frames before it
            if shown < 0 and start > 0 and not (frame.pts == index.ranks[start] and frame.key_frame):
                raise _Doubt
            if frame.is_corrupt:
                raise _Doubt
            shown = frame.pts
            if shown in numbers:
                num_missing -= 1
                yield shown, frame
    if num_missing:
        raise _Doubt


def _decoded(codec: VideoCodecContext, packet: Packet | None) -> list[VideoFrame]:
    try:
        return codec.decode(packet)
    except av.FFmpegError as error:
        raise _Doubt from error


def _read_in_order(stream: VideoStream, index: PacketIndex, wanted: _Wanted) -> int:
    """Decode from the start; return the number of frames, which a pass that stops early takes on trust."""
    number = 0
    for packet in (*index.packets, None):
        for frame in stream.codec_context.decode(packet):
            if frame.is_corrupt:
                raise BrokenVideo(wanted.path, f"frame {number} is corrupt")
            if number in wanted.slots:
                wanted.take(number, frame)
            number += 1
        # The last frame of all is wanted only as such, so then the number must be right.
        if not wanted.num_missing and wanted.last < wanted.num_frames - 1:
            return wanted.num_frames
    return number


def _reformatter() -> VideoReformatter:
    """The converter of this thread; making one costs more than converting a frame."""
    if not hasattr(_local, "reformatter"):
        _local.reformatter = VideoReformatter()
    converter: VideoReformatter = _local.reformatter
    return converter
