"""What a spec of drawn clips offers to the store, and the names of folders and clips."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Protocol

from vjepa.errors import UserError
from vjepa.storage import digest_json


class ClipSpec(Protocol):
    """Everything that the pixels of a benchmark depend on: a frozen dataclass whose hash names the folder."""

    @property
    def size(self) -> int:
        """Height and width of the files in pixels, even."""

    @property
    def num_frames(self) -> int:
        """Frames of a file."""

    @property
    def fps(self) -> int:
        """Frames per second of a file."""

    @property
    def crf(self) -> int:
        """x264's constant rate factor, 0 to 51."""

    @property
    def folder_name(self) -> str:
        """``folder_name`` of the benchmark and this spec."""

    def num_clips(self, split: Any) -> int:
        """Return the number of clips of a split."""


def folder_name(name: str, spec: Any) -> str:
    """Return ``name-`` and 12 hex digits that stand for every field of a dataclass."""
    return f"{name}-{digest_json(asdict(spec))[:12]}"


def clip_id(split: str, index: int) -> str:
    """Return the stable name of a clip, also the stem of its file."""
    return f"{split}-{index:06d}"


def within(benchmark: str, name: str, value: float, low: float, high: float) -> None:
    """Check an option's range.

    Raises:
        UserError: it is outside.
    """
    if not low <= value <= high:
        raise UserError(f"{benchmark}: {name} is {value}; expected {low} to {high}")
