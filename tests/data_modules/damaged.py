"""Writes one broken file of every kind for the tests of what training and evaluation make of it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from tests.data_modules.encoded import moving_frames, remux, write_packed_avi, write_video

NUM_FRAMES = 60


def whole(path: Path, seed: int = 0) -> Path:
    """A good video of the kind that the suffix says."""
    frames = moving_frames(NUM_FRAMES, 48, 64, seed=seed)
    if path.suffix == ".avi":
        return write_packed_avi(path, frames)
    if path.suffix == ".webm":
        return write_video(path, frames, "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "g": "20"})
    return write_video(path, frames, options={"bf": "2", "g": "250"})


def cut(path: Path, share: float) -> None:
    """Keep the first part of a file."""
    data = whole(path).read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def cut_behind_its_index(path: Path, share: float) -> None:
    """An MP4 whose index comes first, as for the web, and whose frames end early."""
    write_video(path, moving_frames(NUM_FRAMES, 48, 64), options={"bf": "2"})
    web = path.with_suffix(".web.mp4")
    with av.open(str(path)) as reading, av.open(str(web), "w", options={"movflags": "faststart"}) as writing:
        stream = reading.streams.video[0]
        copy = writing.add_stream_from_template(stream)
        for packet in reading.demux(stream):
            if packet.size:
                packet.stream = copy
                writing.mux(packet)
    data = web.read_bytes()
    web.unlink()
    path.write_bytes(data[: int(len(data) * share)])


def without_first_key(path: Path) -> None:
    """The only key frame is missing."""
    source = whole(path.with_suffix(".source.mp4"))
    remux(source, path, first=1)
    source.unlink()


def with_flipped_bits(path: Path) -> None:
    """Every hundredth byte of the frames is wrong, and none of the index."""
    data = bytearray(whole(path).read_bytes())
    first, last = (b"movi", b"idx1") if path.suffix == ".avi" else (b"mdat", b"moov")
    start, end = data.index(first) + 100, data.index(last) - 8
    for place in np.random.default_rng(0).integers(start, end, (end - start) // 100):
        data[place] ^= 0x5A
    path.write_bytes(bytes(data))


def audio_only(path: Path) -> None:
    """An MP4 with sound and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        stream.layout = "mono"
        for number in range(20):
            sound = np.sin(np.arange(1024) * 0.1, dtype=np.float32)[None]
            frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
            frame.rate, frame.pts = 16000, 1024 * number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated.mp4": (lambda path: cut(path, 0.5), "cannot be decoded"),
    "truncated_web.mp4": (lambda path: cut_behind_its_index(path, 0.5), "is truncated|cannot be decoded"),
    "truncated.avi": (lambda path: cut(path, 0.1), "is cut short|corrupt|cannot be decoded|no frames"),
    "truncated.webm": (lambda path: cut(path, 0.1), "is cut short|no frames"),
    "empty.mp4": (lambda path: path.touch(), "the file is empty"),
    "text.mp4": (lambda path: path.write_text("no video at all\n" * 100), "cannot be decoded"),
    "noise.avi": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(20_000)), "cannot be decoded"),
    "audio.mp4": (audio_only, "has no video stream"),
    "no_key.mp4": (without_first_key, "corrupt|cannot be decoded|no frames|can be decoded"),
    "flipped.mp4": (with_flipped_bits, "corrupt|cannot be decoded|can be decoded"),
    "flipped.avi": (with_flipped_bits, "corrupt|cannot be decoded|cut short|frames"),
    "missing.mp4": (lambda path: None, "no such file"),
    "folder.mp4": (lambda path: path.mkdir(), "no such file"),
    "image.jpg": (lambda path: path.write_bytes(b"\xff\xd8 cut off"), "is truncated"),
}
"""Name -> what writes it, and what is said about it."""


def read_broken(path: Path) -> dict[str, str]:
    """Return the reason for every broken file that any process listed in ``path``; empty if there is no such file."""
    if not path.is_file():
        return {}
    with open(path, newline="") as file:
        return {row["id"]: row["reason"] for row in csv.DictReader(file)}
