"""Writes a video again so that a random clip of it is read faster: short H.264 groups of pictures, smaller frames.

Three of four pictures are bidirectional and none of those is a reference, so a reader that wants one frame decodes few
others; the deblocking filter and arithmetic coding, which cost most to decode, are off.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from data_modules.decode.frames import decode_pictures, open_video
from data_modules.encode.planes import resize_upright
from vjepa.errors import UserError
from vjepa.storage import atomic_path

_X264 = "b-pyramid=none:b-adapt=0:scenecut=0:threads=1:lookahead-threads=1"


@dataclass(frozen=True)
class Transcoding:
    """How videos are written again.

    Args:
        short_side: height or width, whichever is less, in pixels, >= 16; smaller videos keep their size.
        gop: most frames from one key frame to the next, >= 1.
        crf: x264's constant rate factor, 0 (lossless) to 51.

    Raises:
        UserError: a value is out of range.
    """

    short_side: int = 256
    gop: int = 8
    crf: int = 18

    def __post_init__(self) -> None:
        for name, least, most in (("short_side", 16, 16384), ("gop", 1, 1000), ("crf", 0, 51)):
            value = getattr(self, name)
            if not least <= value <= most:
                raise UserError(f"{name} is {value}; expected {least} to {most}")

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width that a frame is written with: even, and the picture is whole."""
        scale = min(1.0, self.short_side / min(height, width))
        return max(2, 2 * round(height * scale / 2)), max(2, 2 * round(width * scale / 2))

    def resized(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return what a perfect copy of a frame (H, W, 3) would show."""
        height, width = self.size(*frame.shape[:2])
        if (height, width) == frame.shape[:2]:
            return frame
        return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def transcode(source: Path, target: Path, how: Transcoding) -> None:
    """Write a video again, whole or not at all; frame i of one shows what frame i of the other does.

    Args:
        source: is only read.
        target: becomes an MP4 file, whatever its suffix says, with a steady frame rate, the source's average.
        how: to write.

    Raises:
        BrokenVideo: the source cannot be decoded to its end.
        UserError: the target cannot be written.
    """
    with open_video(source) as (_, video):
        rate = Fraction(video.average_rate or video.guessed_rate or 25).limit_denominator(1001)
    options = {
        "crf": str(how.crf),
        "g": str(how.gop),
        "keyint_min": str(how.gop),
        "bf": str(min(3, how.gop - 1)),
        "tune": "fastdecode",
        "preset": "medium",
        "x264-params": _X264,
    }
    with atomic_path(target) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream: Any = None
        for picture in decode_pictures(source):
            smaller = resize_upright(picture, how.size)
            if stream is None:
                stream = container.add_stream("libx264", rate=rate, options=options)
                stream.height, stream.width, stream.pix_fmt = smaller.height, smaller.width, "yuv420p"
                stream.codec_context.colorspace = smaller.colorspace
                stream.codec_context.color_range = smaller.color_range
                stream.codec_context.thread_count = 1
            container.mux(stream.encode(smaller))
        container.mux(stream.encode(None))
