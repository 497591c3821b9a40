"""Corruptions by lossy video compression, in memory, before any other."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import Interpolation, VideoReformatter

from vjepa.corruptions.base import Corruption

_FRAME_RATE = 25
_MIN_SIDE = 16
# Colour conversion by arithmetic that is the same on every CPU.
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


def h264_crf(clip: np.ndarray, crf: float, generator: np.random.Generator) -> np.ndarray:
    """Encode with x264 at a constant rate factor (4:2:0, preset medium) and decode again; draws nothing.

    ``cpu-independent``, exact colour conversion and a single thread make the result reproducible; odd or tiny
    frames are padded by their edges for the encoder and cropped afterwards.

    Source: Mini SSV2-C (Yi et al., arXiv 2110.06513).
    """
    height, width = clip.shape[1:3]
    padded = np.pad(clip, ((0, 0), (0, _padding(height)), (0, _padding(width)), (0, 0)), mode="edge")
    decoded = _decode(_encode(padded, int(crf)))
    if len(decoded) != len(clip):
        raise RuntimeError(f"h264_crf: {len(clip)} frames went in and {len(decoded)} came out")
    return np.ascontiguousarray(np.stack(decoded)[:, :height, :width])


@lru_cache
def x264_version() -> str:
    """Return the build of x264 that PyAV carries, on which the pixels of ``h264_crf`` depend, e.g. ``x264 165``."""
    stream = b"".join(bytes(packet) for packet in _encode(np.zeros((1, 16, 16, 3), np.uint8), 37))
    found = re.search(rb"x264 - core (\d+)", stream)
    return f"x264 {found[1].decode()}" if found else "x264 unknown"


def _padding(side: int) -> int:
    return max(side + side % 2, _MIN_SIDE) - side


def _encode(clip: np.ndarray, crf: int) -> list[av.Packet]:
    encoder = VideoCodecContext.create("libx264", "w")
    encoder.height, encoder.width = clip.shape[1:3]
    encoder.pix_fmt = "yuv420p"
    encoder.framerate = Fraction(_FRAME_RATE)
    encoder.time_base = Fraction(1, _FRAME_RATE)
    encoder.thread_count = 1
    encoder.options = {"crf": str(crf), "preset": "medium", "x264-params": "cpu-independent=1"}
    packets: list[av.Packet] = []
    reformatter = VideoReformatter()
    for position, pixels in enumerate(clip):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        frame = reformatter.reformat(frame, format="yuv420p", interpolation=_EXACT, threads=1)
        frame.pts = position
        packets += encoder.encode(frame)
    return packets + encoder.encode(None)


def _decode(packets: list[av.Packet]) -> list[np.ndarray]:
    decoder = VideoCodecContext.create("h264", "r")
    decoder.thread_count = 1
    frames = [frame for packet in packets for frame in decoder.decode(packet)]
    frames += decoder.decode(None)
    reformatter = VideoReformatter()
    return [
        reformatter.reformat(frame, format="rgb24", interpolation=_EXACT, threads=1).to_ndarray() for frame in frames
    ]


CODEC = (Corruption("h264_crf", "codec", (23, 30, 37, 44, 51), h264_crf),)
