"""Where the features of a split will be kept: decided once, before anything is encoded, and said in one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

from torch import Tensor

from data_modules.clips.datasets import ClipDataset
from experiments.evaluation.encoded import encode
from experiments.evaluation.features.cache import Kind
from experiments.evaluation.subjects import Subject
from vjepa.errors import UserError

MEMORY_LIMIT = 2**30
"""Most bytes of features that a source holds in memory."""

_FLOAT16 = 2
_FLOAT32 = 4

Place = Literal["nowhere", "disk", "memory", "online"]


@dataclass(frozen=True)
class Shapes:
    """What one clip becomes.

    Args:
        tokens: (T, S, C).
        frames: (F, H_px, W_px, 3).
    """

    tokens: tuple[int, ...]
    frames: tuple[int, ...]

    @property
    def means(self) -> tuple[int, ...]:
        """(T, C)."""
        return self.tokens[0], self.tokens[2]


@dataclass(frozen=True)
class SourcePlan:
    """What is kept where.

    Args:
        tokens: place of the tokens.
        make: kinds of files that are missing and will be written.
        has_frames: whether the encoder reads decoded clips from disk where it runs at each pass.
        shapes: of a clip; None where nothing is made and no tokens are needed.
    """

    tokens: Place
    make: tuple[Kind, ...]
    has_frames: bool
    shapes: Shapes | None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> SourcePlan:
        """The plan that another process has written down with ``asdict``."""
        shapes = said["shapes"]
        return cls(
            said["tokens"],
            tuple(said["make"]),
            said["has_frames"],
            None if shapes is None else Shapes(tuple(shapes["tokens"]), tuple(shapes["frames"])),
        )


def measure(subject: Subject, dataset: ClipDataset, positions: Tensor, title: str) -> Shapes:
    """Encode the first clip that can be read.

    Raises:
        UserError: none can.
    """
    for position in positions.split(1):
        clip = dataset.fetch(position)
        if len(clip):
            tokens = encode(subject.encoder, clip.frames).tokens
            return Shapes(tuple(tokens.shape[1:]), tuple(clip.frames.shape[1:]))
    raise all_broken(title, len(positions))


def all_broken(title: str, num_clips: int) -> UserError:
    """The error for a split of which nothing can be read."""
    return UserError(f"{title}: all {num_clips} clips are broken; check the data root and the files")


def place_tokens(
    num_clips: int,
    shapes: Shapes,
    width: int,
    room: int,
    memory_limit: int,
    *,
    is_shared: bool,
) -> tuple[Place, str]:
    """Decide where tokens go.

    Args:
        num_clips: of the split.
        shapes: of a clip.
        width: channels that are kept.
        room: bytes on disk; 0 without a cache.
        memory_limit: bytes in memory.
        is_shared: whether several processes fill a cache together; each would need all in its own memory.

    Returns:
        The place, and why, in words.
    """
    size = num_clips * shapes.tokens[0] * shapes.tokens[1] * width * _FLOAT16
    text = f"tokens {gib(size)}"
    if size <= memory_limit and not is_shared:
        return "memory", f"{text} in memory (limit {gib(memory_limit)})"
    if size <= room:
        return "disk", f"{text} on disk (room {gib(room)})"
    limits = f"disk {gib(max(0, room))}" if is_shared else f"memory {gib(memory_limit)}, disk {gib(max(0, room))}"
    return "online", f"{text} fit nowhere ({limits}): the encoder runs again at each pass"


def check_means(num_clips: int, shapes: Shapes, memory_limit: int, title: str) -> None:
    """Refuse means that only memory could hold and that do not fit.

    Raises:
        UserError: they do not.
    """
    size = num_clips * prod(shapes.means) * _FLOAT32
    if size > memory_limit:
        raise UserError(
            f"{title}: means over space take {gib(size)}, the limit is {gib(memory_limit)}; use fewer clips, or a "
            "folder for cached features"
        )


def gib(num_bytes: int) -> str:
    """Bytes in words."""
    return f"{num_bytes / 2**30:.2f} GiB"
