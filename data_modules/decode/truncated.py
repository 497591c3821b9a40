"""Finds AVI and Matroska (WebM) files that were cut short: they open and decode, but end early.

MP4 needs no such look: it opens only with its index, which says what is missing.
"""

from __future__ import annotations

import os
from pathlib import Path

from data_modules.decode.frames import open_video

_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067
_HEAD = 1024
_UNKNOWN = {0, 0xFFFFFFFF}


def cut_short(path: Path | str) -> str | None:
    """Return what is missing of a file, or None if nothing is or its kind is another.

    A file counts as cut short if it ends before the end that its own header states and then holds fewer frames than it
    announces; the second look is taken at such files alone, the first costs one small read.

    Args:
        path: of a video that exists.

    Returns:
        The reason, as the end of a sentence.

    Raises:
        BrokenVideo: the file is cut short and cannot be opened at all.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD)
        size = os.fstat(file.fileno()).st_size
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            stated = 8 + int.from_bytes(head[4:8], "little")
            if stated - 8 in _UNKNOWN:
                return None
            while stated + 8 <= size:  # a large file has more parts
                file.seek(stated + stated % 2)
                head = file.read(8)
                if head[:4] != b"RIFF":
                    return None
                stated += stated % 2 + 8 + int.from_bytes(head[4:8], "little")
        else:
            stated = _matroska_end(head)
    if stated <= size:
        return None
    held, announced = _count(Path(path))
    if held >= announced:
        return None
    return f"is cut short: it holds {held} of about {announced} frames"


def _matroska_end(head: bytes) -> int:
    """Where the segment ends, 0 if this is no Matroska file or it does not say."""
    place = 0
    while place + 12 <= len(head):
        name, place = _number(head, place, keep_mark=True)
        if place >= len(head) or (name != _EBML and not place > 4):
            return 0
        length, content = _number(head, place, keep_mark=False)
        if name == _SEGMENT:
            is_unknown = length == (1 << 7 * (content - place)) - 1
            return 0 if is_unknown else content + length
        place = content + length
    return 0


def _number(data: bytes, place: int, keep_mark: bool) -> tuple[int, int]:
    """Read a number whose length is the place of its first 1 bit; return it and the place behind it."""
    first = data[place]
    if not first:
        return 0, len(data)
    length = 9 - first.bit_length()
    value = int.from_bytes(data[place : place + length], "big")
    return (value if keep_mark else value & ((1 << 7 * length) - 1)), place + length


def _count(path: Path) -> tuple[int, int]:
    """Frames that the file holds, and about how many it announces."""
    with open_video(path) as (container, stream):
        packets = [packet for packet in container.demux(stream) if packet.dts is not None]
        announced = stream.frames
        rate = stream.average_rate or stream.guessed_rate
        if not announced and container.duration and rate:
            announced = int(container.duration / 1_000_000 * float(rate))
    return len(packets), announced
