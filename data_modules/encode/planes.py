"""Resizes decoded pictures without a detour over RGB, which costs a decibel and darkens them by about a grey level."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

# The second is the first with the full range of values, which the picture also says by itself.
_SUBSAMPLED = ("yuv420p", "yuvj420p")
_NO_MATRIX, _UNSTATED_MATRIX = 0, 2


def resize_upright(picture: VideoFrame, size_of: Callable[[int, int], tuple[int, int]]) -> VideoFrame:
    """Turn a picture upright and resize it.

    Args:
        picture: of any pixel format and size.
        size_of: from its upright height and width to those wanted, both even.

    Returns:
        A picture in yuv420p without a time, with the matrix and the range of values that its planes are in.
    """
    source = picture
    if picture.format.name not in _SUBSAMPLED:
        source = VideoReformatter().reformat(picture, format="yuv420p", threads=1)
    turns = round(picture.rotation / 90)  # counter-clockwise
    planes = [np.rot90(plane, turns) for plane in _planes(source)]
    height, width = size_of(*planes[0].shape)
    result = VideoFrame(width, height, "yuv420p")
    for plane, place in zip(planes, _planes(result)):
        rows, columns = place.shape
        place[:] = cv2.resize(np.ascontiguousarray(plane), (columns, rows), interpolation=cv2.INTER_AREA)
    # What was RGB still says so after the conversion.
    result.colorspace = _UNSTATED_MATRIX if source.colorspace == _NO_MATRIX else source.colorspace
    result.color_range = source.color_range
    return result


def _planes(picture: VideoFrame) -> list[NDArray[np.uint8]]:
    """Brightness and the two colours, (H, W) and twice half of that rounded up, views of the picture's memory."""
    return [
        np.ndarray((plane.height, plane.width), np.uint8, memoryview(plane), strides=(plane.line_size, 1))
        for plane in picture.planes
    ]
