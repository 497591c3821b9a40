"""Reads image files, or says precisely why it cannot."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from data_modules.decode.frames import BrokenVideo, check_readable

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")

_JPEG, _PNG = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
_SCAN, _END = 0xDA, b"\xff\xd9"


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
        BrokenVideo: the file is missing, unreadable, empty, no image or truncated.
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
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise BrokenVideo(path, f"cannot be decoded ({error.err})") from error
    if image is None:
        raise BrokenVideo(path, "cannot be decoded")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _png_is_whole(data: bytes) -> bool:
    return data.rfind(b"IEND") > 0


def _jpeg_is_whole(data: bytes) -> bool:
    """Whether the end mark follows the first scan; a thumbnail in the metadata has an end mark of its own."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        if data[place + 1] == 0xFF:  # a fill byte
            place += 1
            continue
        if data[place + 1] == _SCAN:
            return data.find(_END, place) > 0
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return False
