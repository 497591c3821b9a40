"""Video files like those of three benchmarks, drawn once: container, codec, key frames, size, rate and bit rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from data_modules.encode.packed_avi import write_packed_avi
from vjepa.storage import atomic_path

_VERSION = 1
_NOISE = 2.0  # grey levels, as of a camera


@dataclass(frozen=True)
class Footage:
    """How the files of one kind are made.

    Args:
        title: what they imitate.
        suffix: of the file.
        height, width: in pixels.
        rate: frames per second.
        least, most: frames of a file.
        write: from (path, frames, this) to a file.
    """

    title: str
    suffix: str
    height: int
    width: int
    rate: int
    least: int
    most: int
    write: Callable[[Path, Iterator[NDArray[np.uint8]], Footage], None]


def make_footage(kind: str, folder: Path, count: int) -> list[Path]:
    """Return ``count`` files of a kind, written where they are missing.

    Args:
        kind: one of ``KINDS``.
        folder: they are kept in a folder of their own inside.
        count: how many, >= 1.
    """
    what = KINDS[kind]
    paths = [folder / f"bench-decode-{_VERSION}" / kind / f"{number:02}{what.suffix}" for number in range(count)]
    missing = [number for number, path in enumerate(paths) if not path.is_file()]
    for number in tqdm(missing, f"{kind} files", disable=not missing, leave=False):
        rng = np.random.default_rng(number)
        frames = moving_scene(int(rng.integers(what.least, what.most + 1)), what.height, what.width, number)
        with atomic_path(paths[number]) as temporary:
            what.write(temporary, frames, what)
    return paths


def moving_scene(num_frames: int, height: int, width: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Frames (H, W, 3) uint8 of a moving camera over texture of all scales, with moving things and camera noise."""
    rng = np.random.default_rng(seed)
    ground = _texture(rng, 2 * height, 2 * width)
    things = [_texture(rng, height // 2, height // 2) for _ in range(3)]
    paths = rng.uniform(0.3, 1.0, (4, 4))
    for number in range(num_frames):
        time = number / 25
        angle, zoom = 6 * np.sin(time * paths[3, 0]), 1.1 + 0.1 * np.sin(time * paths[3, 1])
        place: NDArray[np.float64] = np.array(cv2.getRotationMatrix2D((width, height), angle, zoom))
        place[:, 2] -= (0.5 + 0.3 * np.sin(time * paths[3, 2:])) * (width, height)
        image = cv2.warpAffine(ground, place, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        for thing, (speed_x, speed_y, turn, size) in zip(things, paths):
            side = len(thing)
            place = np.array(cv2.getRotationMatrix2D((side / 2, side / 2), 90 * turn * time, 0.5 * size))
            centre = 0.5 + 0.35 * np.sin(2 * time * np.array([speed_x, speed_y]) + 7 * turn)
            place[:, 2] += centre * (width, height) - side / 2
            cover = cv2.warpAffine(np.ones(thing.shape[:2], np.uint8), place, (width, height))
            moved = cv2.warpAffine(thing, place, (width, height), flags=cv2.INTER_LINEAR)
            cv2.copyTo(moved, cover, image)
        noise = _NOISE * rng.standard_normal((height, width, 1), np.float32)
        yield np.clip(image + noise, 0, 255).astype(np.uint8)


def _texture(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    image = np.full((height, width, 3), 128.0, np.float32)
    for cells in (3, 9, 27, 81, 243):
        coarse = rng.normal(0, 80 / cells**0.45, (cells, cells, 1)) + rng.normal(0, 40 / cells**0.7, (cells, cells, 3))
        image += cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(image, 0, 255)


def _packed_avi(path: Path, frames: Iterator[NDArray[np.uint8]], what: Footage) -> None:
    write_packed_avi(path, frames, what.rate, gop=250, options={"b": "550k"})


def _encoder(
    codec: str, container: str, **options: str
) -> Callable[[Path, Iterator[NDArray[np.uint8]], Footage], None]:
    def write(path: Path, frames: Iterator[NDArray[np.uint8]], what: Footage) -> None:
        with av.open(str(path), "w", format=container) as output:
            stream: Any = output.add_stream(codec, rate=what.rate, options={"threads": "1", **options})
            stream.height, stream.width, stream.pix_fmt = what.height, what.width, "yuv420p"
            stream.codec_context.time_base = Fraction(1, what.rate)
            for image in frames:
                output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            output.mux(stream.encode(None))

    return write


KINDS: dict[str, Footage] = {
    "ucf": Footage("UCF-101: MPEG-4 AVI, packed B-frames, GOP 250", ".avi", 240, 320, 25, 120, 240, _packed_avi),
    "ssv2": Footage(
        "Something-Something V2: VP9 WebM, one key frame",
        ".webm",
        *(240, 427, 12, 36, 60),
        _encoder("libvpx-vp9", "webm", b="180k", g="1000", deadline="good", **{"cpu-used": "4"}),
    ),
    "diving": Footage(
        "Diving-48: H.264 MP4, GOP 250",
        ".mp4",
        *(360, 640, 30, 100, 200),
        _encoder("libx264", "mp4", b="800k", g="250", preset="medium", threads="2"),
    ),
}
"""Bit rates and lengths are about the means of the published files."""
