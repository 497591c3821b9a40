"""Reads image files, or says precisely why it cannot."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from data_modules.decode import frames
from data_modules.decode.frames import BrokenVideo, check_readable

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_SCAN, _END = 0xDA, b"\xff\xd9"
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Headers of a frame; the others in this range are tables."""


def is_image(path: Path | str) -> bool:
    """Whether the name is that of an image file."""
    return str(path).lower().endswith(IMAGE_SUFFIXES)


def read_image(path: Path | str) -> NDArray[np.uint8]:
    """Read a JPEG or PNG file, whatever its suffix says.

    Grey and CMYK become RGB, transparency is dropped, orientation in the metadata is applied.

    Args:
        path: the file.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        BrokenVideo: the file is missing, unreadable, empty, no image, truncated or of too many pixels.
    """
    path = Path(path)
    check_readable(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BrokenVideo(path, f"cannot be read ({error.strerror or error})") from error
    if not data.startswith((_JPEG, _PNG)):
        raise BrokenVideo(path, "is neither JPEG nor PNG")
    if not (_png_is_whole(data) if data.startswith(_PNG) else _jpeg_is_whole(data)):
        raise BrokenVideo(path, "is truncated")
    height, width = _png_size(data) if data.startswith(_PNG) else _jpeg_size(data)
    if height * width > frames.MAX_PIXELS:
        raise BrokenVideo(path, f"has {width} x {height} pixels, more than the {frames.MAX_PIXELS:,} that are decoded")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise BrokenVideo(path, f"cannot be decoded ({error.err})") from error
    if image is None:
        raise BrokenVideo(path, "cannot be decoded")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _png_is_whole(data: bytes) -> bool:
    return data.rfind(b"IEND") > 0


def _png_size(data: bytes) -> tuple[int, int]:
    """Height and width that the header announces."""
    width, height = struct.unpack(">II", data[16:24])
    return height, width


def _jpeg_is_whole(data: bytes) -> bool:
    """Whether the end mark follows the first scan; a thumbnail in the metadata has an end mark of its own."""
    return any(kind == _SCAN and data.find(_END, place) > 0 for kind, place in _jpeg_segments(data))


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Height and width that the frame header announces, 0 where there is none."""
    for kind, place in _jpeg_segments(data):
        if kind in _FRAMES:
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return height, width
    return 0, 0


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Kind and place of each segment up to the first scan."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        if data[place + 1] == 0xFF:  # a fill byte
            place += 1
            continue
        yield data[place + 1], place
        if data[place + 1] == _SCAN:
            return
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
