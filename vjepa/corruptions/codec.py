"""Corruptions by lossy video compression, before any other; ``codec_versions`` names the builds they depend on."""

from __future__ import annotations

import re
from functools import lru_cache

import av
import numpy as np

from vjepa.corruptions.base import ClipCorruption
from vjepa.corruptions.coder import Coder

_COARSEST_MPEG = 31


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

    One thread, ``cpu-independent=1``, 25 frames a second.

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
    ClipCorruption("h264_crf", "codec", "native", "CRF", (23, 30, 37, 44, 51), h264_crf),
    ClipCorruption("h265_crf", "codec", "native", "CRF", (27, 33, 39, 45, 51), h265_crf),
    ClipCorruption("mpeg2_quantiser", "codec", "native", "quantiser", (20, 40, 60, 80, 100), mpeg2_quantiser),
    ClipCorruption("mpeg4_quantiser", "codec", "native", "quantiser", (15, 30, 45, 60, 75), mpeg4_quantiser),
)
