"""Writes MPEG-4 part 2 into AVI as DivX and Xvid did: a bidirectional picture travels with its reference.

FFmpeg reads such files and cannot write them. AVI has no display times, so these encoders put a reference picture and
the bidirectional one that is shown before it into one packet, and an empty picture where the second would have been.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

_VOP = b"\x00\x00\x01\xb6"
_USER_DATA = b"\x00\x00\x01\xb2"
# What Xvid writes: the first name ends in p for packed, the second is its own.
_ENCODER = _USER_DATA + b"DivX503b1393p" + _USER_DATA + b"XviD0050"
_INTRA, _BIDIRECTIONAL = 0, 2


def write_packed_avi(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    rate: int = 25,
    gop: int = 12,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode frames with two bidirectional pictures between references.

    Args:
        path: of the AVI file.
        frames: (H, W, 3) uint8 each, RGB, H and W even, one or more.
        rate: frames per second, >= 2.
        gop: most frames from one key frame to the next.
        options: of FFmpeg's encoder; the quantiser is 3 if there are none.

    Returns:
        ``path``.
    """
    encoder = av.CodecContext.create("mpeg4", "w")
    encoder.time_base, encoder.framerate, encoder.pix_fmt = Fraction(1, rate), Fraction(rate), "yuv420p"
    encoder.thread_count = 1
    encoder.options = {"bf": "2", "g": str(gop), **(options or {"qscale": "3", "flags": "+qscale"})}
    pictures: list[bytes] = []
    for number, image in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, rate)
        if not number:
            encoder.height, encoder.width = image.shape[:2]
        pictures += map(bytes, encoder.encode(frame))
    pictures += map(bytes, encoder.encode(None))

    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.height, stream.width, stream.pix_fmt = encoder.height, encoder.width, "yuv420p"
        stream.codec_context.codec_tag = "XVID"
        for number, data in enumerate(_pack([_name_encoder(picture) for picture in pictures], rate)):
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, rate), stream
            packet.is_keyframe = _kind(data) == _INTRA
            container.mux(packet)
    return path


def _kind(picture: bytes) -> int:
    return picture[picture.index(_VOP) + len(_VOP)] >> 6


def _name_encoder(picture: bytes) -> bytes:
    place = picture.find(_USER_DATA)
    if place < 0:
        return picture
    end = picture.index(b"\x00\x00\x01", place + len(_USER_DATA))
    return picture[:place] + _ENCODER + picture[end:]


def _pack(pictures: Sequence[bytes], rate: int) -> list[bytes]:
    packets: list[bytes] = []
    place = 0
    while place < len(pictures):
        following = place + 1
        while following < len(pictures) and _kind(pictures[following]) == _BIDIRECTIONAL:
            following += 1
        reference, between = pictures[place], pictures[place + 1 : following]
        if between:
            packets += [reference + between[0], *between[1:], _empty_picture(reference, rate)]
        else:
            packets.append(reference)
        place = following
    return packets


def _empty_picture(reference: bytes, rate: int) -> bytes:
    """A picture that is marked as not coded, at the time of ``reference``."""
    start = reference.index(_VOP) + len(_VOP)
    bits = "".join(f"{byte:08b}" for byte in reference[start : start + 8])
    time = bits.index("0", 2) + 2  # after the kind, the seconds in unary and a marker
    width = (rate - 1).bit_length()
    content = "01" + "0" + "1" + bits[time : time + width] + "1" + "0" + "0"
    content += "1" * (-len(content) % 8)
    return _VOP + int(content, 2).to_bytes(len(content) // 8, "big")
