"""Corruptions by lossy video compression, in memory, before any other.

One thread, code paths that do not depend on the CPU, and exact conversions of colour make streams and pixels
reproducible for one build of the encoders, which ``codec_versions`` names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import Interpolation, VideoReformatter

from vjepa.corruptions.base import ClipCorruption

_FRAME_RATE = 25
_COARSEST_MPEG = 31
# Colour conversion by arithmetic that is the same on every CPU.
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.BITEXACT


@dataclass(frozen=True)
class Coder:
    """An encoder with its settings, and the decoder of its streams.

    Args:
        encoder, decoder: names in FFmpeg.
        options: of the encoder.
        least_side: smallest frame it takes, in pixels.
    """

    encoder: str
    decoder: str
    options: tuple[tuple[str, str], ...]
    least_side: int = 16

    def encode(self, clip: np.ndarray) -> list[av.Packet]:
        """Compress (F, H_px, W_px, 3) uint8 in 4:2:0; odd or tiny frames are padded by their edges."""
        padding = [(0, max(side + side % 2, self.least_side) - side) for side in clip.shape[1:3]]
        clip = np.pad(clip, ((0, 0), *padding, (0, 0)), mode="edge")
        context = cast(VideoCodecContext, VideoCodecContext.create(self.encoder, "w"))
        context.height, context.width = clip.shape[1:3]
        context.pix_fmt = "yuv420p"
        context.framerate = Fraction(_FRAME_RATE)
        context.time_base = Fraction(1, _FRAME_RATE)
        context.thread_count = 1
        context.options = dict(self.options)
        packets: list[av.Packet] = []
        reformatter = VideoReformatter()
        for position, pixels in enumerate(clip):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame = reformatter.reformat(frame, format="yuv420p", interpolation=_EXACT, threads=1)
            frame.pts = position
            packets += context.encode(frame)
        return packets + context.encode(None)

    def decode(self, packets: Iterable[av.Packet]) -> list[av.VideoFrame]:
        """Decompress a whole stream, in the order of display."""
        context = decoder(self.decoder)
        return [frame for packet in packets for frame in context.decode(packet)] + context.decode(None)

    def round_trip(self, clip: np.ndarray) -> np.ndarray:
        """Compress a clip and decompress it again."""
        frames = self.decode(self.encode(clip))
        if len(frames) != len(clip):
            raise RuntimeError(f"{self.encoder}: {len(clip)} frames went in and {len(frames)} came out")
        return crop(frames, clip.shape)


def decoder(name: str) -> VideoCodecContext:
    """Return a decoder that runs in this thread."""
    context = cast(VideoCodecContext, VideoCodecContext.create(name, "r"))
    context.thread_count = 1
    return context


def crop(frames: Iterable[av.VideoFrame], shape: tuple[int, ...]) -> np.ndarray:
    """Turn decoded frames into RGB and cut the padding off."""
    reformatter = VideoReformatter()
    pictures = [
        reformatter.reformat(frame, format="rgb24", interpolation=_EXACT, threads=1).to_ndarray() for frame in frames
    ]
    return np.ascontiguousarray(np.stack(pictures)[:, : shape[1], : shape[2]])


def x264(crf: int) -> Coder:
    """H.264 at a constant rate factor, preset medium."""
    options = (("crf", str(crf)), ("preset", "medium"), ("x264-params", "cpu-independent=1"))
    return Coder("libx264", "h264", options)


def x265(crf: int) -> Coder:
    """H.265 at a constant rate factor, preset medium."""
    # Up to the side of one coding unit, 64 pixels, x265 reads and writes beyond its buffers: streams differ from
    # call to call, and processes abort.
    parameters = "pools=none:frame-threads=1:log-level=none"
    return Coder("libx265", "hevc", (("crf", str(crf)), ("preset", "medium"), ("x265-params", parameters)), 72)


def h264_crf(clip: np.ndarray, crf: int, generator: np.random.Generator) -> np.ndarray:
    """Encode with x264 at a constant rate factor (4:2:0, preset medium) and decode again; draws nothing.

    Source: Mini SSV2-C (Yi et al., arXiv 2110.06513).
    """
    return x264(crf).round_trip(clip)


def h265_crf(clip: np.ndarray, crf: int, generator: np.random.Generator) -> np.ndarray:
    """Encode with x265 at a constant rate factor (4:2:0, preset medium) and decode again; draws nothing.

    Source: Mini SSV2-C.
    """
    return x265(crf).round_trip(clip)


def mpeg2_quantiser(clip: np.ndarray, quantiser: int, generator: np.random.Generator) -> np.ndarray:
    """Encode as MPEG-2 with a fixed quantiser and decode again; draws nothing.

    Source: the first codec perturbation of SSv2-P (Schiappa et al., arXiv 2207.01398), 20 times the severity.
    Differs: MPEG knows no quantiser above 31, which is used instead; severities 2 to 5 are therefore one.
    """
    return _mpeg("mpeg2video", quantiser).round_trip(clip)


def mpeg4_quantiser(clip: np.ndarray, quantiser: int, generator: np.random.Generator) -> np.ndarray:
    """Encode as MPEG-4 part 2 with a fixed quantiser and decode again; draws nothing.

    Source: the second codec perturbation of SSv2-P, 15 times the severity.
    Differs: as for MPEG-2; severities 3 to 5 are one, and 2 is hardly weaker.
    """
    return _mpeg("mpeg4", quantiser).round_trip(clip)


def _mpeg(name: str, quantiser: int) -> Coder:
    fixed = str(min(quantiser, _COARSEST_MPEG))
    return Coder(name, name, (("qmin", fixed), ("qmax", fixed), ("flags", "+bitexact")))


@lru_cache
def codec_versions() -> dict[str, str]:
    """Return the builds that the pixels of codec corruptions depend on: PyAV, libavcodec, x264 and x265."""
    black = np.zeros((1, 64, 64, 3), np.uint8)
    found = {"pyav": av.__version__, "libavcodec": ".".join(map(str, av.library_versions["libavcodec"]))}
    for name, coder, pattern in (
        ("x264", x264(37), rb"x264 - core (\d+)"),
        ("x265", x265(39), rb"x265 \(build (\d+)\)"),
    ):
        match = re.search(pattern, b"".join(bytes(packet) for packet in coder.encode(black)))
        found[name] = match[1].decode() if match else "unknown"
    return found


def x264_version() -> str:
    """Return the build of x264 that PyAV carries, on which the pixels of ``h264_crf`` depend, e.g. ``x264 165``."""
    return f"x264 {codec_versions()['x264']}"


CODEC = (
    ClipCorruption("h264_crf", "codec", "native", (23, 30, 37, 44, 51), h264_crf),
    ClipCorruption("h265_crf", "codec", "native", (27, 33, 39, 45, 51), h265_crf),
    ClipCorruption("mpeg2_quantiser", "codec", "native", (20, 40, 60, 80, 100), mpeg2_quantiser),
    ClipCorruption("mpeg4_quantiser", "codec", "native", (15, 30, 45, 60, 75), mpeg4_quantiser),
)
