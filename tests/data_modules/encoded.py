"""Writes real video files of many kinds for the tests of decoding."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from data_modules.decode.reader import read_clip
from data_modules.encode.packed_avi import write_packed_avi

__all__ = ["moving_frames", "read_frames", "remux", "with_edits", "write_packed_avi", "write_video"]


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


def remux(source: Path, target: Path, first: int = 0, times_lie: bool = False, rotation: int = 0) -> Path:
    """Copy a file's packets.

    Args:
        source: is read.
        target: is written.
        first: packet to begin with.
        times_lie: make display times equal to decoding times.
        rotation: counter-clockwise, in degrees, that a player applies.
    """
    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        stream = reading.streams.video[0]
        copy = writing.add_stream_from_template(stream)
        if rotation:
            copy.set_display_rotation(rotation)
        packets = [packet for packet in reading.demux(stream) if packet.size > 0]
        earliest = packets[0].dts
        for number, packet in enumerate(packets):
            if number >= first:
                if times_lie:
                    packet.pts = packet.dts = packet.dts - earliest
                packet.stream = copy
                writing.mux(packet)
    return target


def with_edits(path: Path, edits: Sequence[tuple[int, int]], rate: int = 25) -> Path:
    """Replace the edit list of an MP4 file whose index is at its end.

    Args:
        path: as ``write_video`` made it.
        edits: of each, the first frame and how many are shown; -1 for the first shows nothing for a while.
        rate: of the file.
    """
    data = path.read_bytes()
    place = data.index(b"elst") - 4
    (old,) = struct.unpack(">I", data[place : place + 4])
    header = data.index(b"mvhd") + 16
    (movie_scale,) = struct.unpack(">I", data[header : header + 4])
    header = data.index(b"mdhd") + 16
    (media_scale,) = struct.unpack(">I", data[header : header + 4])
    (offset,) = struct.unpack(">i", data[place + 20 : place + 24])  # of the first frame shown, as the muxer has it
    content = struct.pack(">II", 0, len(edits))
    for first, count in edits:
        start = -1 if first < 0 else offset + first * media_scale // rate
        content += struct.pack(">Iihh", count * movie_scale // rate, start, 1, 0)
    box = struct.pack(">I", 8 + len(content)) + b"elst" + content
    changed = bytearray(data[:place] + box + data[place + old :])
    for parent in (b"moov", b"trak", b"edts"):
        start = changed.index(parent) - 4
        (size,) = struct.unpack(">I", changed[start : start + 4])
        changed[start : start + 4] = struct.pack(">I", size + len(box) - old)
    path.write_bytes(changed)
    return path


def read_frames(path: Path, indices: Sequence[int] | NDArray[np.int64]) -> NDArray[np.uint8]:
    """Frames by number, in any order and repeated at will."""
    return read_clip(path, lambda num_frames, fps: np.asarray(indices, dtype=np.int64))
