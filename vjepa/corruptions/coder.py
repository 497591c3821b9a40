"""Lossy video compression in memory, reproducible for one build of the encoders.

One thread, code paths that do not depend on the CPU, and exact conversions of colour.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import Interpolation, VideoReformatter

_FRAME_RATE = 25
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
