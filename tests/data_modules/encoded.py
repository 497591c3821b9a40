"""Writes real video files of many kinds for the tests of decoding."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

VOP = b"\x00\x00\x01\xb6"
USER_DATA = b"\x00\x00\x01\xb2"


def moving_frames(num_frames: int = 40, height: int = 96, width: int = 128, seed: int = 0) -> NDArray[np.uint8]:
    """A textured background with a noisy edge under a moving disc: frames differ, and motion can be predicted."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 200, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    background = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    frames = np.repeat(background[None], num_frames, axis=0)
    for number, frame in enumerate(frames):
        frame[-8:] += rng.integers(0, 30, (8, width, 3), dtype=np.uint8)
        centre = (int(width * (0.5 + 0.4 * np.sin(number / 5))), int(height * (0.5 + 0.4 * np.cos(number / 7))))
        cv2.circle(frame, centre, height // 5, (250, 5 * number % 250, 30), -1)
    return frames


def write_video(
    path: Path,
    frames: NDArray[np.uint8],
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    rate: int = 25,
    pix_fmt: str = "yuv420p",
    times: Sequence[int] | None = None,
) -> Path:
    """Encode frames; the suffix chooses the container, ``times`` (in frames) may be uneven or negative."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options={"threads": "1"} | (options or {}))
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], pix_fmt
        stream.codec_context.time_base = Fraction(1, rate)
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number if times is None else times[number], Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def remux(source: Path, target: Path, first: int = 0, times_lie: bool = False) -> Path:
    """Copy a file's packets from packet ``first`` on, with display times equal to decoding times if they shall lie."""
    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        stream = reading.streams.video[0]
        copy = writing.add_stream_from_template(stream)
        packets = [packet for packet in reading.demux(stream) if packet.size > 0]
        earliest = packets[0].dts
        for number, packet in enumerate(packets):
            if number >= first:
                if times_lie:
                    packet.pts = packet.dts = packet.dts - earliest
                packet.stream = copy
                writing.mux(packet)
    return target


def write_packed_avi(path: Path, frames: NDArray[np.uint8], rate: int = 25, gop: int = 12) -> Path:
    """MPEG-4 part 2 with bidirectional pictures as DivX and Xvid put it into AVI.

    A bidirectional picture travels in the packet of its reference, and an empty picture fills its place.
    """
    pictures: list[bytes] = []
    plain = path.with_suffix(".plain.avi")
    write_video(plain, frames, "mpeg4", {"bf": "2", "g": str(gop), "qscale": "3", "flags": "+qscale"}, rate)
    with av.open(str(plain)) as container:
        pictures = [bytes(packet) for packet in container.demux(container.streams.video[0]) if packet.size > 0]
    plain.unlink()
    pictures = [_name_encoder(picture) for picture in pictures]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], "yuv420p"
        for number, data in enumerate(_pack(pictures, rate)):
            packet = av.Packet(data)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, rate), stream
            packet.is_keyframe = _kind(data) == 0
            container.mux(packet)
    return path


def _kind(picture: bytes) -> int:
    return picture[picture.index(VOP) + 4] >> 6


def _name_encoder(picture: bytes) -> bytes:
    """Replace the encoder's name; the last letter announces packed pictures."""
    place = picture.find(USER_DATA)
    if place < 0:
        return picture
    end = picture.index(b"\x00\x00\x01", place + 4)
    return picture[:place] + USER_DATA + b"DivX503b1393p" + picture[end:]


def _pack(pictures: list[bytes], rate: int) -> list[bytes]:
    packets: list[bytes] = []
    place = 0
    while place < len(pictures):
        following = place + 1
        while following < len(pictures) and _kind(pictures[following]) == 2:
            following += 1
        reference, bidirectional = pictures[place], pictures[place + 1 : following]
        if bidirectional:
            packets += [reference + bidirectional[0], *bidirectional[1:], _empty_picture(reference, rate)]
        else:
            packets.append(reference)
        place = following
    return packets


def _empty_picture(reference: bytes, rate: int) -> bytes:
    """A picture that is marked as not coded, at the time of ``reference``."""
    start = reference.index(VOP) + 4
    bits = "".join(f"{byte:08b}" for byte in reference[start : start + 8])
    time = bits.index("0", 2) + 2  # after the kind, the seconds in unary and a marker
    width = (rate - 1).bit_length()
    content = "01" + "0" + "1" + bits[time : time + width] + "1" + "0" + "0"
    content += "1" * (-len(content) % 8)
    return VOP + int(content, 2).to_bytes(len(content) // 8, "big")
