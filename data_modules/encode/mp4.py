"""Writes clips as H.264 MP4, bit for bit the same for the same frames and the same libraries."""

from __future__ import annotations

import io

import av
import numpy as np
from numpy.typing import NDArray

# One thread and CPU-independent arithmetic: the bytes must not depend on the machine's core count.
_X264 = "cpu-independent=1:threads=1:lookahead-threads=1"


def encode_mp4(frames: NDArray[np.uint8], fps: int, crf: int) -> bytes:
    """Encode RGB frames as an H.264 (yuv420p) MP4 file.

    Args:
        frames: (F, H, W, 3) uint8, RGB; H and W even.
        fps: frames per second, >= 1.
        crf: x264's constant rate factor, 0 (lossless) to 51.

    Returns:
        The bytes of the file.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        options = {"crf": str(crf), "preset": "veryfast", "x264-params": _X264}
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return buffer.getvalue()
