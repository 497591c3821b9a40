"""Corruptions of an H.264 stream on its way: lost packets and wrong bytes, concealed by the decoder."""

from __future__ import annotations

from collections.abc import Callable

import av
import numpy as np

from vjepa.corruptions.base import ClipCorruption
from vjepa.corruptions.codec import x264
from vjepa.corruptions.coder import crop, decoder

_CRF = 23
_PACKET_BYTES = 1316
_LEAST_PACKETS = 48
# Parameter sets at the start of the stream, and headers of slices: without them nothing is decoded.
_STREAM_HEADER, _SLICE_HEADER = 64, 8
_CONCEALMENT = {"ec": "guess_mvs+deblock", "err_detect": "ignore_err", "flags": "+output_corrupt"}

Damage = Callable[[list[bytes]], list[bytes]]


def packet_loss_sim(clip: np.ndarray, percent: float, generator: np.random.Generator) -> np.ndarray:
    """Lose ``percent`` of the network packets of an x264 stream (CRF 23), all but those of the first frame.

    Packets have 1,316 bytes, or 1/48 of the stream if that is less, and never span two frames. The decoder conceals
    what is missing; in place of a frame of which nothing is left the one before is held.

    Source: the packet loss of Mini SSV2-C (Yi et al., arXiv 2110.06513), 1 to 6 percent.
    Differs: there a network is emulated that carries a UDP stream, here packets are independently cut out; the
    results are not comparable.
    """

    def lose(stream: list[bytes]) -> list[bytes]:
        size = min(_PACKET_BYTES, max(1, sum(map(len, stream)) // _LEAST_PACKETS))
        received = stream[:1]
        for frame in stream[1:]:
            packets = [frame[start : start + size] for start in range(0, len(frame), size)]
            arrives = generator.random(len(packets)) >= percent / 100
            received.append(b"".join(packet for packet, here in zip(packets, arrives, strict=True) if here))
        return received

    return _transmit(clip, lose)


def bit_error(clip: np.ndarray, spacing: int, generator: np.random.Generator) -> np.ndarray:
    """Replace on average one byte in ``spacing`` of an x264 stream (CRF 23) by another, headers excepted.

    The rates are made for streams of hundreds of kilobytes: a small clip mostly stays as it is.

    Source: Mini SSV2-C.
    Differs: there a filter of FFmpeg alters the source file as it is stored; what a decoder shows of it is not
    defined, here it is concealed as for lost packets.
    """

    def scramble(stream: list[bytes]) -> list[bytes]:
        received = []
        for position, frame in enumerate(stream):
            data = np.frombuffer(frame, np.uint8)
            hit = generator.random(len(data)) < 1 / spacing
            hit[: _SLICE_HEADER if position else _STREAM_HEADER] = False
            flip = generator.integers(1, 256, len(data), dtype=np.uint8)
            received.append(np.where(hit, data ^ flip, data).tobytes())
        return received

    return _transmit(clip, scramble)


def _transmit(clip: np.ndarray, damage: Damage) -> np.ndarray:
    """Encode, damage the data of each frame (in coding order), decode, and hold frames in place of lost ones."""
    packets = x264(_CRF).encode(clip)
    shown: dict[int | None, av.VideoFrame] = {}
    context = decoder("h264")
    context.options = _CONCEALMENT
    for sent, data in zip(packets, damage([bytes(packet) for packet in packets]), strict=True):
        if not data:
            continue
        packet = av.Packet(data)
        packet.pts, packet.dts, packet.time_base = sent.pts, sent.dts, sent.time_base
        try:
            shown |= {frame.pts: frame for frame in context.decode(packet)}
        except av.error.InvalidDataError:
            continue
    shown |= {frame.pts: frame for frame in context.decode(None)}
    here = sorted(position for position in shown if position is not None)
    if not here:
        raise RuntimeError("no frame of the damaged stream could be decoded")
    held = np.maximum(np.searchsorted(here, np.arange(len(clip)), side="right") - 1, 0)
    return crop([shown[here[position]] for position in held], clip.shape)


TRANSMISSION = (
    ClipCorruption("packet_loss_sim", "codec", "native", "% of packets", (1, 2, 3, 4, 6), packet_loss_sim, True),
    ClipCorruption(
        "bit_error",
        "codec",
        "native",
        "bytes per wrong one",
        (100_000, 50_000, 30_000, 20_000, 10_000),
        bit_error,
        True,
    ),
)
