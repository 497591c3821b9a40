"""What a video file holds before any frame is decoded: its packets, and which frame each of them shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from av.bitstream import BitStreamFilterContext
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from data_modules.decode.frames import BrokenVideo, check_whole, read_packets

# Codecs whose packets show exactly one frame each; the second kind never in another order than that of the packets.
_REORDERING = {"h264", "hevc", "mpeg4"}
_IN_ORDER = {"vp9", "av1", "libdav1d"}
# Containers that state the display time of every packet.
_TIMED = ("mp4", "matroska")
_VOP_START, _GROUP_START = b"\x00\x00\x01\xb6", b"\x00\x00\x01\xb3"
_INTRA, _BIDIRECTIONAL = 0, 2
# The last letter of the encoder's name says that pictures are packed; unpacking takes it away here and there.
_PACKED = re.compile(rb"(DivX\d+(?:b|Build)\d+)[p\0]")
# An MPEG-4 picture that repeats the last one has no content and shows no frame; a coded one can be as short.
_MAX_EMPTY_VOP = 19


@dataclass(frozen=True)
class PacketIndex:
    """The packets of a video stream in decoding order.

    Args:
        packets: P packets, none of them empty.
        ranks: P numbers: which frame of the video a packet shows; -1 for one that an edit list hides. Empty where
            the file does not tell, so that only decoding from its start does.
        keys: P flags: decoding can start here.
        spare: P flags: no other packet needs this one, for sure.
        num_frames: frames that the packets promise; decoding has the last word.
        native_fps: average rate in frames per second, 0 if the file states none.
    """

    packets: tuple[Packet, ...]
    ranks: tuple[int, ...]
    keys: tuple[bool, ...]
    spare: tuple[bool, ...]
    num_frames: int
    native_fps: float

    def start(self, rank: int) -> int:
        """Return where to start decoding in order to see frame ``rank``, 0 if no key frame precedes it."""
        found = [place for place, (key, shown) in enumerate(zip(self.keys, self.ranks)) if key and 0 <= shown <= rank]
        return found[-1] if found else 0


def index_packets(path: Path, container: InputContainer, stream: VideoStream, look_ahead: bool = True) -> PacketIndex:
    """Read all packets of a freshly opened stream and work out their display order.

    Args:
        path: of the file, for messages.
        container, stream, look_ahead: as with ``open_video``.

    Returns:
        The index; its ``ranks`` are empty unless they are beyond doubt. Looking ahead makes them known for H.264
        without bidirectional pictures, and unknown for MPEG-4 in AVI, whose packets are then as the file has them.

    Raises:
        BrokenVideo: no packet, fewer than the file announces, or more than are looked through.
    """
    packets = [packet for packet in read_packets(path, container, stream) if packet.size > 0]
    if not packets:
        raise BrokenVideo(path, "has no frames")
    check_whole(path, container, stream, len(packets))
    rate = stream.average_rate or stream.guessed_rate
    fps = float(rate) if rate else 0.0
    codec = stream.codec_context
    if codec.name == "mpeg4" and container.format.name == "avi" and not look_ahead:
        return _index_of_kinds(_unpacked(packets, stream), fps)
    keys = tuple(packet.is_keyframe for packet in packets)
    ranks: tuple[int, ...] = ()
    if keys[0] and any(name in container.format.name for name in _TIMED):
        if codec.name in _REORDERING:
            ranks = _ranks_by_time(packets, not look_ahead or codec.has_b_frames)
        elif codec.name in _IN_ORDER:
            ranks = _ranks_by_time(packets, False)
    num_shown = sum(not packet.is_discard for packet in packets)
    if not num_shown:
        raise BrokenVideo(path, "has no frames")
    return PacketIndex(tuple(packets), ranks, keys, (False,) * len(packets), num_shown, fps)


def _index_of_kinds(packets: list[Packet], fps: float) -> PacketIndex:
    """Index MPEG-4 pictures, whose container states neither display times nor, in truth, key frames."""
    kinds, headers = zip(*map(_parse_vop, packets))
    ranks = () if any(packet.size <= _MAX_EMPTY_VOP for packet in packets) else _ranks_by_kind(kinds)
    # A picture without the headers of the first, which name the encoder, would be decoded in another way.
    keys = tuple(kind == _INTRA and header == headers[0] for kind, header in zip(kinds, headers))
    spare = tuple(kind == _BIDIRECTIONAL for kind in kinds)
    return PacketIndex(tuple(packets), ranks, keys, spare, len(packets), fps)


def _ranks_by_time(packets: list[Packet], may_reorder: bool) -> tuple[int, ...]:
    times = [packet.pts for packet in packets if packet.pts is not None]
    if len(set(times)) < len(packets):
        return ()
    if may_reorder and times == sorted(times):
        return ()  # a stream that reorders frames, with times that do not: they are not display times
    if times[0] > min(times):
        return ()  # frames before the first key frame, which the decoder may show or not
    shown = sorted(packet.pts for packet in packets if packet.pts is not None and not packet.is_discard)
    rank = {time: number for number, time in enumerate(shown)}
    return tuple(rank.get(time, -1) for time in times)


def _ranks_by_kind(kinds: tuple[int | None, ...]) -> tuple[int, ...]:
    """Bidirectional pictures are shown at once, any other after those that follow it."""
    ranks = [-1] * len(kinds)
    shown, waiting = 0, None
    for place, kind in enumerate(kinds):
        if kind is None or (kind == _BIDIRECTIONAL and place < 2):
            return ()  # not a picture, or one that lacks a frame it refers to
        if kind == _BIDIRECTIONAL:
            ranks[place] = shown
            shown += 1
            continue
        if waiting is not None:
            ranks[waiting] = shown
            shown += 1
        waiting = place
    if waiting is not None:
        ranks[waiting] = shown
    return tuple(ranks)


def _unpacked(packets: list[Packet], stream: VideoStream) -> list[Packet]:
    """Give every picture a packet of its own: DivX and Xvid put a bidirectional one behind its reference in AVI."""
    unpack = BitStreamFilterContext("mpeg4_unpack_bframes", stream)
    return [result for packet in [*packets, None] for result in unpack.filter(packet) if result.size > 0]


def _parse_vop(packet: Packet) -> tuple[int | None, bytes]:
    """Return the kind of a picture and the headers in front of it, without the time code of its group."""
    head = bytes(memoryview(packet)[:5])
    if head[:4] == _VOP_START and len(head) == 5:
        return head[4] >> 6, b""
    data = bytes(packet)
    start = data.find(_VOP_START)
    if not 0 <= start < len(data) - 4:
        return None, b""
    return data[start + 4] >> 6, _PACKED.sub(rb"\1", data[:start].split(_GROUP_START)[0])
